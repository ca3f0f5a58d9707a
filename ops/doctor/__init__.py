"""Before `pulumi up`: will it work, and will the result be fast? Hypervisors and the operator's machine are asked; nothing is changed."""

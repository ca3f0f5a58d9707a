"""The application of examples/app in a lab: its container image, and its own Pulumi project beside the environment's."""

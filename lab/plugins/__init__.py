"""The lab's own Pulumi language host and the stand-ins for the vendor's resource plugins."""

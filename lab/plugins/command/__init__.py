"""The stand-in for Pulumi's `command` plugin: shell commands on this machine and, over SSH, on others."""

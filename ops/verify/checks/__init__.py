"""The checks, one file each: <area>_<name>.py with CHECKS."""

"""What placement and disks do to a machine, measured in emulated guests: `python -m lab.measure delay|disks --out FOLDER`."""

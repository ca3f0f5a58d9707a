"""The lab's stand-in for pulumi-libvirt 0.5.4: pools, volumes, cloud-init seeds, networks and domains on a real libvirt."""

"""What a libvirt host says of itself: asked by virsh, read, and compared with what a machine is to have. Knows no settings and no plan."""

"""What a hypervisor is, asked of its libvirt: topology, tenants and drives, as the block that a stack file declares of it."""

"""Definitions of running machines, as far as the place of their disk goes; those with everything are in test_check_machines_drift.py."""

from plan import NodePlan


def definition(node: NodePlan) -> str:
    """A machine with its root disk and its seed in a pool of folders."""
    return f"""\
<domain type='kvm' id='3'>
  <name>{node.name}</name>
  <vcpu placement='static'>{node.vcpus}</vcpu>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/libvirt/images/{node.root_volume}' index='2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <source file='/var/lib/libvirt/images/{node.name}-seed.iso'/>
      <target dev='vdb' bus='virtio'/>
      <readonly/>
    </disk>
  </devices>
</domain>
"""

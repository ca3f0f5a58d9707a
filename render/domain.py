"""The stylesheet that gives a libvirt domain what the provider's fields cannot say."""

from plan import NodePlan
from render.text import fill
from settings.hypervisor import Hypervisor

PAGE_KIB = {"2M": 2048, "1G": 1048576}


def domain_xslt(node: NodePlan, hypervisor: Hypervisor) -> str:
    """XSLT 1.0 over the definition that terraform-provider-libvirt makes.

    CPU model, pinning, huge pages, disk and NIC drivers, the seed on virtio, nothing that a headless guest does not need.
    """
    return fill(
        "domain.xslt.j2",
        node=node,
        hypervisor=hypervisor,
        page_kib=PAGE_KIB[hypervisor.hugepages] if hypervisor.hugepages else None,
        pinned=bool(node.cpu_pins),
        nic_driver=bool(node.nic.driver or node.nic.rx_queue_size or node.nic.queues > 1),
    )

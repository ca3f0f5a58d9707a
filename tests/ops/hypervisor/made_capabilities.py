"""Capabilities of made-up hosts in libvirt's XML, held against its schema by a test: the shapes in which real hosts number their CPUs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Core = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A NUMA node of a made-up host."""

    cores: Sequence[Core]
    socket: int = 0
    memory_mib: int = 131072
    pages: Mapping[int, int] = field(default_factory=dict[int, int])
    """Number of pages by their size in KiB."""
    off: Sequence[int] = ()
    """CPUs that are switched off."""


def numbered(cores: int, *first: int, step: int = 1) -> list[Core]:
    """Cores with a thread from each of the first numbers on."""
    return [tuple(start + core * step for start in first) for core in range(cores)]


PAGES = {2048: 0, 1048576: 0}
ONE_SOCKET = {0: Node(cores=numbered(8, 0), memory_mib=64215)}
"""A small server, its threads switched off in the firmware."""
INTERLEAVED = {
    0: Node(cores=numbered(16, 0, 32), socket=0, pages={2048: 512, 1048576: 112}),
    1: Node(cores=numbered(16, 16, 48), socket=1, pages={1048576: 112}),
}
"""Two sockets as Linux numbers them mostly: first the first threads of all cores, then the second ones."""
EVEN_ODD = {0: Node(cores=numbered(12, 0, 24, step=2), socket=0), 1: Node(cores=numbered(12, 1, 25, step=2), socket=1)}
"""Two sockets whose firmware names cores in turn."""
ADJACENT = {0: Node(cores=numbered(16, 0, 1, step=2), pages={2048: 8192})}
"""The threads of a core beside each other, as hypervisors number the CPUs of a guest that is one itself."""
FOUR_NODES = {number: Node(cores=numbered(16, 16 * number, 64 + 16 * number), memory_mib=64000 + number) for number in range(4)}
"""One socket that its firmware parts in four."""
MEMORY_ALONE = {
    0: Node(cores=numbered(4, 0, 8), socket=0),
    1: Node(cores=numbered(4, 4, 12), socket=1),
    2: Node(cores=(), memory_mib=262144),
}
"""The last node is memory behind a link (CXL), without a CPU."""
SHAPES = {
    "one socket": ONE_SOCKET,
    "interleaved": INTERLEAVED,
    "even and odd": EVEN_ODD,
    "adjacent": ADJACENT,
    "four nodes": FOUR_NODES,
    "memory alone": MEMORY_ALONE,
}


def capabilities(nodes: Mapping[int, Node]) -> str:
    """The document of a host with these NUMA nodes, by their numbers."""
    sockets = {node.socket for node in nodes.values() if node.cores}
    made = "".join(_cell(number, node, len(nodes)) for number, node in nodes.items())
    return f"""\
<capabilities>
  <host>
    <uuid>5ba1d1a4-6f6c-4e3f-9c3c-0d1f0c1f1a11</uuid>
    <cpu>
      <arch>x86_64</arch>
      <model>EPYC-Milan</model>
      <vendor>AMD</vendor>
      <topology sockets='{len(sockets)}' dies='1' cores='{max(len(node.cores) for node in nodes.values())}' threads='1'/>
      <feature name='aes'/>
      <pages unit='KiB' size='4'/>
      <pages unit='KiB' size='2048'/>
      <pages unit='KiB' size='1048576'/>
    </cpu>
    <power_management/>
    <iommu support='yes'/>
    <topology>
      <cells num='{len(nodes)}'>
{made}      </cells>
    </topology>
    <secmodel>
      <model>none</model>
      <doi>0</doi>
    </secmodel>
  </host>
  <guest>
    <os_type>hvm</os_type>
    <arch name='x86_64'>
      <wordsize>64</wordsize>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <machine maxCpus='288'>pc-q35-7.2</machine>
      <domain type='qemu'/>
      <domain type='kvm'/>
    </arch>
  </guest>
</capabilities>
"""


def _cell(number: int, node: Node, count: int) -> str:
    pages = {4: node.memory_mib * 256, **PAGES, **node.pages}
    lines = [f"<cell id='{number}'>", f"  <memory unit='KiB'>{node.memory_mib * 1024 + 500}</memory>"]
    lines += [f"  <pages unit='KiB' size='{size}'>{amount}</pages>" for size, amount in sorted(pages.items())]
    lines += ["  <distances>", *(f"    <sibling id='{other}' value='{10 if other == number else 21}'/>" for other in range(count)), "  </distances>"]
    there = {cpu: (index, core) for index, core in enumerate(node.cores) for cpu in core}
    lines.append(f"  <cpus num='{len(there) + len(node.off)}'>")
    for cpu in sorted([*there, *node.off]):
        if cpu in node.off:
            lines.append(f"    <cpu id='{cpu}'/>")
            continue
        index, core = there[cpu]
        siblings = ",".join(map(str, sorted(each for each in core if each not in node.off)))
        lines.append(f"    <cpu id='{cpu}' socket_id='{node.socket}' die_id='0' core_id='{index}' siblings='{siblings}'/>")
    lines += ["  </cpus>", "</cell>"]
    return "".join(f"        {line}\n" for line in lines)

"""libvirt's XML as facts. Nothing here raises for what a host said: what cannot be read is None or empty."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from hosts.xml import cpu_set, document, kib, kib_of, number
from ops.verify.model import Said

__all__ = ["Cell", "cells", "cpu_set", "free_pages", "kib", "kib_of", "mtu", "number", "sizes", "tree", "words"]

SMALL_PAGE_KIB = 64
"""Up to here pages are the ordinary ones: 4 KiB, on some ARM hosts 64."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A NUMA node of a host."""

    id: int
    memory_kib: int
    cpus: frozenset[int]
    """Those that are switched on."""
    siblings: tuple[frozenset[int], ...]
    """CPUs that share a core, for each core once."""
    sockets: frozenset[int]
    """Sockets that its CPUs are in."""
    offline: frozenset[int]
    """CPUs that are switched off: libvirt names them and nothing about them."""
    pages: Mapping[int, int]
    """Huge pages that are reserved on it: size in KiB to number."""


def tree(said: Said | None) -> ElementTree.Element | None:
    """The document of an answer; None where there is none that can be read."""
    if said is None or said.error or said.exit_code != 0:
        return None
    return document(said.output)


def cells(said: Said | None) -> tuple[Cell, ...]:
    """The NUMA nodes in a host's capabilities; hosts without NUMA have one."""
    document = tree(said)
    return tuple(_cell(cell) for cell in document.iterfind("host/topology/cells/cell")) if document is not None else ()


def _cell(cell: ElementTree.Element) -> Cell:
    named = {number(cpu.get("id")): cpu for cpu in cell.iterfind("cpus/cpu")}
    there = {cpu: about for cpu, about in named.items() if about.get("core_id") is not None or about.get("siblings") is not None}
    cores = {cpu_set(about.get("siblings")).intersection(there) | {cpu} for cpu, about in there.items()}
    pages = {kib_of(page.get("size"), page.get("unit")): number(page.text) for page in cell.iterfind("pages")}
    return Cell(
        id=number(cell.get("id")),
        memory_kib=kib(cell.find("memory")),
        cpus=frozenset(there),
        siblings=tuple(sorted((frozenset(core) for core in cores), key=min)),
        sockets=frozenset(number(about.get("socket_id")) for about in there.values()),
        offline=frozenset(named.keys() - there.keys()),
        pages={size: count for size, count in sorted(pages.items()) if size > SMALL_PAGE_KIB and count},
    )


def sizes(said: Said | None) -> dict[str, int]:
    """Numbers of an answer such as `pool-info --bytes` or `nodememstats`: name to number, whatever unit follows."""
    if said is None or said.error or said.exit_code != 0:
        return {}
    found = re.finditer(r"^\s*([A-Za-z ]+?)\s*:\s*(\d{1,18})\b", said.output, re.MULTILINE)
    return {match[1].lower(): int(match[2]) for match in found}


def words(said: Said | None) -> dict[str, str]:
    """Fields of an answer such as `pool-info`: name to text."""
    if said is None or said.error or said.exit_code != 0:
        return {}
    pairs = (line.partition(":") for line in said.output.splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def free_pages(said: Said | None) -> dict[int, dict[int, int]]:
    """`freepages --all`: NUMA node to page size in KiB to free pages."""
    found: dict[int, dict[int, int]] = {}
    cell = 0
    for line in said.output.splitlines() if said is not None and not said.error and said.exit_code == 0 else ():
        if head := re.match(r"\s*Node (\d+):", line):
            cell = int(head[1])
        elif page := re.match(r"\s*(\d+)KiB:\s*(\d+)", line):
            found.setdefault(cell, {})[int(page[1])] = int(page[2])
    return found


def mtu(said: Said | None) -> int:
    """MTU in the definition of an interface or network; 0 where it names none."""
    document = tree(said)
    element = document.find("mtu") if document is not None else None
    return number(element.get("size")) if element is not None else 0

"""Each hypervisor's cores as they are given away: a cell for each core, a letter for each of its threads."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from string import ascii_lowercase, ascii_uppercase, digits
from textwrap import wrap
from typing import Final

from rich.text import Text

from placement import CoreView, HostView, NumaView, PageView, Placement
from placement.words import cpu_list

MACHINES: Final = ascii_lowercase + digits + "αβγδεζηθικλμνξπρστυφχψω"
"""Letters of machines; tenants have capitals."""
MANY: Final = "*"
"""Letter of all that are left when letters are used up."""
HOST, SHARED, FREE, IDLE = "#", "~", ".", "_"
WIDTH: Final = 100
LABEL: Final = 16
"""Columns before a row's first core."""
COLOURS: Final = ("green", "cyan", "yellow", "bright_green", "bright_cyan", "bright_yellow")
STYLES: Final = {HOST: "dim", SHARED: "blue", FREE: "dim", IDLE: "dim"}
KEY: Final = (
    f"A cell is a core, each letter in it one of its threads; the CPUs before a row are its first core's.\n"
    f"{HOST} host and QEMU's own threads   {SHARED} shared by machines that float   {FREE} free   {IDLE} idle beside a machine that has its core alone\n"
)


def drawing(placement: Placement, *, width: int = WIDTH) -> Iterator[Text]:
    """Lines for all hypervisors, with the key first where there is a core to draw."""
    keyed = any(view.numa for view in placement.hosts)
    if keyed:
        yield from (Text(line) for line in KEY.splitlines())
    for place, view in enumerate(placement.hosts):
        if keyed or place:
            yield Text()
        yield from _host(view, [name for name in view.machines if _floats(placement, name)], width)


def _floats(placement: Placement, machine: str) -> bool:
    seat = placement.by_machine[machine]
    return bool(seat.vcpu_cpus) and not seat.cores


def _host(view: HostView, floating: Sequence[str], width: int) -> Iterator[Text]:
    host = view.host
    yield Text.assemble((host.name, "bold"), f"  {host.site}{f', rack {host.rack}' if host.rack else ''}{_size(view)}")
    if not view.numa:
        carried = f"; emulated here: {', '.join(view.machines)}" if view.machines else ""
        yield from (Text(f"  {line}") for line in wrap(f"its topology is not declared{carried}", width - 2, subsequent_indent="  "))
    letters = _letters(view)
    for numa in view.numa:
        yield from _numa(numa, letters, width)
    yield from _legend(view, letters, width)
    yield from _beside(view, floating, width)


def _size(view: HostView) -> str:
    cores = [core for numa in view.numa for core in numa.cores]
    if not cores:
        return ""
    cpus = sum(len(core.cpus) for core in cores)
    free = sum(numa.free_cores for numa in view.numa)
    return f": {counted(cpus, 'CPU')} in {counted(len(cores), 'core')}, {free} free; {counted(len(view.machines), 'machine')}"


def _numa(numa: NumaView, letters: Mapping[str, str], width: int) -> Iterator[Text]:
    parts = [f"{numa.memory_used_mib / 1024:.1f} of {numa.memory_mib / 1024:.1f} GiB", *(_pages(page) for page in numa.pages if page.total)]
    yield Text.assemble(
        (f"  NUMA node {numa.id}", "bold"), f", socket {numa.socket}: {numa.free_cores} of {len(numa.cores)} cores free; {', '.join(parts)}"
    )
    row = _row(len(numa.cores), max((width - LABEL) // (max(len(core.cpus) for core in numa.cores) + 1), 1))
    for start in range(0, len(numa.cores), row):
        cores = numa.cores[start : start + row]
        line = Text(f"    {'/'.join(map(str, cores[0].cpus))}".ljust(LABEL))
        for core in cores:
            line.append_text(_cell(core, letters))
            line.append(" ")
        line.rstrip()
        yield line


def _row(cores: int, room: int) -> int:
    """Cores of a row: rows of one length where that leaves at least eight in each."""
    even = max((count for count in range(1, min(cores, room) + 1) if cores % count == 0), default=1)
    return even if even >= min(cores, 8) else min(room, 16)


def _pages(page: PageView) -> str:
    return f"{page.used} of {page.total} pages of {page.size}"


def _cell(core: CoreView, letters: Mapping[str, str]) -> Text:
    if core.owner in ("machine", "tenant"):
        names = core.names
        # several tenants on one core share it: each thread is shown as one of theirs
        marks = [letters[names[min(place, len(names) - 1)]] if cpu in core.used else IDLE for place, cpu in enumerate(core.cpus)]
        return Text.assemble(*((mark, _style(mark)) for mark in marks))
    mark = {"host": HOST, "shared": SHARED, "free": FREE}[core.owner]
    return Text(mark * len(core.cpus), style=STYLES[mark])


def _style(mark: str) -> str:
    if mark in STYLES:
        return STYLES[mark]
    if mark in MACHINES:
        return COLOURS[MACHINES.index(mark) % len(COLOURS)]
    return "magenta"


def _letters(view: HostView) -> dict[str, str]:
    """A letter for each machine and tenant that has cores here."""
    found: dict[str, str] = {}
    for owner, alphabet in (("machine", MACHINES), ("tenant", ascii_uppercase)):
        names = dict.fromkeys(name for numa in view.numa for core in numa.cores if core.owner == owner for name in core.names)
        order = [name for name in view.machines if name in names] if owner == "machine" else sorted(names)
        found |= dict(zip_longest(order, alphabet[: len(order)], fillvalue=MANY))
    return found


def _legend(view: HostView, letters: Mapping[str, str], width: int) -> Iterator[Text]:
    tenants = {tenant.name for tenant in view.host.tenants}
    named = [(letter, f"{name} (tenant)" if name in tenants else name) for name, letter in letters.items() if letter != MANY]
    crowd = [name for name, letter in letters.items() if letter == MANY]
    entries = [*named, *([(MANY, f"{len(crowd)} more: {crowd[0]} to {crowd[-1]}")] if crowd else [])]
    line = Text("    ")
    for letter, words in entries:
        if len(line) > 4 and len(line) + len(words) + 5 > width:
            yield line
            line = Text("    ")
        line.append_text(Text.assemble("   " if len(line) > 4 else "", (letter, _style(letter)), f" {words}"))
    if len(line) > 4:
        yield line


def _beside(view: HostView, floating: Sequence[str], width: int) -> Iterator[Text]:
    """What has no core of its own: shared machines, floating tenants, memory of no NUMA node, drives."""
    host = view.host
    if host.shared:
        used = f"shared CPUs {cpu_list(host.shared)}: {view.shared_vcpus} of {counted(view.shared_limit, 'vCPU')}{', by ' if floating else ''}"
        yield from (Text(f"    {line}", style=STYLES[SHARED]) for line in wrap(used + ", ".join(floating), width - 4, subsequent_indent="  "))
    for tenant in (tenant for tenant in host.tenants if tenant.cpus is None):
        yield Text(
            f"    {tenant.name} (tenant) floats over all CPUs: {counted(tenant.vcpus, 'vCPU')}, {tenant.memory_mib / 1024:.1f} GiB", style="magenta"
        )
    if view.floating_memory_mib:
        yield Text(f"    bound to no NUMA node: {view.floating_memory_mib / 1024:.1f} GiB")
    for page in view.floating_pages:
        if page.used:
            yield Text(f"    bound to no NUMA node: {_pages(page)}")
    for each in view.drives:
        who = f"{each.machine} for {each.purpose}" if each.machine else "free"
        near = f", NUMA node {each.drive.numa}" if each.drive.numa is not None else ""
        yield Text(f"    drive {each.drive.name} ({each.drive.kind}, {each.drive.size_gib} GiB{near}): {who}")


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

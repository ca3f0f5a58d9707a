"""A placement as a page that people can read, for golden/."""

from collections.abc import Iterator

from placement import HostView, Placement
from placement.words import cpu_list, shortfall_words

MARKS = {"host": "#", "shared": "~", "tenant": "T", "free": "."}
LETTERS = "ABCDEFGHIJKLMNOPQRSUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
"""T is a tenant's."""


def page(made: Placement) -> str:
    return "\n".join([*_summary(made), "", *_hosts(made), *_seats(made), *_problems(made)]) + "\n"


def _summary(made: Placement) -> Iterator[str]:
    wanted = sum(len(each.machines) for each in made.fleet.sets)
    yield f"{len(made.seats)} of {wanted} machines on {len({seat.host for seat in made.seats})} of {len(made.fleet.hosts)} hypervisors"
    for each in made.fleet.sets:
        seats = made.seats_of(each)
        places = [
            len({host.place(level) for host in made.fleet.hosts for seat in seats if seat.host == host.name})
            for level in ("hypervisor", "rack", "site")
        ]
        shape = f"{each.policy}{' alone' if each.alone else ''}, {each.vcpus} vCPUs, {each.memory_mib // 1024} GiB{f' in {each.pages}' if each.pages else ''}"
        yield f"  {each.name}: {len(seats)} of {len(each.machines)} ({shape}) on {places[0]} hypervisors in {places[1]} racks, {places[2]} sites"


def _hosts(made: Placement) -> Iterator[str]:
    for view in made.hosts:
        yield f"{view.host.name} ({view.host.place('rack')}): {len(view.machines)} machines"
        marks = {name: LETTERS[place % len(LETTERS)] for place, name in enumerate(view.machines)}
        for numa in view.numa:
            cores = "".join(marks[core.names[0]] if core.owner == "machine" else MARKS[core.owner] for core in numa.cores)
            pages = "".join(f", {page.used} of {page.total} pages of {page.size}" for page in numa.pages)
            yield f"  node {numa.id} [{cores}] {numa.memory_used_mib // 1024} of {numa.memory_mib // 1024} GiB{pages}"
        yield from _rest(view)
    yield ""


def _rest(view: HostView) -> Iterator[str]:
    if view.host.shared:
        yield f"  shared {cpu_list(view.host.shared)}: {view.shared_vcpus} of {view.shared_limit} vCPUs"
    if view.floating_memory_mib:
        yield f"  bound to no node: {view.floating_memory_mib // 1024} GiB"
    for drive in view.drives:
        yield f"  {drive.drive.name} ({drive.drive.size_gib} GiB): {f'{drive.machine} for {drive.purpose}' if drive.machine else 'free'}"


def _seats(made: Placement) -> Iterator[str]:
    for seat in made.seats:
        node = f" node {seat.numa}" if seat.numa is not None else ""
        pins = (
            ",".join(str(cpus[0]) for cpus in seat.vcpu_cpus)
            if seat.cores
            else f"{len(seat.vcpu_cpus)} x {cpu_list(seat.vcpu_cpus[0])}"
            if seat.vcpu_cpus
            else "-"
        )
        used = "".join(f" {purpose}={name}" for purpose, name in seat.drives.items())
        yield f"{seat.machine:<12} {seat.host}{node} vCPUs on {pins} (threads {seat.threads}){used}{' recorded' if seat.recorded else ''}"


def _problems(made: Placement) -> Iterator[str]:
    for refusal in made.refusals:
        yield f"refused: {refusal.machine}{f' {refusal.part}' if refusal.part else ''} {refusal.message}"
    for shortfall in made.shortfalls:
        yield f"missing: {shortfall.set_name} {shortfall_words(shortfall)}"

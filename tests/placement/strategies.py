"""Fleets of every shape, for hypothesis."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from placement import DriveNeed, Fleet, Host, HostDrive, HostTenant, MachineSet, NumaCell, RecordedSeat
from placement.fleet import DriveKind
from tests.placement.fleets import GIB, fleet, machines

KINDS: st.SearchStrategy[DriveKind] = st.sampled_from(["nvme", "block"])


@st.composite
def cells(draw: st.DrawFn, first: int, number: int, *, pages: bool) -> NumaCell:
    cores, threads = draw(st.integers(1, 6 if pages else 9)), draw(st.sampled_from([1, 1, 2]))
    own = tuple(tuple(first + thread * cores + core for thread in range(threads)) for core in range(cores))
    sizes: Any = draw(st.fixed_dictionaries({}, optional={"2M": st.just(2048), "1G": st.integers(1, 8)})) if pages else {}
    return NumaCell(id=number, socket=number, cores=own, memory_mib=draw(st.integers(2, 8) if pages else st.integers(4, 40)) * GIB, pages=sizes)


@st.composite
def hosts(draw: st.DrawFn, number: int, *, everything: bool) -> Host:
    made: list[NumaCell] = []
    for cell in range(draw(st.integers(1, 2))):
        first = max((cpu for each in made for core in each.cores for cpu in core), default=-1) + 1
        made.append(draw(cells(first, cell, pages=everything)))
    cores = [core for each in made for core in each.cores]
    roles = [draw(st.sampled_from(["free"] * 5 + ["reserved"] + (["shared", "shared", "tenant"] if everything else []))) for _ in cores]
    by_role = {role: frozenset(cpu for core, each in zip(cores, roles, strict=True) if each == role for cpu in core) for role in {*roles, "tenant"}}
    host = Host(
        name=f"kvm{number}",
        site=f"NO/{draw(st.sampled_from('ab'))}",
        rack=draw(st.sampled_from(["r1", "r2", None])),
        numa=tuple(made),
        reserved=by_role.get("reserved", frozenset()),
        shared=by_role.get("shared", frozenset()),
    )
    return draw(_inhabited(host, by_role["tenant"])) if everything else host


@st.composite
def _inhabited(draw: st.DrawFn, host: Host, pinned: frozenset[int]) -> Host:
    if draw(st.integers(0, 9)) == 0:
        return replace(host, numa=(), reserved=frozenset(), shared=frozenset())
    tenants = [HostTenant(name="pinned", vcpus=len(pinned), cpus=pinned, memory_mib=GIB, numa=0)] if pinned else []
    if host.shared and draw(st.booleans()):
        tenants.append(HostTenant(name="beside", vcpus=1, cpus=host.shared, memory_mib=512))
    room = all(cell.memory_mib >= 2 * GIB for cell in host.numa)
    sizes = draw(st.lists(st.tuples(st.sampled_from([100, 200]), st.sampled_from([None, 0]), KINDS), max_size=3))
    drives = tuple(HostDrive(name=f"d{place}", size_gib=size, numa=numa, kind=kind) for place, (size, numa, kind) in enumerate(sizes))
    return replace(host, tenants=tuple(tenants) if room else (), drives=drives)


@st.composite
def sets(draw: st.DrawFn, name: str, count: int, names: tuple[str, ...], *, everything: bool) -> MachineSet:
    fields: dict[str, Any] = {
        "alone": draw(st.booleans()),
        "apart": draw(st.sampled_from([None] * 6 + ["hypervisor", "rack", "site"])),
        "hosts": draw(st.sampled_from([names, names, names[::-1], names[:2]])),
    }
    if everything:
        fields["policy"] = draw(st.sampled_from(["dedicated", "dedicated", "shared", "shared", "emulated"]))
        fields["overcommit"] = draw(st.sampled_from([1.0, 1.5, 3.0]))
        fields["pages"] = draw(st.sampled_from([None, None, "2M", "1G"]))
        needs = draw(st.lists(st.sampled_from(["etcd", "containerd"]), unique=True, max_size=2))
        fields["drives"] = tuple(DriveNeed(purpose=need, kind=draw(KINDS), min_size_gib=draw(st.sampled_from([50, 150]))) for need in needs)
    return machines(name, count, draw(st.integers(1, 4)), draw(st.integers(1, 6)), **fields)


@st.composite
def fleets(draw: st.DrawFn, *, most_hosts: int = 5, most_machines: int = 4, everything: bool = True) -> Fleet:
    """Up to five hypervisors and three sets; without `everything` only what `best_spread` knows."""
    there = [draw(hosts(number, everything=everything)) for number in range(1, draw(st.integers(1 if everything else 2, most_hosts)) + 1)]
    names = tuple(each.name for each in there)
    made = [draw(sets("cp", draw(st.sampled_from([1, 3] if everything else [3, 3, 3, 1])), names, everything=everything))]
    made += [draw(sets(name, draw(st.integers(0, most_machines)), names, everything=everything)) for name in ("a", "b")]
    return fleet(there, *made)


def hand_written(made: Fleet) -> st.SearchStrategy[dict[str, RecordedSeat]]:
    """Seats that somebody might record by hand, right or wrong."""
    names = [name for each in made.sets for name in each.machines]
    cpus = st.none() | st.frozensets(st.integers(0, 14), min_size=1, max_size=4)
    seats = st.builds(
        RecordedSeat,
        host=st.sampled_from([*(each.name for each in made.hosts), "kvm9"]),
        cpus=cpus,
        drives=st.dictionaries(st.sampled_from(["etcd", "containerd"]), st.sampled_from(["d0", "d1", "d9"]), max_size=2),
    )
    return st.dictionaries(st.sampled_from(names), seats, max_size=4)

"""What the planner found, in words."""

from collections.abc import Iterable, Sequence

from placement.result import Lack, LackKind, Shortfall

MOST_NAMED = 4
"""More hypervisors or machines in one sentence would hide the first."""

REMEDIES: dict[LackKind, str] = {
    "drive": "name drives under hypervisors.<name>.drives or ask for smaller ones",
    "shared": "name shared_cpus of a hypervisor",
    "topology": "name the topology (python -m ops hypervisor describe URI)",
    "apart": "leave apart out",
}
"""What to do where nothing would fit however small, by what is missing."""


def cpu_list(cpus: Iterable[int]) -> str:
    """CPUs as the kernel writes them: 2, 3, 4, 8 is `2-4,8`."""
    there = set(cpus)
    starts = sorted(cpu for cpu in there if cpu - 1 not in there)
    ends = sorted(cpu for cpu in there if cpu + 1 not in there)
    return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


def shortfall_words(shortfall: Shortfall) -> str:
    """Which machines, what is missing on which hypervisor, what would fit."""
    count = shortfall.seated + len(shortfall.machines)
    found = f"has no place for {machine_words(shortfall.machines)} ({shortfall.seated} of {count} fit)"
    return f"{found}: {lack_words(shortfall.lacks)}; {remedy_words(shortfall)}"


def machine_words(machines: Sequence[str]) -> str:
    """The machines' names, the first and the last of many."""
    if len(machines) <= 2:
        return " and ".join(machines)
    return f"{machines[0]} to {machines[-1]}" if _consecutive(machines) else f"{machines[0]} and {len(machines) - 1} more"


def lack_words(lacks: Sequence[Lack]) -> str:
    """What is missing, hypervisor by hypervisor; those that lack the same are named together."""
    missing: dict[str, list[str]] = {}
    for host in dict.fromkeys(lack.host for lack in lacks):
        missing.setdefault(" and ".join(_lack(lack) for lack in lacks if lack.host == host), []).append(host)
    if not missing:
        return "no hypervisor may carry it"
    named = [f"{_hosts(hosts)}: {words}" for words, hosts in list(missing.items())[:MOST_NAMED]]
    more = sum(len(hosts) for hosts in list(missing.values())[MOST_NAMED:])
    return f"{', '.join(named)}{f', and others on {more} more' if more else ''}"


def remedy_words(shortfall: Shortfall) -> str:
    """What would fit, and what else can be done."""
    room, missing = shortfall.room, {lack.kind for lack in shortfall.lacks}
    if room is not None:
        size = f"{_counted(room.vcpus, 'vCPU')} and {room.memory_mib} MiB"
        return f"the largest that fits has {size} (on {room.host}); make them smaller, add a hypervisor, or lower count"
    for kind, remedy in REMEDIES.items():
        if kind in missing:
            return f"{remedy}, add a hypervisor, or lower count"
    return "add a hypervisor, or lower count"


def _consecutive(machines: Sequence[str]) -> bool:
    numbers = [int(name.rpartition("-")[2]) for name in machines if name.rpartition("-")[2].isdecimal()]
    return len(numbers) == len(machines) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _hosts(hosts: Sequence[str]) -> str:
    more = len(hosts) - MOST_NAMED
    return f"{', '.join(hosts[:MOST_NAMED])} and {more} more" if more > 0 else " and ".join(filter(None, (", ".join(hosts[:-1]), hosts[-1])))


def _lack(lack: Lack) -> str:
    pages = f" in {lack.about} pages" if lack.about else ""
    match lack.kind:
        case "topology":
            return "no topology named"
        case "cores":
            return f"{_counted(lack.available, 'free core')} on one NUMA node, needed {lack.needed}"
        case "memory" | "pages":
            return f"{lack.available} MiB free{pages}, needed {lack.needed}"
        case "together":
            return f"{lack.available} MiB free{pages} on the NUMA node with cores enough, needed {lack.needed}"
        case "shared":
            return "no shared_cpus named"
        case "overcommit":
            return f"room for {_counted(lack.available, 'vCPU')} on shared_cpus, needed {lack.needed}"
        case "drive":
            return f"no free {lack.about} of {lack.needed} GiB" + (f" (the largest has {lack.available})" if lack.available else "")
        case "apart":
            return lack.about


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

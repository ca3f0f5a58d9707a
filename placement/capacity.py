"""What one hypervisor has left while machines are seated on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from placement.fleet import PAGE_MIB, Cores, DriveNeed, Host, HostDrive, MachineSet, NumaCell, PageSize
from placement.result import Lack, Room, Seat

EVERYWHERE = -1
"""Stands for the NUMA node of memory that is bound to none."""
Pool = PageSize | None
"""Where memory comes from: huge pages of a size, or the rest."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One way to stand on a hypervisor."""

    numa: int | None
    cores: Cores
    drives: Mapping[str, str]


class Capacity:
    """One hypervisor's cores, memory, pages, shared CPUs and drives; `take` and `give_back` undo each other."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._cells = {cell.id: cell for cell in host.numa}
        pinned = frozenset[int]().union(*(tenant.cpus or frozenset() for tenant in host.tenants))
        self._foreign = host.reserved | host.shared | pinned
        self._free: dict[int, list[tuple[int, ...]]] = {
            cell.id: [core for core in cell.cores if not self._foreign.intersection(core)] for cell in host.numa
        }
        self._rank = {core: rank for cell in host.numa for rank, core in enumerate(cell.cores)}
        self.used: dict[tuple[Pool, int], int] = {}
        """MiB taken, by where it comes from and NUMA node (or EVERYWHERE)."""
        self._drives = {drive.name: drive for drive in host.drives}
        self._shared: list[tuple[int, float]] = []
        for tenant in host.tenants:
            self._use(tenant.pages, EVERYWHERE if tenant.numa is None else tenant.numa, _in_pages(tenant.memory_mib, tenant.pages))
            if tenant.cpus is not None and tenant.cpus & host.shared:
                self._shared.append((tenant.vcpus, float("inf")))

    @property
    def known(self) -> bool:
        """Whether the topology was declared."""
        return bool(self._cells)

    def free_cores(self, numa: int) -> Cores:
        """Cores of a NUMA node that nobody has, lowest first."""
        return tuple(self._free[numa])

    @property
    def free_drives(self) -> Mapping[str, HostDrive]:
        """Drives that no machine has."""
        return self._drives

    @property
    def shared_vcpus(self) -> int:
        """vCPUs on the shared CPUs."""
        return sum(vcpus for vcpus, _ in self._shared)

    def shared_limit(self, overcommit: float = float("inf")) -> int:
        """Most vCPUs that the shared CPUs may carry when a set with this overcommit stands there too."""
        smallest = min([overcommit, *(limit for _, limit in self._shared)])
        return int((1.0 if smallest == float("inf") else smallest) * len(self.host.shared))

    def options(self, wanted: MachineSet, *, cores: Cores | None = None, drives: Mapping[str, str] | None = None) -> list[Option]:
        """Every way in which a machine of the set can stand here, best first: on these cores and with these drives where they are named."""
        picked = self._pick_drives(wanted.drives, None, drives)
        if picked is None or not self._shares(wanted):
            return []
        if wanted.policy != "dedicated":
            enough = not self.known or self._memory_left(wanted, None) >= wanted.memory_mib
            return [Option(numa=None, cores=(), drives=picked)] if enough else []
        found: list[tuple[int, int, int, Option]] = []
        for cell in self._cells.values():
            free = self._free[cell.id]
            own = tuple(free[: wanted.cores(len(cell.cores[0]))]) if cores is None else cores
            if len(own) < wanted.cores(len(cell.cores[0])) or not set(own) <= set(free) or self._memory_left(wanted, cell.id) < wanted.memory_mib:
                continue
            near = self._pick_drives(wanted.drives, cell.id, drives) or {}
            far = sum(self._drives[name].numa not in (None, cell.id) for name in near.values())
            found.append((far, len(free), cell.id, Option(numa=cell.id, cores=own, drives=near)))
        return [option for *_, option in sorted(found, key=lambda each: each[:3])]

    def take(self, wanted: MachineSet, option: Option) -> None:
        """Seat a machine."""
        if option.numa is not None:
            gone = set(option.cores)
            self._free[option.numa] = [core for core in self._free[option.numa] if core not in gone]
        if self.known:
            self._use(wanted.pages, EVERYWHERE if option.numa is None else option.numa, wanted.memory_mib)
        if wanted.policy == "shared":
            self._shared.append((wanted.vcpus, wanted.overcommit))
        for name in option.drives.values():
            del self._drives[name]

    def give_back(self, wanted: MachineSet, option: Option) -> None:
        """Undo `take`."""
        if option.numa is not None:
            self._free[option.numa] = sorted([*self._free[option.numa], *option.cores], key=self._rank.__getitem__)
        if self.known:
            self._use(wanted.pages, EVERYWHERE if option.numa is None else option.numa, -wanted.memory_mib)
        if wanted.policy == "shared":
            self._shared.remove((wanted.vcpus, wanted.overcommit))
        for drive in self.host.drives:
            if drive.name in option.drives.values():
                self._drives[drive.name] = drive

    def lacks(self, wanted: MachineSet) -> Iterator[Lack]:
        """What keeps a machine of the set from standing here."""
        name = self.host.name
        if wanted.policy != "emulated" and not self.known:
            yield Lack(host=name, kind="topology")
            return
        yield from self._missing_drives(wanted.drives)
        if wanted.policy == "shared" and not self.host.shared:
            yield Lack(host=name, kind="shared")
        elif not self._shares(wanted):
            yield Lack(host=name, kind="overcommit", needed=wanted.vcpus, available=max(self.shared_limit(wanted.overcommit) - self.shared_vcpus, 0))
        yield from self._missing_on_nodes(wanted)

    def room(self, wanted: MachineSet) -> Room | None:
        """The largest machine of the set's kind that fits here; None where there is not even one vCPU or 1 GiB, or something else is missing."""
        if self._pick_drives(wanted.drives, None) is None or not self.known:
            return None
        if wanted.policy == "dedicated":
            sizes = [
                (len(self._free[cell.id]) * (1 if wanted.alone else len(cell.cores[0])), self._memory_left(wanted, cell.id))
                for cell in self._cells.values()
            ]
        else:
            vcpus = max(self.shared_limit(wanted.overcommit) - self.shared_vcpus, 0) if wanted.policy == "shared" else wanted.vcpus
            sizes = [(vcpus, self._memory_left(wanted, None))]
        rooms = [Room(host=self.host.name, vcpus=vcpus, memory_mib=memory) for vcpus, memory in sizes if vcpus >= 1 and memory >= 1024]
        return max(rooms, key=lambda room: (min(room.vcpus, wanted.vcpus), min(room.memory_mib, wanted.memory_mib), room.vcpus), default=None)

    def left_after(self, wanted: MachineSet, option: Option) -> tuple[int, int, int]:
        """How much stays free where a machine would stand: cores, shared vCPUs, MiB."""
        cores = len(self._free[option.numa]) - len(option.cores) if option.numa is not None else 0
        shared = self.shared_limit(wanted.overcommit) - self.shared_vcpus if wanted.policy == "shared" else 0
        return cores, shared, self._memory_left(wanted, option.numa)

    def option_of(self, seat: Seat) -> Option:
        """The way in which a seated machine stands here."""
        return Option(numa=seat.numa, cores=seat.cores, drives=seat.drives)

    def signature(self) -> object:
        """Two hypervisors of one rack with the same signature take the same machines."""
        cells = tuple(
            (len(self._free[cell.id]), len(cell.cores[0]), cell.memory_mib, tuple(sorted(cell.pages.items()))) for cell in self._cells.values()
        )
        drives = tuple(sorted((drive.kind, drive.size_gib, str(drive.numa)) for drive in self._drives.values()))
        used = tuple(sorted(((pool or "", numa), mib) for (pool, numa), mib in self.used.items() if mib))
        return cells, drives, used, tuple(sorted(self._shared)), len(self.host.shared)

    def _use(self, pool: Pool, numa: int, mib: int) -> None:
        self.used[pool, numa] = self.used.get((pool, numa), 0) + mib

    def _shares(self, wanted: MachineSet) -> bool:
        if wanted.policy == "emulated":
            return True
        if wanted.policy == "dedicated":
            return self.known
        return bool(self.host.shared) and self.shared_vcpus + wanted.vcpus <= self.shared_limit(wanted.overcommit)

    def _memory_left(self, wanted: MachineSet, numa: int | None) -> int:
        """MiB for one more machine, bound to a NUMA node or to none: what floats may take any node's, so all together must suffice too."""
        pool = wanted.pages
        whole = sum(_memory(cell, pool) for cell in self._cells.values())
        left = whole - sum(mib for (taken, _), mib in self.used.items() if taken == pool)
        if numa is None:
            return left
        return min(left, _memory(self._cells[numa], pool) - self.used.get((pool, numa), 0))

    def _pick_drives(self, needs: tuple[DriveNeed, ...], numa: int | None, fixed: Mapping[str, str] | None = None) -> dict[str, str] | None:
        """The smallest drive that suffices for each need, the near one of equal drives; None where one is missing."""
        picked = {purpose: name for purpose, name in (fixed or {}).items() if name in self._drives}
        for need in needs:
            if need.purpose in picked:
                continue
            fitting = [
                drive
                for drive in self._drives.values()
                if drive.kind == need.kind and drive.size_gib >= need.min_size_gib and drive.name not in picked.values()
            ]
            if not fitting:
                return None
            picked[need.purpose] = min(
                fitting, key=lambda drive: (drive.size_gib, numa is not None and drive.numa not in (None, numa), drive.name)
            ).name
        return picked

    def _missing_drives(self, needs: tuple[DriveNeed, ...]) -> Iterator[Lack]:
        """Needs that no drive is left for once those before them have theirs."""
        met: tuple[DriveNeed, ...] = ()
        for need in needs:
            if self._pick_drives((*met, need), None) is not None:
                met = (*met, need)
                continue
            taken = (self._pick_drives(met, None) or {}).values()
            left = [drive.size_gib for drive in self._drives.values() if drive.kind == need.kind and drive.name not in taken]
            about = f"{need.kind} drive for {need.purpose}"
            yield Lack(host=self.host.name, kind="drive", needed=need.min_size_gib, available=max(left, default=0), about=about)

    def _missing_on_nodes(self, wanted: MachineSet) -> Iterator[Lack]:
        name, mib = self.host.name, wanted.memory_mib
        kind, about = ("pages", wanted.pages) if wanted.pages else ("memory", "")
        if wanted.policy != "dedicated":
            left = self._memory_left(wanted, None)
            if self.known and left < mib:
                yield Lack(host=name, kind=kind, needed=mib, available=max(left, 0), about=about)
            return
        memory = {cell.id: self._memory_left(wanted, cell.id) for cell in self._cells.values()}
        short = {cell.id: wanted.cores(len(cell.cores[0])) - len(self._free[cell.id]) for cell in self._cells.values()}
        if min(short.values()) > 0:
            best = min(short, key=lambda cell: (short[cell], cell))
            available = len(self._free[best])
            yield Lack(host=name, kind="cores", needed=available + short[best], available=available)
        if max(memory.values()) < mib:
            yield Lack(host=name, kind=kind, needed=mib, available=max(*memory.values(), 0), about=about)
        elif min(short.values()) <= 0 and not any(short[cell] <= 0 and memory[cell] >= mib for cell in memory):
            yield Lack(host=name, kind="together", needed=mib, available=max(memory[cell] for cell in memory if short[cell] <= 0), about=about)


def _memory(cell: NumaCell, pool: Pool) -> int:
    return cell.memory_mib if pool is None else cell.pages.get(pool, 0) * PAGE_MIB[pool]


def _in_pages(mib: int, pages: Pool) -> int:
    """Memory as whole pages."""
    page = PAGE_MIB[pages] if pages else 1
    return -(-mib // page) * page

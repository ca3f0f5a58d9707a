"""Host CPUs for vCPUs: each has one of its own."""

from settings import Environment
from settings.forms import parse_cpu_set
from settings.machine import NodeSet


class Pins:
    """Hands out the host CPUs of pinned hypervisors, lowest first.

    A set with `cpus` takes from those alone, so what the others do moves none of its pins; sets without share, in order, what is left.
    """

    def __init__(self, settings: Environment) -> None:
        self._own: dict[tuple[str, str], list[int]] = {}
        self._shared: dict[str, list[int]] = {}
        for host, hypervisor in settings.hypervisors.items():
            if hypervisor.machine_cpus is None:
                continue
            left = list(parse_cpu_set(hypervisor.machine_cpus))
            for name, node_set in settings.node_sets().items():
                if node_set.cpus is not None and host in node_set.placement:
                    own = list(parse_cpu_set(node_set.cpus))
                    self._own[name, host] = own
                    left = [cpu for cpu in left if cpu not in own]
            self._shared[host] = left

    def take(self, name: str, node_set: NodeSet, host: str) -> tuple[int, ...]:
        """Host CPUs of the next machine that this set has on a hypervisor; none where nothing is pinned."""
        free = self._own.get((name, host), self._shared.get(host))
        return () if free is None else tuple(free.pop(0) for _ in range(node_set.vcpus))

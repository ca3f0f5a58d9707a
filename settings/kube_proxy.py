"""kube-proxy: the mode that carries Services, and its knobs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from settings.base import Problem, Settings
from settings.forms import Distinct, Flag, Network, Number, Whole

Mode = Literal["ipvs", "nftables", "iptables"]
Scheduler = Literal["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh"]


@dataclass(frozen=True)
class ModeHistory:
    """When Kubernetes got a proxy mode and when it loses it, as (major, minor)."""

    since: tuple[int, int]
    deprecated: tuple[int, int] | None = None
    off_by_default: tuple[int, int] | None = None
    removed: tuple[int, int] | None = None


# KEP-5495 (ipvs), KEP-3866 (nftables: on by default since 1.31, GA 1.33, kernel 5.13 or newer: kube-proxy refuses an older one)
MODES: dict[str, ModeHistory] = {
    "ipvs": ModeHistory(since=(1, 11), deprecated=(1, 35), off_by_default=(1, 40), removed=(1, 43)),
    "nftables": ModeHistory(since=(1, 31)),
    "iptables": ModeHistory(since=(1, 2)),
}


class Ipvs(Settings):
    """IPVS: Services are virtual servers in a kernel hash table. A change restarts kube-proxy, node by node."""

    scheduler: Scheduler = "rr"
    """How the kernel picks an endpoint: rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, mh."""
    strict_arp: Flag = True
    """Answer ARP for Service addresses on no device (arp_ignore 1, arp_announce 2); load-balancer addresses need it."""
    sync_period_s: Number = Field(default=30, gt=0, le=3600)
    """Seconds between full syncs."""
    min_sync_period_s: Number = Field(default=1, ge=0, le=3600)
    """Least seconds between two syncs."""
    tcp_timeout_s: Whole = Field(default=0, ge=0, le=31_536_000)
    """Idle TCP connections, s; 0 keeps the kernel's value (900)."""
    tcp_fin_timeout_s: Whole = Field(default=0, ge=0, le=31_536_000)
    """TCP connections after a FIN, s; 0 keeps the kernel's value (120)."""
    udp_timeout_s: Whole = Field(default=0, ge=0, le=31_536_000)
    """Idle UDP flows, s; 0 keeps the kernel's value (300)."""
    exclude_cidrs: Annotated[tuple[Network, ...], Distinct] = ()
    """Virtual servers that kube-proxy leaves alone."""


class RuleSync(Settings):
    """Sync times of the rule-based modes."""

    sync_period_s: Number = Field(default=30, gt=0, le=3600)
    """Seconds between full syncs."""
    min_sync_period_s: Number = Field(default=1, ge=0, le=3600)
    """Least seconds between two syncs."""
    masquerade_all: Flag = False
    """Rewrite the source of all Service traffic: costs the client's address."""


class KubeProxy(Settings):
    """kube-proxy's mode and knobs. A change is a patch of its ConfigMap and a rolling restart, nothing else."""

    mode: Mode = "ipvs"
    """`ipvs` (lookup in constant time; deprecated upstream since 1.35), `nftables` (its successor, Linux 5.13 or newer) or `iptables`."""
    ipvs: Ipvs = Ipvs()
    """Used when mode is ipvs."""
    rules: RuleSync = RuleSync()
    """Used when mode is nftables or iptables."""
    cpu_request_millis: Whole = Field(default=100, ge=1, le=64000)
    """CPU request, thousandths of a CPU: without one a busy node starves kube-proxy."""
    memory_request_mib: Whole = Field(default=64, ge=16, le=65536)
    """Memory request, MiB."""
    max_unavailable: Whole = Field(default=1, ge=1, le=100)
    """Nodes whose kube-proxy restarts at the same time."""
    min_ready_s: Whole = Field(default=10, ge=0, le=600)
    """A restarted kube-proxy must stay healthy this long, s, before the next node's is restarted: a bad change stops at the first node."""
    verbosity: Whole = Field(default=1, ge=0, le=10)
    """Log verbosity (klog)."""

    def disagreements(self) -> Iterator[Problem]:
        """The least time between two syncs is not above the time between full ones."""
        for name, group in (("ipvs", self.ipvs), ("rules", self.rules)):
            if group.min_sync_period_s > group.sync_period_s:
                least, full = f"{group.min_sync_period_s:g}", f"{group.sync_period_s:g}"
                yield Problem(f"{name}.min_sync_period_s", f"is {least}, limit {full} ({name}.sync_period_s); lower it")

    def refusals(self, minor: tuple[int, int]) -> list[Problem]:
        """Why a Kubernetes of this version cannot run the mode."""
        history = MODES[self.mode]
        version = f"{minor[0]}.{minor[1]}"
        if minor < history.since:
            return [Problem("kube_proxy.mode", f"is {self.mode!r}, which Kubernetes {version} does not have; write mode: ipvs")]
        if history.removed and minor >= history.removed:
            return [Problem("kube_proxy.mode", f"is {self.mode!r}, which Kubernetes {version} no longer has; write mode: nftables")]
        return []

    def warnings(self, minor: tuple[int, int]) -> list[Problem]:
        """What is legal and worth knowing about the mode in a Kubernetes of this version."""
        return [*self._deprecation(minor), *self._ignored()]

    def _ignored(self) -> Iterator[Problem]:
        used, other = ("ipvs", "rules") if self.mode == "ipvs" else ("rules", "ipvs")
        if other in self.model_fields_set:
            yield Problem(f"kube_proxy.{other}", f"is ignored in mode {self.mode}; remove it, or set kube_proxy.{used} instead")

    def _deprecation(self, minor: tuple[int, int]) -> list[Problem]:
        history = MODES[self.mode]
        if not history.deprecated or minor < history.deprecated:
            return []
        removed = f"{history.removed[0]}.{history.removed[1]}" if history.removed else "a later version"
        gate = ", off by default here: underlay turns its feature gate on" if needs_gate(self.mode, minor) else ""
        return [Problem("kube_proxy.mode", f"{self.mode} is deprecated by Kubernetes{gate}; it goes with {removed}: plan the move to mode: nftables")]


def needs_gate(mode: str, minor: tuple[int, int]) -> bool:
    """Whether this Kubernetes runs the mode only with its feature gate turned on."""
    off = MODES[mode].off_by_default
    return off is not None and minor >= off

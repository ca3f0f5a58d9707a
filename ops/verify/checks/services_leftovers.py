"""Nothing of another mode is left in the kernel: it would answer for Services that nobody keeps up to date."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Seen, missing
from ops.verify.reading.addresses import DUMMY, has_dummy
from ops.verify.reading.answers import Sections, Verdict, each_node
from ops.verify.reading.scripts import SERVICE_TABLES
from ops.verify.reading.tables import ipvs
from plan import NodePlan

CHECK = "services.leftovers"
IPTABLES_CHAINS = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-FW-")
IPVS_CHAINS = ("KUBE-LOAD-BALANCER", "KUBE-NODE-PORT")
NFT_TABLE = "kube-proxy"
PARTS = {"ipvs": ("chains", "tables"), "nftables": ("servers", "addresses", "sets", "chains"), "iptables": ("servers", "addresses", "sets", "tables")}
"""Parts of the answer in which each mode looks for the others."""


def _leftovers(seen: Seen) -> Iterator[Finding]:
    mode = seen.plan.settings.kube_proxy.mode

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        gone = [part for part in PARTS[mode] if said.text(part) is None]
        verdict = Verdict(
            check=CHECK,
            where=node.name,
            declared=f"Services by {mode} alone",
            remedy=f"on {node.name}: run `kube-proxy --cleanup` from its image, or restart the node; then kube-proxy writes {mode}'s own again",
        )
        if gone:
            yield missing(CHECK, node.name, "; ".join(said.why(part) for part in gone))
        else:
            yield verdict.of(list(_found(mode, said)), f"nothing of {' or '.join(other for other in PARTS if other != mode)}")

    yield from each_node(CHECK, SERVICE_TABLES, judge, seen)


def _found(mode: str, said: Sections) -> Iterator[str]:
    chains = [line[1:].split()[0] for line in (said.text("chains") or "").splitlines() if line.startswith(":KUBE-")]
    if mode != "iptables" and (left := sorted(chain for chain in chains if chain.startswith(IPTABLES_CHAINS))):
        yield f"iptables mode's chains in table nat: {_first(left)}"
    if mode != "nftables":
        tables = [line.split()[1:] for line in (said.text("tables") or "").splitlines() if line.startswith("table ")]
        yield from (f"nftables mode's table {' '.join(words)}" for words in tables if words[1:] == [NFT_TABLE])
    if mode == "ipvs":
        return
    if left := sorted(str(key) for key in ipvs(said.text("servers") or "") or {}):
        yield f"virtual servers of IPVS: {_first(left)}"
    if has_dummy(said.text("addresses") or ""):
        yield f"IPVS mode's device {DUMMY} with addresses"
    if left := sorted(line for line in (said.text("sets") or "").split() if line.startswith("KUBE-")):
        yield f"IPVS mode's sets: {_first(left)}"
    if left := sorted(chain for chain in chains if chain in IPVS_CHAINS):
        yield f"IPVS mode's chains in table nat: {_first(left)}"


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="services",
        title="The kernel has nothing of another proxy mode",
        severity="error",
        judge=_leftovers,
        probes=(SERVICE_TABLES,),
    ),
)

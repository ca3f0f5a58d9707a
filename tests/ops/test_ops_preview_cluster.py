"""What a summary says of the cluster: kube-proxy, BGP, pools, ingress, keys, and of what nobody knows."""

from typing import Any

import pytest

from ops.preview.document import read
from ops.preview.effects import Severity
from ops.preview.summary import summarise
from tests.ops import made_previews as made
from tests.ops.made_previews import Step

V3 = "kubernetes:projectcalico.org/v3:"


def told(*steps: Step) -> tuple[list[str], Severity]:
    summary = summarise(read(made.document(steps)), None)
    return [f"{line.section.value} | {line.subjects}: {line.text}" for line in summary.lines], summary.severity


def test_a_scheduler_is_a_restart_of_kube_proxy_and_of_nothing_else() -> None:
    old, new = made.plan(), made.plan(kube_proxy={"ipvs": {"scheduler": "lc"}, "max_unavailable": 2, "min_ready_s": 5})
    summary = summarise(read(made.document(made.proxied(old, new))), new)
    assert [f"{line.subjects}: {line.text}" for line in summary.lines] == [
        "kube-proxy: scheduler rr → lc",
        "kube-proxy: restarts on all 3 nodes, 2 at a time, each healthy for 5 s before the next; machines and pods stay",
    ]
    assert {line.section.value for line in summary.lines} == {"Data plane"}
    assert summary.severity is Severity.RESTARTS


def test_a_mode_says_so_once_and_not_each_of_its_fields() -> None:
    found, severity = told(*made.proxied(made.plan(), made.plan(kube_proxy={"mode": "nftables"})))
    assert [line.partition(":")[0] for line in found] == ["Data plane | kube-proxy"] * 2
    assert "mode ipvs → nftables: every node's Services move to another table of the kernel" in found[0]
    assert severity is Severity.RESTARTS


def v3(op: str, kind: str, name: str, before: Any = None, after: Any = None) -> Step:
    sides = [None if spec is None else {"metadata": {"name": name}, "spec": spec} for spec in (before, after)]
    return made.step(op, made.CALICO, f"{V3}{kind}", f"oslo-calico-{kind.lower()}-{name}", *sides, owner="oslo-calico")


TOR = {"peerIP": "10.20.0.231", "asNumber": 64601, "nodeSelector": "zone == 'osl1'"}
SESSIONS: dict[str, tuple[Step, str, Severity]] = {
    "added": (
        v3("create", "BGPPeer", "tor", None, TOR),
        "BGP tor: sessions added: with 10.20.0.231 (AS 64601) from nodes zone == 'osl1'",
        Severity.IN_PLACE,
    ),
    "lost": (
        v3("delete", "BGPPeer", "tor", TOR),
        "BGP tor: sessions lost: with 10.20.0.231 (AS 64601) from nodes zone == 'osl1'",
        Severity.RESTARTS,
    ),
    "another AS": (
        v3("update", "BGPPeer", "tor", TOR, {**TOR, "asNumber": 64602}),
        "BGP tor: AS 64601 → 64602; its sessions restart",
        Severity.RESTARTS,
    ),
    "another filter": (
        v3("update", "BGPPeer", "tor", TOR, {**TOR, "filters": ["a"]}),
        "BGP tor: filters none → a; its sessions stay",
        Severity.IN_PLACE,
    ),
    "no mesh": (
        v3("update", "BGPConfigurationPatch", "default", {"nodeToNodeMeshEnabled": True}, {"nodeToNodeMeshEnabled": False}),
        "BGP mesh: full mesh goes: sessions between all nodes are lost, declared peers stay",
        Severity.RESTARTS,
    ),
    "a range": (
        v3("update", "BGPConfigurationPatch", "default", {"serviceLoadBalancerIPs": []}, {"serviceLoadBalancerIPs": [{"cidr": "10.1.0.0/24"}]}),
        "BGP: announced load balancers' ranges: none → cidr 10.1.0.0/24",
        Severity.IN_PLACE,
    ),
    "encapsulation": (
        v3("update", "IPPoolPatch", "default-ipv4-ippool", {"vxlanMode": "Never"}, {"vxlanMode": "Always"}),
        "pool default-ipv4-ippool: encapsulation VXLAN Never → Always: all packets between nodes of this pool change their form",
        Severity.RESTARTS,
    ),
    "a pool that goes": (
        v3("delete", "IPPool", "pods-10-1", {"cidr": "10.1.0.0/16"}),
        "pool pods-10-1: 10.1.0.0/16 removed: what still has an address of it loses its route",
        Severity.REPLACEMENTS,
    ),
    "WireGuard": (
        v3("update", "FelixConfigurationPatch", "default", {"wireguardEnabled": False}, {"wireguardEnabled": True}),
        "Felix: wireguardEnabled false → true: Felix restarts by itself on every node",
        Severity.RESTARTS,
    ),
}


@pytest.mark.parametrize("case", SESSIONS)
def test_what_happens_to_routes_is_data_plane(case: str) -> None:
    step, expected, severity = SESSIONS[case]
    assert told(step) == ([f"Data plane | {expected}"], severity)


def workload(owner: str, name: str, *images: str) -> Step:
    sides = [{"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [{"image": image}]}}}} for image in images]
    component = owner.rpartition(":")[2].lower()
    return made.step("update", owner, "kubernetes:apps/v1:DaemonSet", f"oslo-{component}-daemonset-{name}", *sides, owner=f"oslo-{component}")


def test_a_new_version_of_calico_restarts_calico_node() -> None:
    found, severity = told(workload(made.CALICO, "calico-node", "quay.io/calico/node:v3.31.7", "quay.io/calico/node:v3.32.1@sha256:0123"))
    assert found == ["Data plane | pods' network: v3.31.7 → v3.32.1: calico-node restarts on every node, 1 at a time"]
    assert severity is Severity.RESTARTS


def test_a_buffer_of_the_ingress_is_a_reload() -> None:
    sides = [{"data": {"proxy-buffer-size": size}} for size in ("8k", "16k")]
    found, severity = told(
        made.step("update", made.INGRESS, "kubernetes:core/v1:ConfigMap", "oslo-ingress-configmap-c", *sides, owner="oslo-ingress")
    )
    assert found == ["Cluster | ingress: proxy-buffer-size 8k → 16k: NGINX reloads, no pod restarts"]
    assert severity is Severity.IN_PLACE


def test_a_new_controller_restarts_its_pods() -> None:
    found, severity = told(workload(made.INGRESS, "controller", "c:v1", "c:v2"))
    assert found == ["Cluster | ingress: version v1 → v2: the controller's pods restart, one after the other"]
    assert severity is Severity.RESTARTS


def key(name: str, kind: str, chain: str = made.AUTHORITIES) -> Step:
    return made.step("replace", chain, kind, name, {"a": 1}, {"a": 2}, owner="oslo-authorities", old_protect=False)


def test_a_renewed_kubeconfig_touches_no_node_and_a_new_authority_all() -> None:
    assert told(key("oslo-admin-certificate", "tls:index/locallySignedCert:LocallySignedCert"))[1] is Severity.IN_PLACE
    chain = f"{made.AUTHORITIES}$underlay:authorities:Authority"
    found, severity = told(key("oslo-cluster-ca-key", "tls:index/privateKey:PrivateKey", chain))
    assert "every node is cut off from the cluster" in found[0]
    assert severity is Severity.REPLACEMENTS


@pytest.mark.parametrize(
    ("op", "severity"),
    [("create", Severity.IN_PLACE), ("update", Severity.IN_PLACE), ("replace", Severity.REPLACEMENTS), ("delete", Severity.REPLACEMENTS)],
)
def test_what_nobody_knows_is_said_to_be_unknown(op: str, severity: Severity) -> None:
    sides: tuple[Any, Any] = ({"size": 1} if op != "create" else None, {"size": 2} if op != "delete" else None)
    found, worst = told(made.step(op, "", "aws:s3/bucket:Bucket", "logs", *sides))
    assert found[0].startswith("Other resources | logs: aws:s3/bucket:Bucket is ")
    assert found[0].endswith("what that means for what runs is not known here: see the diff")
    assert worst is severity


def test_an_object_that_stays_is_no_loss() -> None:
    kind, name = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "oslo-calico-customresourcedefinition-a"
    steps = [
        made.step("delete", made.CALICO, kind, name, {"metadata": {"name": "a"}}, owner="oslo-calico", old_retainOnDelete=stays)
        for stays in (True, False)
    ]
    assert [told(step)[1] for step in steps] == [Severity.IN_PLACE, Severity.REPLACEMENTS]

"""A real kube-proxy beside a real API server, judged by the checks on what the scripts really print, and broken (test machines have no IPVS)."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image.parts import ensure_binaries
from ops.verify.model import Said, Seen
from ops.verify.reading.carried import API_PATHS
from ops.verify.reading.kube_proxy import CONFIG_MAP
from ops.verify.registry import checks
from plan import Plan
from render import kube_proxy
from tests.ops.verify.made_seen import findings, found, named, statuses

# what is there names its neighbours as pytest has them on the path
sys.path.insert(0, str(Path(__file__).parents[2] / "render"))
from tests.render.native_control_plane import ControlPlanes, Node, until
from tests.render.render_plans import native_plan

pytestmark = pytest.mark.engine
IDS = (
    "services.mode",
    "services.configuration",
    "services.tables",
    "services.leftovers",
    "services.sync",
    "services.api-answers",
    "conntrack.kube-proxy",
)
CHECKS = {name: named(name, checks()) for name in IDS}
WEB = ("10.32.0.5", "10.32.1.6")
BREAKAGE = {
    "nftables": (
        ("services.tables", "nft 'add element ip kube-proxy service-ips { 10.96.255.9 . tcp . 80 : goto reject-chain }'", "is in the kernel"),
        ("services.leftovers", "iptables -t nat -N KUBE-SVC-SABOTAGE", "KUBE-SVC-SABOTAGE"),
    ),
    "iptables": (
        (
            "services.tables",
            "iptables -t nat -N KUBE-EXT-SABOTAGE; iptables -t nat -A KUBE-SERVICES -d 10.96.255.9/32 -p tcp --dport 80 -j KUBE-EXT-SABOTAGE",
            "is in the kernel",
        ),
        ("services.leftovers", "nft add table ip kube-proxy", "nftables mode's table ip kube-proxy"),
    ),
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A control plane with its API server, its Node object and some Services."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces and root folders need root")
    programs = ensure_binaries(print)
    made = ControlPlanes(native_plan(), tmp_path_factory.mktemp("proxied"), lambda name: str(programs / name))
    try:
        first = made.certificates(1)
        first.start_etcd()
        first.hold_endpoint()
        first.start_api_server()
        first.admit_administrators()
        first.sandbox.write("var/lib/kube-proxy/kubeconfig.conf", first.sandbox.read("etc/kubernetes/admin.conf"))
        # neither is on a test machine, and in these modes there is nothing for them to say
        first.sandbox.program("ipset", "#!/bin/bash\n")
        first.run("ip", "route", "add", "default", "dev", "eth0")
        fill(first)
        yield first
    finally:
        made.close()


def create(node: Node, kind: str, name: str, **fields: Any) -> None:
    versions = {"EndpointSlice": "discovery.k8s.io/v1"}
    metadata = {"name": name, "labels": fields.pop("labels", {})}
    document = {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": metadata, **fields}
    node.kubectl("create", "--filename=/tmp/document", document=document)


def fill(node: Node) -> None:
    """A node, and Services of each kind."""
    name = node.node.name
    create(node, "Node", name, labels=dict(node.node.labels))
    status = {"addresses": [{"type": "InternalIP", "address": str(node.node.address)}]}
    node.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))
    ports = [{"name": "http", "port": 80}]
    specs: dict[str, dict[str, Any]] = {
        "web": {"type": "LoadBalancer", "externalIPs": ["10.99.0.7"]},
        "sticky": {"sessionAffinity": "ClientIP"},
        "empty": {},
        "outer": {"type": "NodePort", "externalTrafficPolicy": "Local"},
        "inner": {"internalTrafficPolicy": "Local"},
    }
    for service, spec in specs.items():
        create(node, "Service", service, spec={"ports": ports, **spec})
        if service != "empty":
            endpoints: list[dict[str, Any]] = [{"addresses": ["10.32.1.7"], "conditions": {"ready": False}}]
            endpoints += [{"addresses": [address], "nodeName": name if place == 0 else "oslo-web-1"} for place, address in enumerate(WEB)]
            slices = {"addressType": "IPv4", "ports": [{"name": "http", "port": 8080}], "endpoints": endpoints}
            create(node, "EndpointSlice", f"{service}-x", labels={"kubernetes.io/service-name": service}, **slices)
    balanced = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": "10.98.0.1"}]}}})
    node.kubectl("patch", "service", "web", "--subresource=status", "--type=merge", "--patch", balanced)


def look(node: Node, plan: Plan) -> Seen:
    """What verify would see of this one node."""
    probes = {probe.key: probe for check in CHECKS.values() for probe in check.probes}
    said: dict[str, Said] = {}
    for key, probe in probes.items():
        # nobody is behind cluster DNS here: it is not waited for
        script = probe.script(plan, node.node).replace("timeout 4 dd", "timeout 0.1 dd")
        done = node.sandbox.run_program("/bin/bash", "-c", script)
        said[key] = Said(output=done.out, exit_code=done.code)
    api: dict[str, Any] = {path: json.loads(node.kubectl("get", "--raw", path)) for path in API_PATHS}
    api[CONFIG_MAP] = {"data": kube_proxy.config_map_data(plan)}
    return Seen(plan=replace(plan, nodes=(node.node,)), nodes={node.node.name: said}, api=api, api_errors={})


def wrong(node: Node, plan: Plan) -> dict[str, str]:
    """What does not pass, and why."""
    seen = look(node, plan)
    return {name: finding.found for name, check in CHECKS.items() for finding in findings(check, seen).values() if finding.status != "passed"}


def all_pass(node: Node, plan: Plan) -> bool:
    """DNS has nobody behind it here and is not among them."""
    return not wrong(node, plan)


def _breaks(node: Node, plan: Plan, command: str) -> set[str]:
    node.sandbox.run_program("/bin/bash", "-c", command)
    return set(wrong(node, plan))


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_what_a_real_kube_proxy_made_passes_and_each_thing_broken_is_named(node: Node, mode: str) -> None:
    plan = native_plan(kube_proxy__mode=mode)
    name = node.node.name
    node.sandbox.write("var/lib/kube-proxy/config.conf", kube_proxy.config(plan))
    assert "kube-proxy does not say its mode" in wrong(node, plan)["services.mode"]
    node.start("kube-proxy", "kube-proxy", "--config=/var/lib/kube-proxy/config.conf", f"--hostname-override={name}")
    try:
        until("everything passes", lambda: all_pass(node, plan), 90)
        other = native_plan(kube_proxy__mode=mode, kube_proxy__rules={"sync_period_s": 60})
        assert set(wrong(node, other)) == {"services.configuration"}
        expected: set[str] = set()
        for check, command, says in BREAKAGE[mode]:
            expected.add(check)
            # the next periodic sync may mend it before it is looked at
            until(f"{check} and no other names it", lambda command=command: _breaks(node, plan, command) == expected, 60)
            assert says in wrong(node, plan)[check]
    finally:
        node.stop("kube-proxy")


def test_an_endpoint_that_is_not_ready_any_more_and_a_kube_proxy_that_sleeps_is_named(node: Node) -> None:
    plan = native_plan(kube_proxy__mode="nftables")
    name = node.node.name
    node.run("/bin/bash", "-c", "iptables -t nat -F; iptables -t nat -X; nft delete table ip kube-proxy || true")
    node.sandbox.write("var/lib/kube-proxy/config.conf", kube_proxy.config(plan))
    node.start("kube-proxy", "kube-proxy", "--config=/var/lib/kube-proxy/config.conf", f"--hostname-override={name}")
    until("everything passes", lambda: all_pass(node, plan), 90)
    node.stop("kube-proxy")
    change = json.dumps([{"op": "add", "path": "/endpoints/2/conditions", "value": {"ready": False}}])
    node.kubectl("patch", "endpointslice", "sticky-x", "--type=json", "--patch", change)
    seen = look(node, plan)
    assert found(CHECKS["services.tables"], seen, name).endswith("(default/sticky:http) sends to 10.32.1.6:8080, which is no ready endpoint")
    assert statuses(CHECKS["services.leftovers"], seen) == {name: "passed"}
    assert statuses(CHECKS["services.api-answers"], seen) == {name: "passed"}, "the kernel goes on without kube-proxy"

"""A real kube-proxy with the rendered configuration, and the script `ready` that watches it (nftables and iptables: test machines have no IPVS)."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from native_control_plane import Node, until
from render_plans import native_plan

from plan import Plan
from render import kube_proxy, scripts

pytestmark = pytest.mark.engine
CONNTRACK = Path("/proc/sys/net/netfilter")


@pytest.fixture
def proxied(first: Node) -> Iterator[Node]:
    """The control plane with its Node object, and kubelet's credentials on it."""
    name = first.node.name
    document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {}}
    first.kubectl("create", "--filename=/tmp/document", document=document)
    addresses = f'[{{"type":"InternalIP","address":"{first.node.address}"}}]'
    status = f'{{"status":{{"addresses":{addresses},"conditions":[{{"type":"Ready","status":"True","reason":"KubeletReady","message":"ready"}}]}}}}'
    first.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "--patch", status)
    user = ("kubeconfig", "user", "--config", "/etc/underlay/kubeadm.yaml", "--client-name", f"system:node:{name}", "--org", "system:nodes")
    kubelet = first.run("kubeadm", *user)
    first.sandbox.write("etc/kubernetes/kubelet.conf", kubelet)
    who = yaml.safe_load(kubelet)["users"][0]["user"]
    keys = "".join(base64.b64decode(who[f"client-{part}-data"]).decode() for part in ("certificate", "key"))
    first.sandbox.write("var/lib/kubelet/pki/kubelet-client-current.pem", keys)
    first.sandbox.write("var/lib/kube-proxy/kubeconfig.conf", first.sandbox.read("etc/kubernetes/admin.conf"))
    yield first
    if "kube-proxy" in first.processes:
        first.stop("kube-proxy")
    first.kubectl("delete", "node", name)


def start(node: Node, plan: Plan) -> None:
    node.sandbox.write("var/lib/kube-proxy/config.conf", kube_proxy.config(plan))
    node.start("kube-proxy", "kube-proxy", "--config=/var/lib/kube-proxy/config.conf", f"--hostname-override={node.node.name}")


def conntrack() -> dict[str, str]:
    names = ("nf_conntrack_max", "nf_conntrack_tcp_timeout_established", "nf_conntrack_tcp_timeout_close_wait", "nf_conntrack_udp_timeout")
    return {name: (CONNTRACK / name).read_text() for name in names if (CONNTRACK / name).exists()}


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_ready_ends_when_the_service_is_in_the_kernel_and_not_before(proxied: Node, mode: str) -> None:
    plan = native_plan(kube_proxy__mode=mode)
    script = scripts.ready(plan, plan.nodes[0])
    hurried = script.replace("SECONDS < 600", "SECONDS < 0")
    before = proxied.sandbox.run(hurried)
    assert before.code == 1
    assert f"kube-proxy reports the mode 'none', wanted {mode}" in before.err
    assert "10.96.0.1:443" in before.err
    assert "the Node object" not in before.err
    numbers = conntrack()
    assert "nf_conntrack_max" in numbers
    start(proxied, plan)
    run = proxied.sandbox.run(script, timeout=90)
    assert run.code == 0, run.err + proxied.log("kube-proxy")
    assert f"Ready, kube-proxy in {mode} mode" in run.out
    assert conntrack() == numbers, "kube-proxy touched what the node owns"
    assert "lenient" not in proxied.log("kube-proxy")


def test_ready_is_not_content_with_another_mode(proxied: Node) -> None:
    start(proxied, native_plan(kube_proxy__mode="iptables"))
    until("kube-proxy says its mode", lambda: proxied.curl("http://127.0.0.1:10249/proxyMode").stdout == "iptables", 60)
    plan = native_plan(kube_proxy__mode="nftables")
    run = proxied.sandbox.run(scripts.ready(plan, plan.nodes[0]).replace("SECONDS < 600", "SECONDS < 0"))
    assert run.code == 1
    assert "kube-proxy reports the mode 'iptables', wanted nftables" in run.err


def test_a_kernel_without_ipvs_ends_kube_proxy_instead_of_another_mode(proxied: Node) -> None:
    if Path("/proc/net/ip_vs").exists():
        pytest.skip("this machine's kernel has IPVS")
    start(proxied, native_plan())
    process = proxied.processes["kube-proxy"]
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        pytest.fail(f"it still runs: {proxied.log('kube-proxy')}")
    assert process.returncode != 0
    assert "can't use the IPVS proxier" in proxied.log("kube-proxy")

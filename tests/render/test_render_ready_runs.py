"""The script `ready`, really run: it ends well only when the kernel carries the Service, and else says what was missing."""

import json

import pytest
from node_sandbox import Run, Sandbox
from render_plans import full, node

from render import scripts

IPVS, NFTABLES, IPTABLES = (full(kube_proxy__mode=mode) for mode in ("ipvs", "nftables", "iptables"))
NODE = "fake/curl/10.20.0.10:6443_api_v1_nodes_oslo-web-1"
MODE = "fake/curl/127.0.0.1:10249_proxyMode"
TABLE = """IP Virtual Server version 1.2.1 (size=262144)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A60000A:0035 wlc
TCP  0A600001:01BB wlc
  -> 0A14000B:192B      Masq    1      3          0
"""
RULES = """-N KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
"""


def node_object(status: str, reason: str = "KubeletNotReady", message: str = "cni plugin not initialized") -> str:
    return json.dumps(
        {
            "status": {
                "conditions": [
                    {"type": "MemoryPressure", "status": "False"},
                    {"type": "Ready", "status": status, "reason": reason, "message": message},
                ]
            }
        }
    )


@pytest.fixture
def ready_node(sandbox: Sandbox) -> Sandbox:
    sandbox.write("etc/kubernetes/kubelet.conf", "clusters:\n- cluster:\n    server: https://10.20.0.10:6443\n  name: x\n")
    sandbox.write("var/lib/kubelet/pki/kubelet-client-current.pem", "PEM\n")
    sandbox.write(NODE, node_object("True", "KubeletReady", "kubelet is posting ready status"))
    sandbox.write(MODE, "ipvs")
    sandbox.write("proc/net/ip_vs", TABLE)
    sandbox.write("var/log/pods/kube-system_kube-proxy-abc_uid/kube-proxy/0.log", "".join(f"proxy line {number}\n" for number in range(40)))
    return sandbox


def run(sandbox: Sandbox, plan: object = IPVS) -> Run:
    script = scripts.ready(plan, node(plan, "web-1"))  # pyright: ignore[reportArgumentType]
    hurried = script.replace("SECONDS < 600", "SECONDS < 0")
    assert hurried != script
    return sandbox.run(hurried)


def test_a_ready_node_says_so_in_one_line(ready_node: Sandbox) -> None:
    done = run(ready_node)
    assert done.code == 0, done.err
    assert done.out.startswith("underlay: oslo-web-1: Ready, kube-proxy in ipvs mode, ")
    assert len(done.out.splitlines()) == 1


def test_it_asks_as_kubelet_with_its_certificate(ready_node: Sandbox) -> None:
    call = next(call for call in run(ready_node).calls if "/api/v1/nodes/" in call)
    assert "--cert /var/lib/kubelet/pki/kubelet-client-current.pem" in call
    assert "--cacert /etc/kubernetes/pki/ca.crt" in call
    assert " -k" not in call


@pytest.mark.parametrize(
    ("path", "text", "missing"),
    [
        ("etc/kubernetes/kubelet.conf", "", "kubelet has no certificate yet"),
        (NODE, None, "the API does not give the Node object: curl: (7) Failed to connect"),
        (NODE, node_object("False"), "the Node object is not Ready (KubeletNotReady: cni plugin not initialized)"),
        (NODE, '{"status": {}}', "the Node object is not Ready"),
        (NODE, "<html>", "the API's answer is no Node object"),
        (MODE, None, "kube-proxy reports the mode 'none', wanted ipvs"),
        (MODE, "iptables", "kube-proxy reports the mode 'iptables', wanted ipvs"),
        ("proc/net/ip_vs", TABLE.replace("0A600001:01BB", "0A600002:01BB"), "no virtual server with an endpoint for 10.96.0.1:443"),
        ("proc/net/ip_vs", TABLE[: TABLE.rindex("  ->")], "no virtual server with an endpoint for 10.96.0.1:443"),
        (
            "proc/net/ip_vs",
            TABLE[: TABLE.rindex("  ->")] + "TCP  0A600009:0050 rr\n  -> 0A14000B:192B Masq 1 3 0\n",
            "no virtual server with an endpoint",
        ),
        ("proc/net/ip_vs", None, "no virtual server with an endpoint for 10.96.0.1:443"),
    ],
)
def test_what_is_missing_is_named(ready_node: Sandbox, path: str, text: str | None, missing: str) -> None:
    if text is None:
        (ready_node.root / path).unlink()
    else:
        ready_node.write(path, text)
    done = run(ready_node)
    assert done.code == 1
    assert "not ready after 600 s (cluster.timeouts.ready_s): " in done.err
    assert missing in done.err
    assert "proxy line 20\n" in done.err
    assert "proxy line 19\n" not in done.err
    assert done.err.count("journal line") == 20


def test_nftables_is_asked_for_the_service_itself(ready_node: Sandbox) -> None:
    ready_node.write(MODE, "nftables")
    assert "nftables' map kube-proxy/service-ips has no 10.96.0.1:443" in run(ready_node, NFTABLES).err
    ready_node.write("fake/nft", "")
    done = run(ready_node, NFTABLES)
    assert done.code == 0, done.err
    assert "nft get element ip kube-proxy service-ips { 10.96.0.1 . tcp . 443 }" in done.calls


def test_iptables_has_the_services_chain(ready_node: Sandbox) -> None:
    ready_node.write(MODE, "iptables")
    ready_node.write("fake/iptables", RULES.replace("10.96.0.1/", "10.96.0.2/"))
    assert "iptables' chain KUBE-SERVICES has no rule for 10.96.0.1:443" in run(ready_node, IPTABLES).err
    ready_node.write("fake/iptables", RULES)
    assert run(ready_node, IPTABLES).code == 0


def test_the_scheduler_is_no_part_of_it() -> None:
    other = full(kube_proxy__ipvs={"scheduler": "lc"})
    assert scripts.ready(other, other.nodes[0]) == scripts.ready(IPVS, IPVS.nodes[0])

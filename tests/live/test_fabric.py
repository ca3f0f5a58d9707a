"""Pure layer-3 between pods on a running lab: who tells whom which block, what is on the wire, and what failures and changes cost."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from environment import Live, Probe, pod_namespace

from lab.fabric import daemons, namespace
from lab.places import Lab
from lab.process import attempt, in_namespace, run

pytestmark = pytest.mark.fabric

LAB = Lab(name="fabric")
NODES = {"lab-cp-1": "10.77.0.11", "lab-worker-1": "10.77.0.21"}
BLOCKS = {"192.168.11.0/24": "10.77.0.11", "192.168.21.0/24": "10.77.0.21"}
ROUTER = "10.77.0.2"
BGP = "pod_network.bgp"
REFLECTORS = "{one: {cluster_id: 10.77.0.250, nodes: {underlay.dev/pool: cp}}}"
TUNNELS = {"ipip", "sit", "gre", "gretap", "vxlan", "geneve", "wireguard", "tun", "ip6tnl", "ip6gre", "vti"}


def wait_until(holds: Callable[[], bool], what: str, within_s: float = 180) -> float:
    """Seconds until it holds."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < within_s, f"not after {within_s:.0f} s: {what}"
        time.sleep(0.2)
    return time.monotonic() - start


def sessions(fabric: Live) -> list[list[str]]:
    """The summary's BGP lines, in words: speaker, peer, AS, state, since, routes in and out."""
    lines = fabric.run("status").splitlines()
    begin = next(index for index, line in enumerate(lines) if line.startswith("BGP speaker"))
    return [words for line in lines[begin + 1 :] if len(words := line.split()) == 7 and words[2].isdigit()]


def down(fabric: Live) -> list[str]:
    """The summary's sentences on sessions that are down."""
    whole = re.sub(r"\n {2}(?=\S)", " ", fabric.run("status"))
    return [line for line in whole.splitlines() if " is down: " in line]


def in_router(*words: str) -> str:
    return run(in_namespace(namespace.name(LAB, "tor"), words))


def blocks_in_router() -> dict[str, set[str]]:
    """Next hops of each pod block in the router's kernel."""
    found: dict[str, set[str]] = {}
    for line in in_router("ip", "-4", "-o", "route").replace("\\", " ").splitlines():
        words = line.split()
        if words[0].startswith("192.168."):
            found[words[0]] = {words[index + 1] for index, word in enumerate(words) if word == "via"}
    return found


def owners_in_bird() -> dict[str, set[str]]:
    """The session that each pod block came by, all routes of BIRD's table."""
    found: dict[str, set[str]] = {}
    prefix = ""
    for line in daemons.ask(LAB, "tor", "show route").splitlines():
        if entry := re.search(r"^(\S*)\s+unicast \[(\S+) ", line):
            prefix = entry[1] or prefix
            found.setdefault(prefix, set()).add(entry[2].strip("'"))
    return {prefix: nodes for prefix, nodes in found.items() if prefix.startswith("192.168.")}


def owners_in_frr() -> dict[str, set[str]]:
    """The address of the peer that each pod block came from, all paths of FRR's table."""
    routes = json.loads(daemons.ask(LAB, "tor", "show bgp ipv4 unicast json"))["routes"]
    return {prefix: {path["peerId"] for path in paths} for prefix, paths in routes.items() if prefix.startswith("192.168.")}


def test_up_ends_with_every_session_established(fabric: Live) -> None:
    fabric.up("`up` with a BIRD router")
    assert down(fabric) == []
    ends = {(words[0], words[1]): words[3] for words in sessions(fabric)}
    pairs = [("lab-cp-1", "lab-worker-1"), ("lab-cp-1", "tor"), ("lab-worker-1", "tor")]
    assert ends == dict.fromkeys([*pairs, *((peer, speaker) for speaker, peer in pairs)], "Established")


def test_the_router_has_each_block_from_its_node_and_from_no_other(fabric: Live) -> None:
    assert fabric.nodes() == dict.fromkeys(NODES, True)
    assert blocks_in_router() == {block: {node} for block, node in BLOCKS.items()}
    assert owners_in_bird() == {block: {next(name for name, address in NODES.items() if address == node)} for block, node in BLOCKS.items()}


@pytest.fixture(scope="module")
def pods(fabric: Live) -> dict[str, str]:
    """A real pod on each node, of the image that every pod's sandbox is of; its address by node."""
    image = fabric.shell("cp-1", "ctr -n k8s.io images list -q | grep /pause:").split()[0]
    fabric.kubectl("delete", "pod", "--ignore-not-found", "--wait", *(f"probe-{node}" for node in NODES))
    for node in NODES:
        spec = f'{{"spec": {{"nodeName": "{node}", "tolerations": [{{"operator": "Exists"}}], "terminationGracePeriodSeconds": 1}}}}'
        fabric.kubectl("run", f"probe-{node}", f"--image={image}", "--image-pull-policy=Never", f"--overrides={spec}")
    fabric.kubectl("wait", "--for=condition=Ready", *(f"pod/probe-{node}" for node in NODES), "--timeout=240s", timeout_s=300)
    return {node: fabric.kubectl("get", "pod", f"probe-{node}", "-o", "jsonpath={.status.podIP}") for node in NODES}


def frames(fabric: Live, node: str, where: str, expression: str, meanwhile: Callable[[], object]) -> list[bytes]:
    """Whole frames that tcpdump on the node sees, on the node's link or in a pod's namespace."""
    capture = f"{where} timeout 60 tcpdump -i eth0 -xx -s 0 -c 4 -n '{expression}' 2> /tmp/tcpdump"
    with subprocess.Popen(fabric.words("ssh", node, "--", capture), stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as tcpdump:
        wait_until(lambda: "listening on" in fabric.shell(node, "cat /tmp/tcpdump"), "tcpdump")
        meanwhile()
        said, _ = tcpdump.communicate(timeout=90)
    packets = re.split(r"\n(?=\S)", said.strip())
    return [bytes.fromhex("".join(re.findall(r"(?m)^\s+0x[0-9a-f]+:\s+((?:[0-9a-f]{2,4} ?)+)", packet)).replace(" ", "")) for packet in packets]


def addresses(frame: bytes) -> tuple[int, int, str, str]:
    """EtherType, IP protocol, source and destination of a frame."""
    return int.from_bytes(frame[12:14]), frame[23], ".".join(map(str, frame[26:30])), ".".join(map(str, frame[30:34]))


def test_no_tunnel_is_on_any_node(fabric: Live, pods: dict[str, str]) -> None:
    assert set(pods) == set(NODES)
    for node in NODES:
        kinds = set(fabric.shell(node, "ip -d -j link | jq -r '.[].linkinfo.info_kind // empty'").split())
        assert kinds & TUNNELS == set()
        assert "veth" in kinds


def test_a_pod_on_the_other_node_is_reached_plain_whole_and_from_the_pods_own_address(fabric: Live, pods: dict[str, str]) -> None:
    here, there = pods["lab-cp-1"], pods["lab-worker-1"]
    source = f"ip netns exec {pod_namespace(fabric, 'cp-1', here)}"

    def ping() -> None:
        said = fabric.shell("cp-1", f"{source} ping -n -c 5 -i 0.5 -M do -s 1472 {there}")
        assert " 0% packet loss" in said

    on_the_wire = frames(fabric, "worker-1", "", f"icmp[0] == 8 and dst host {there}", ping)
    in_the_pod = frames(fabric, "worker-1", f"ip netns exec {pod_namespace(fabric, 'worker-1', there)}", f"icmp[0] == 8 and dst host {there}", ping)
    for frame in (*on_the_wire, *in_the_pod):
        assert addresses(frame) == (0x0800, 1, here, there)
        assert len(frame) == 14 + 1500
        assert frame[20] & 0x40  # don't fragment
    assert len(on_the_wire) == len(in_the_pod) == 4


def test_the_router_reaches_a_pod_from_its_own_address(fabric: Live, pods: dict[str, str]) -> None:
    there = pods["lab-worker-1"]

    def ping() -> None:
        assert " 0% packet loss" in in_router("ping", "-n", "-c", "5", "-i", "0.5", "-M", "do", "-s", "1472", there)

    in_the_pod = frames(fabric, "worker-1", f"ip netns exec {pod_namespace(fabric, 'worker-1', there)}", f"icmp[0] == 8 and dst host {there}", ping)
    assert {addresses(frame) for frame in in_the_pod} == {(0x0800, 1, ROUTER, there)}
    assert {len(frame) for frame in in_the_pod} == {1514}


@contextmanager
def mistaken(kind: daemons.RouterKind, right: str, wrong: str) -> Generator[None]:
    """The router with a mistake in its configuration; put right afterwards."""
    file = namespace.router_dir(LAB, "tor") / f"{kind}.conf"
    text = file.read_text()
    assert right in text
    try:
        daemons.bring_up(LAB, "tor", kind, text.replace(right, wrong))
        yield
    finally:
        daemons.bring_up(LAB, "tor", kind, text)


@pytest.mark.parametrize(
    ("what", "right", "wrong", "reason"),
    [
        ("password", 'password "', 'password "not', "wrong password: "),
        ("AS", " as 64600;", " as 64999;", "wrong AS: lab-{node} expects tor in AS 64600, and it is in AS 64999"),
        ("TTL", "ttl security on;", "", "wrong TTL: "),
    ],
)
def test_a_mistake_leaves_the_sessions_down_and_the_summary_says_which_and_why(fabric: Live, what: str, right: str, wrong: str, reason: str) -> None:
    with mistaken("bird", right, wrong):
        time.sleep(35)  # a session that was up in spite of it would have run into the hold time
        said = down(fabric)
    for node in ("cp-1", "worker-1"):
        assert [line for line in said if line.startswith(f"lab-{node} - tor is down: {reason.format(node=node)}")], said
    assert not [line for line in said if "tor" not in line]
    seconds = wait_until(lambda: down(fabric) == [], "sessions up again")
    fabric.note(f"sessions up again after a wrong {what} was put right", seconds)


def test_routes_come_back_by_themselves_after_the_router_was_away(fabric: Live) -> None:
    text = (namespace.router_dir(LAB, "tor") / "bird.conf").read_text()
    assert daemons.stop(LAB, "tor") == []
    time.sleep(30)
    assert [line for line in down(fabric) if "tor does not answer" in line or "nothing listens" in line]
    in_router("ip", "route", "flush", "root", "192.168.0.0/16")
    assert blocks_in_router() == {}
    start = time.monotonic()
    daemons.bring_up(LAB, "tor", "bird", text)
    wait_until(lambda: blocks_in_router() == {block: {node} for block, node in BLOCKS.items()}, "both blocks in the router")
    fabric.note("until both blocks are back after a router was stopped for 30 s", time.monotonic() - start)


def measured(fabric: Live, probe: Probe, what: str, *settings: tuple[str, str]) -> None:
    """Bring the lab to other settings under a 10 Hz probe, and note what was lost."""
    probe.start()
    fabric.settings.update(settings)
    fabric.up(what)
    assert down(fabric) == []
    sent, lost, gap_s = probe.stop()
    fabric.note(f"{what}: {lost} of {sent} probes lost, longest gap", gap_s)
    assert sent > 50
    assert gap_s < 30, f"{what}: no answer for {gap_s:.1f} s"


def test_topologies_change_under_traffic(fabric: Live, pods: dict[str, str]) -> None:
    probe = Probe(fabric, "cp-1", pod_namespace(fabric, "cp-1", pods["lab-cp-1"]), pods["lab-worker-1"])
    measured(fabric, probe, "mesh to route-reflectors", (f"{BGP}.route_reflectors", REFLECTORS), (f"{BGP}.topology", "route-reflectors"))
    reflector = fabric.shell("cp-1", "birdc show protocols all node_lab_worker_1")
    assert "route-reflector" in reflector
    measured(fabric, probe, "route-reflectors to routers", (f"{BGP}.topology", "routers"), (f"{BGP}.route_reflectors", "null"))
    assert {(words[0], words[1]) for words in sessions(fabric) if words[0] != "tor"} == {("lab-cp-1", "tor"), ("lab-worker-1", "tor")}
    assert "via 10.77.0.21" in fabric.shell("cp-1", "ip route get 192.168.21.2")
    measured(fabric, probe, "routers to mesh", (f"{BGP}.topology", "mesh"))


def test_frr_as_the_router_gets_the_same(fabric: Live, pods: dict[str, str]) -> None:
    start = time.monotonic()
    fabric.run("up", "--router", "frr", timeout_s=1200)
    fabric.note("BIRD replaced by FRR", time.monotonic() - start)
    assert down(fabric) == []
    assert blocks_in_router() == {block: {node} for block, node in BLOCKS.items()}
    assert owners_in_frr() == {block: {node} for block, node in BLOCKS.items()}
    assert " 0% packet loss" in in_router("ping", "-n", "-c", "3", "-i", "0.5", "-M", "do", "-s", "1472", pods["lab-worker-1"])
    with mistaken("frr", "underlay-64512 password ", "underlay-64512 password not"):
        time.sleep(10)
        said = down(fabric)
    assert [line for line in said if line.startswith("lab-cp-1 - tor is down: wrong password: ")], said
    fabric.note("sessions up again after a wrong password in FRR was put right", wait_until(lambda: down(fabric) == [], "sessions up again"))


def test_a_stopped_nodes_block_goes_and_a_rebooted_node_has_its_sessions_again(fabric: Live) -> None:
    fabric.run("up", timeout_s=1200)  # BIRD again
    wait_until(lambda: blocks_in_router() == {block: {node} for block, node in BLOCKS.items()}, "both blocks in the router")
    fabric.virsh("destroy", "lab-worker-1")
    gone = wait_until(lambda: "192.168.21.0/24" not in blocks_in_router(), "the block gone", within_s=90)
    fabric.note("until the router withdraws the block of a node that was powered off", gone)
    assert blocks_in_router() == {"192.168.11.0/24": {"10.77.0.11"}}
    fabric.virsh("start", "lab-worker-1")
    back = wait_until(lambda: blocks_in_router() == {block: {node} for block, node in BLOCKS.items()}, "the block back", within_s=600)
    fabric.note("until the block of a node that was powered on is back", back)


def test_the_fabric_leaves_nothing_behind(fabric: Live) -> None:
    if os.environ.get("UNDERLAY_KEEP"):
        pytest.skip("UNDERLAY_KEEP is set: the lab stays up")
    fabric.run("down", timeout_s=300)
    listed = attempt(["ip", "netns", "list"]).stdout
    assert fabric.namespace not in listed
    assert not LAB.run_dir.exists()
    words = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [one for one in words if str(LAB.run_dir).encode() in one]

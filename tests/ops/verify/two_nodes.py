"""The lab's two nodes as network namespaces on one link, each with the BIRD and the configuration that the lab gives it, asked by the real probes."""

import contextlib
import subprocess
from collections.abc import Generator, Iterable
from pathlib import Path

from lab.fabric import node_config
from ops.verify.model import Check, Finding, Said, Seen, Status
from plan import NodePlan
from tests.lab.fabric_plans import plan, wire

PLAN = plan(("pod_network.bgp.routers", {}))
ANSWER_S = 90


class Node:
    """A namespace with its own /run/bird and a BIRD in it."""

    def __init__(self, node: NodePlan, folder: Path) -> None:
        self.plan = node
        self.block = wire().node_pods(node.address.packed[3])
        folder.mkdir()
        holding = "mkdir -p /run/bird && mount -t tmpfs tmpfs /run/bird && echo && exec sleep infinity"
        words = ["unshare", "--net", "--mount", "--", "sh", "-c", holding]
        self._holder = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        with self._holder.stdout as said:
            said.readline()  # it is in its namespaces now
        self.pid = self._holder.pid
        self._configuration = folder / "bird.conf"
        self._configuration.write_text(node_config.bird(PLAN, node.name, wire(), {}).replace("log syslog all;", ""))
        self._bird: subprocess.Popen[bytes] | None = None

    def shell(self, script: str) -> Said:
        """What a script for bash says on this node."""
        words = ["nsenter", "--target", str(self.pid), "--net", "--mount", "--", "bash", "-c", script]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_S, check=False)
        return (
            Said(output=done.stdout, exit_code=done.returncode)
            if done.returncode == 0
            else Said(output=done.stdout + done.stderr, exit_code=done.returncode)
        )

    def speak(self) -> None:
        """Start BIRD."""
        words = [
            "nsenter",
            "--target",
            str(self.pid),
            "--net",
            "--mount",
            "--",
            "bird",
            "-f",
            "-c",
            str(self._configuration),
            "-s",
            "/run/bird/bird.ctl",
        ]
        self._bird = subprocess.Popen(words)

    def end(self) -> None:
        """End BIRD, and with its holder the namespaces."""
        for process in (self._bird, self._holder):
            if process is not None:
                process.kill()
                process.wait()


@contextlib.contextmanager
def two_nodes(folder: Path) -> Generator[dict[str, Node]]:
    """Both nodes by name, with a pod on each."""
    nodes = {node.name: Node(node, folder / node.name) for node in PLAN.nodes}
    try:
        one, other = nodes.values()
        link = ["ip", "link", "add", "eth0", "netns", str(one.pid), "type", "veth", "peer", "name", "eth0", "netns", str(other.pid)]
        subprocess.run(link, check=True)
        for node in nodes.values():
            pod = f"ip link add veth0 type veth peer name pod0 && ip link set veth0 up && ip route add {node.block[5]} dev veth0"
            said = node.shell(f"ip link set lo up && ip address add {node.plan.address}/24 dev eth0 && ip link set eth0 up && {pod}")
            assert said.exit_code == 0, said.output
            node.speak()
        yield nodes
    finally:
        for node in nodes.values():
            node.end()


def looked_at(nodes: dict[str, Node], checks: Iterable[Check]) -> list[Finding]:
    """What the checks find."""
    chosen = list(checks)
    probes = {probe.key: probe for check in chosen for probe in check.probes}
    answers = {name: {key: node.shell(probe.script(PLAN, node.plan)) for key, probe in probes.items()} for name, node in nodes.items()}
    seen = Seen(plan=PLAN, nodes=answers, api={}, api_errors={})
    return [finding for check in chosen for finding in check.judge(seen)]


def bad(findings: Iterable[Finding]) -> list[Finding]:
    """Those that did not pass."""
    return [finding for finding in findings if finding.status not in (Status.PASSED, Status.SKIPPED)]


def words(node: Node, peer: Node) -> dict[str, str]:
    """What the table of faults leaves open, for these two."""
    return {
        "peer_address": str(peer.plan.address),
        "peer_block": str(peer.block),
        "own_block": str(node.block),
        "peer_session": f"node_{peer.plan.name.replace('-', '_')}",
    }

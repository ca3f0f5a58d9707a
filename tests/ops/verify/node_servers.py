"""SSH servers on loopback that stand for nodes: real sessions under /bin/sh as OpenSSH gives them, or made-up ones for large fleets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from ops.verify.access import Access
from plan import Plan, make
from settings import load
from tests.settings.documents import minimal

SESSIONS = Path(__file__).with_name("node_sessions.py")


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Servers that run, and the way to them."""

    folder: Path
    access: Access
    plan: Plan
    pid: int

    @property
    def most(self) -> int:
        """Connections that were open at the same time."""
        return int((self.folder / "most").read_text())


def plan_of(count: int) -> Plan:
    """A plan whose nodes lie on loopback, each at an address of its own."""
    made = make(load(minimal()))
    pattern = made.nodes[0]
    nodes = tuple(
        replace(pattern, name=f"n-{number:03d}", number=number + 1, address=IPv4Address("127.81.0.1") + number + number // 200)
        for number in range(count)
    )
    return replace(made, nodes=nodes)


def on_hypervisor(plan: Plan, uri: str) -> Plan:
    """The plan with this connection to each of its hypervisors."""
    hosts = {name: host.model_copy(update={"uri": uri}) for name, host in plan.settings.hypervisors.items()}
    return replace(plan, settings=plan.settings.model_copy(update={"hypervisors": hosts}))


@contextmanager
def serving(folder: Path, count: int, manners: Mapping[str, str] | None = None) -> Generator[Nodes]:
    """So many nodes; `manners` says what a node by its name does, `real` is the rule."""
    plan = plan_of(count)
    nodes = {
        node.name: {"address": str(node.address), "manner": (manners or {}).get(node.name, (manners or {}).get("*", "real"))} for node in plan.nodes
    }
    (folder / "nodes.json").write_text(json.dumps(nodes))
    # In a session of its own: what it leaves behind is not ended with it, as on a node.
    with subprocess.Popen(
        [sys.executable, "-P", str(SESSIONS), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            access = Access(
                environment=plan.settings.name,
                nodes={name: str(node["address"]) for name, node in nodes.items()},
                user="root",
                private_key=(folder / "client").read_text(),
                known_hosts=(folder / "known_hosts").read_text(),
                kubeconfig="",
                port=port,
            )
            yield Nodes(folder=folder, access=access, plan=plan, pid=server.pid)
        finally:
            server.kill()

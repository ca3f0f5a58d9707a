"""Reaching a lab's nodes and API: from the stack's outputs, inside the lab's namespace, keys in files of mode 0600 only."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lab import hypervisor
from lab.machine import programs
from lab.places import Lab, LabError, write_private
from lab.process import in_namespace, run
from lab.progress import Progress
from lab.session import Session


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node as the stack's outputs name it."""

    name: str
    role: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Access:
    """The way to everything that a stack made in a lab."""

    lab: Lab
    nodes: tuple[Node, ...]
    ssh_user: str

    @property
    def _folder(self) -> Path:
        return self.lab.root / "access"

    def ssh(self, node: Node, *command: str) -> list[str]:
        """The words that open a shell on the node, or run a command there; its host key must be the declared one."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "30",
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self._folder / "known_hosts"),
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        ssh = ["ssh", "-F", "none", "-i", self._folder / "id", *words, f"{self.ssh_user}@{node.address}", *command]
        return in_namespace(self.lab.namespace, ssh)

    def kubectl(self, *arguments: str) -> list[str]:
        """The words that run kubectl as the cluster's administrator."""
        return in_namespace(self.lab.namespace, [_programs() / "kubectl", "--kubeconfig", self._folder / "kubeconfig", *arguments])

    def ask_api(self, *arguments: str, timeout_s: float = 60) -> Any:
        """The JSON that `kubectl get ... -o json` gives."""
        return json.loads(run(self.kubectl("get", *arguments, "-o", "json"), timeout_s=timeout_s))

    def node(self, name: str) -> Node:
        """The node of that name, or of a name that ends so (`cp-1` for `lab-cp-1`); LabError where there is none."""
        found = [node for node in self.nodes if name in (node.name, node.address)] or [node for node in self.nodes if node.name.endswith(f"-{name}")]
        if len(found) != 1:
            raise LabError(f"no node {name!r}: there are {', '.join(node.name for node in self.nodes)}")
        return found[0]


@cache
def _programs() -> Path:
    return programs(Progress.quiet())


def open_access(session: Session) -> Access:
    """The access to a stack that is up, from its outputs; LabError where they are not there yet."""
    lab = session.lab
    if not hypervisor.is_here(lab):
        raise LabError(f"lab {lab.name!r} is not up: run `make up`")
    outputs: dict[str, Any] = json.loads(session.capture(["stack", "output", "--json", "--show-secrets"]))
    missing = {"kubeconfig", "nodes", "ssh"} - set(outputs)
    if missing:
        raise LabError(f"stack {session.stack!r} has no output {', '.join(sorted(missing))} yet: run `make up`")
    nodes = tuple(Node(name=node["name"], role=node["role"], address=node["address"]) for node in outputs["nodes"])
    ssh = outputs["ssh"]
    files = {"id": ssh["private_key"], "known_hosts": ssh["known_hosts"], "kubeconfig": outputs["kubeconfig"]}
    for name, text in files.items():
        write_private(lab.root / "access" / name, f"{text.rstrip()}\n")
    return Access(lab=lab, nodes=nodes, ssh_user=ssh["user"])


def answer(words: Sequence[str], *, stdin: str | None = None, timeout_s: float = 60) -> str:
    """What a command reached through Access says; empty where it fails."""
    try:
        return run(words, stdin=stdin, timeout_s=timeout_s)
    except LabError:
        return ""

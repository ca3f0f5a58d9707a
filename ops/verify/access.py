"""The way to a running environment, from its stack's outputs: kubeconfig and SSH key stay in memory."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ops.stack import OpsError
from outputs import ContractError, Environment
from plan import Plan

ENGINE_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Access:
    """What opens an environment."""

    environment: str
    nodes: Mapping[str, str]
    """Address of each node that is up, by its name."""
    user: str
    private_key: str = field(repr=False)
    known_hosts: str
    """OpenSSH's, with the host key of every node."""
    kubeconfig: str = field(repr=False)
    port: int = 22


def read(stack: str, source: str | None, *, checkout: Path) -> Access:
    """The access of a stack: from the engine, from a file, or from standard input (-); OpsError where it is none."""
    where, text = _text(stack, source, checkout)
    try:
        tree: object = json.loads(text)
    except ValueError:
        raise OpsError(f"{where} is not JSON: give it what `pulumi stack output --json --show-secrets` prints") from None
    if not isinstance(tree, dict):
        raise OpsError(f"{where} is no JSON object: give it what `pulumi stack output --json --show-secrets` prints")
    outputs = cast("dict[str, Any]", tree)
    try:
        published = Environment.from_json(outputs)
    except ContractError as error:
        raise OpsError(f"{where}: {error}") from None
    ssh = outputs.get("ssh")
    known: dict[str, Any] = cast("dict[str, Any]", ssh) if isinstance(ssh, dict) else {}
    if not published.kubeconfig or not all(isinstance(known.get(key), str) and known[key] for key in ("user", "private_key", "known_hosts")):
        raise OpsError(f"{where}: kubeconfig or ssh is missing or masked: write it with `pulumi stack output --json --show-secrets`")
    return Access(
        environment=published.environment,
        nodes={node.name: node.address for node in published.nodes},
        user=known["user"],
        private_key=known["private_key"],
        known_hosts=known["known_hosts"],
        kubeconfig=published.kubeconfig.get_secret_value(),
    )


def _text(stack: str, source: str | None, checkout: Path) -> tuple[str, str]:
    """Where the outputs come from, and their JSON."""
    try:
        if source == "-":
            return "standard input", sys.stdin.read()
        if source is not None:
            return f"--outputs {source}", Path(source).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise OpsError(f"--outputs {source}: {error}") from None
    words = ["pulumi", "stack", "output", "--json", "--show-secrets", "--non-interactive", "--stack", stack]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=checkout, timeout=ENGINE_S, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise OpsError(f"pulumi cannot be run ({error}): install it, or give its outputs by --outputs FILE") from None
    except subprocess.TimeoutExpired:
        raise OpsError(
            f"pulumi gives no outputs of stack {stack!r} in {ENGINE_S:g} s: try `pulumi stack output`, or give them by --outputs FILE"
        ) from None
    if done.returncode != 0:
        raise OpsError(f"pulumi gives no outputs of stack {stack!r}: {done.stderr.strip()[-1000:] or 'it says nothing'}")
    return f"stack {stack!r}", done.stdout


def compared(plan: Plan, access: Access) -> tuple[str, ...]:
    """How the stack's outputs differ from its settings, as sentences; OpsError where they are of different environments."""
    if access.environment != plan.settings.name:
        raise OpsError(
            f"the outputs are of environment {access.environment!r}, the stack file declares {plan.settings.name!r}: give those of the same stack"
        )
    declared = {node.name: str(node.address) for node in plan.nodes}
    sentences: list[str] = []
    for name in sorted(declared.keys() | access.nodes.keys()):
        if name not in access.nodes:
            sentences.append(f"{name} is declared and not in the outputs: run `pulumi up`")
        elif name not in declared:
            sentences.append(f"{name} is in the outputs and not declared: run `pulumi up`; it is not looked at")
        elif declared[name] != access.nodes[name]:
            sentences.append(f"{name} is declared at {declared[name]} and was brought up at {access.nodes[name]}: run `pulumi up`")
    return tuple(sentences)

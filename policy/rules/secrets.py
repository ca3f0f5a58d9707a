"""What is secret is marked as such."""

import re
from collections.abc import Iterator
from typing import Final

from policy.model import UNKNOWN, Path, Resource, Secret, Stack
from policy.rule import Rule
from policy.workloads import kind_of

_TREES: Final = frozenset({"data", "stringData"})
_ALWAYS: Final = frozenset(
    {
        "privateKey",
        "privateKeyPassword",
        "privateKeyPem",
        "privateKeyOpenssh",
        "caPrivateKeyPem",
        "password",
        "userData",
        "kubeconfig",
    }
)
"""Inputs that are secret whatever they hold, in resources of any provider that underlay uses."""
_LOOKS: Final = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a bootstrap token", re.compile(r"\btoken[\"']?\s*[:=]\s*[\"']?[a-z0-9]{6}\.[a-z0-9]{16}\b")),
    ("a password in a URL", re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]+:[^\s/@\"'<>]+@[\w.-]")),
)
_PROSE: Final = frozenset({"CustomResourceDefinition"})
"""Objects whose texts are documentation."""


def judge(resource: Resource, stack: Stack) -> Iterator[str]:
    """Inputs that are secret by their name or by what they hold, and are not marked; the value itself is never told."""
    del stack
    if kind_of(resource) in _PROSE:
        return
    for path, value in resource.leaves():
        if isinstance(value, Secret) or value is UNKNOWN or not isinstance(value, str) or not value:
            continue
        found = _what(resource, path, value)
        if found:
            yield f"{resource.name}: input {'.'.join(path)} is {found} and is not marked as secret, so the state holds it in plain text; pass it through pulumi.Output.secret"


def _what(resource: Resource, path: Path, value: str) -> str:
    if path[-1] in _ALWAYS or (kind_of(resource) == "Secret" and path[0] in _TREES):
        return "secret by its name"
    return next((what for what, looks in _LOOKS if looks.search(value)), "")


RULE: Final = Rule(
    id="secrets",
    level="mandatory",
    demand="Keys, tokens and passwords are marked as secret.",
    reason="The engine encrypts what is marked, and shows and stores everything else as it is: in previews, in logs, in the state.",
    source="Pulumi documentation, Secrets handling",
    judge=judge,
)

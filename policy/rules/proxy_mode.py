"""A proxy mode that the Kubernetes version has."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from policy.facts import ENVIRONMENT, environment
from policy.model import Resource, Stack
from policy.rule import Rule
from policy.workloads import kind_of

MODES: Final[Mapping[str, tuple[int, int | None]]] = {"ipvs": (11, 43), "nftables": (31, None), "iptables": (2, None)}
"""First minor version of Kubernetes 1 that has a mode without a feature gate to switch on, and the first that has it no more."""
_MODE: Final = re.compile(r"""(?m)^mode:\s*["']?([a-z0-9]*)["']?\s*$""")


def judge(resource: Resource, stack: Stack) -> Iterator[str]:
    """The declared mode, and the one that kube-proxy is told where that is another."""
    declared = environment(stack)
    if declared is None:
        return
    mode, version = declared.text("proxyMode"), declared.text("kubernetesVersion")
    if resource.type == ENVIRONMENT:
        yield from _wrong(mode, version, "kube_proxy.mode")
    elif kind_of(resource) == "ConfigMap" and resource.text("metadata", "name") == "kube-proxy":
        told = _MODE.search(resource.text("data", "config.conf"))
        if told and version and told.group(1) != mode:
            yield from _wrong(told.group(1), version, "kube-proxy's configuration, key mode,")


def _wrong(mode: str, version: str, where: str) -> Iterator[str]:
    minor = re.fullmatch(r"v?1\.(\d+)(\..*)?", version)
    if minor is None and not mode:
        yield f"{where} and the version of Kubernetes are not registered, so nothing says whether they go together; preview again with this version of underlay"
        return
    if minor is None:
        yield f"{where} is {mode}, and nothing says which version of Kubernetes runs; register kubernetesVersion"
        return
    if mode not in MODES:
        yield f"{where} is {mode!r}, allowed: {', '.join(sorted(MODES))}; write one of them"
        return
    since, removed = MODES[mode]
    if int(minor.group(1)) < since:
        yield f"{where} is {mode}, which Kubernetes has from 1.{since} on, not {version}; write ipvs or iptables"
    elif removed is not None and int(minor.group(1)) >= removed:
        yield f"{where} is {mode}, which Kubernetes {version} has no more (removed in 1.{removed}); write nftables"


RULE: Final = Rule(
    id="proxy-mode",
    level="mandatory",
    demand="kube-proxy's mode is one that the cluster's version of Kubernetes has.",
    reason="kube-proxy does not fall back: it exits, and no Service answers any more.",
    source="KEP-5495 (IPVS), KEP-3866 (nftables)",
    judge=judge,
)

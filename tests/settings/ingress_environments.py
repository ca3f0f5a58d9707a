"""What environments with an ingress say that have nothing else to say."""

from typing import Any

from settings import load
from tests.settings.documents import Tree, merged, minimal

SUM = "3b164b382cccfeae8785e070fbc71ae53d615ad3e03667e2d90f99df8dac3c77"
F5: Tree = {"controller": "f5-nginx", "manifest": {"source": "f5.yaml", "sha256": SUM}}
RETIRED = (
    "ingress.controller: is ingress-nginx, retired upstream in March 2026: 1.15.1 is its last release, holes that are found now stay open; "
    "plan the move to controller: f5-nginx"
)


def warnings(ingress: Tree, **areas: Any) -> list[str]:
    """What an environment says that has nothing else to say; without the one line that ingress-nginx always gives."""
    base: Tree = {
        "kube_proxy": {"mode": "nftables"},
        "cluster": {"kubernetes_version": "1.35.3"},
        "image": {"source": "images/node.qcow2"},
        "ingress": {"domain": "apps.example"},
    }
    said = [str(problem) for problem in load(minimal(**merged(base, {"ingress": ingress, **areas}))).warnings()]
    assert said.count(RETIRED) == (ingress.get("controller", "ingress-nginx") == "ingress-nginx")
    return [line for line in said if line != RETIRED]

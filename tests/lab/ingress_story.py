"""A stack with the ingress component alone, its life told stage by stage on a real API server that has no node.

Two things differ from the product for that: nothing is waited for that needs a pod, and the test gives Services of type LoadBalancer the
address that they ask for. The manifest of F5's controller is the one that the tests wrote in its shape.
"""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.plugins.native_cluster import NativeCluster
from tests.plugins.pulumi_project import CHECKOUT, Outcome, Project

PUBLISHED = CHECKOUT.parent / "shared" / "data" / "ingress-nginx-controller-v1.15.1-baremetal.yaml"
GIVEN = "10.20.128.77"
"""What a load balancer gives who asks for no address."""
UP_S = 900

PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
import pulumi, pulumi_kubernetes as kubernetes
import sources
from components.ingress import Ingress, IngressArgs
from plan import make
from render.ingress import manifest
from settings import load

def without_pods(args):
    kind = args.type_.rsplit(":", 1)[-1]
    if kind not in ("Deployment", "DaemonSet") and args.props.get("metadata", {{}}).get("name") != "ingress-nginx-controller-admission":
        return None
    metadata = {{**args.props["metadata"], "annotations": {{"pulumi.com/skipAwait": "true"}}}}
    return pulumi.ResourceTransformationResult({{**args.props, "metadata": metadata}}, args.opts)

pulumi.runtime.register_stack_transformation(without_pods)
plan = make(load(json.loads(Path("environment.json").read_text())))
provider = kubernetes.Provider(
    "cluster", kubeconfig=pulumi.Output.secret(Path("kubeconfig").read_text()), cluster_identifier="c",
    enable_config_map_mutable=True, enable_secret_mutable=True, upsert_existing_objects=True,
)
if plan.ingress:
    pinned = plan.ingress.manifest
    text = sources.text(pinned.source, pinned.sha256, setting="m") if pinned else ""
    args = IngressArgs(plan=plan, ingress=plan.ingress, things=manifest.objects(plan, text), provider=provider, joined=[], network=[])
    pulumi.export("addresses", Ingress("oslo-ingress", args).addresses)
"""


def pinned(path: Path) -> dict[str, str]:
    """A manifest by its path and sum."""
    return {"source": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def environment(ingress: dict[str, Any] | None) -> dict[str, Any]:
    """The settings of stack example-oslo with this ingress, where somebody else builds the pods' network."""
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / "stacks" / "Pulumi.example-oslo.yaml").read_text())["config"]["underlay:environment"]
    found["pod_network"]["kind"] = "external"
    found["ingress"] = copy.deepcopy(ingress)
    return found


@dataclass
class Story:
    """What was planned, said and there at each stage."""

    plans: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    said: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    addresses: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    objects: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Live objects of each stage by kind and name, of the kinds that are looked at."""


def addresses_of(service: dict[str, Any]) -> list[str]:
    """What a Service was given."""
    return [entry["ip"] for entry in service["status"]["loadBalancer"].get("ingress", [])]


class LoadBalancer:
    """Gives every Service of type LoadBalancer the address that it asks for, one at a time to one of them."""

    def __init__(self, cluster: NativeCluster) -> None:
        self._cluster, self._over = cluster, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> LoadBalancer:
        self._thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(1):
            services = [thing for thing in self._cluster.get("services", "-A")["items"] if thing["spec"]["type"] == "LoadBalancer"]
            given = {service["metadata"]["uid"]: addresses_of(service) for service in services}
            for service in services:
                own = given[service["metadata"]["uid"]]
                address = service["spec"].get("loadBalancerIP") or (own or [GIVEN])[0]
                if own != [address] and [address] not in given.values():
                    self._give(service["metadata"], address)

    def _give(self, metadata: dict[str, Any], address: str) -> None:
        status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
        self._cluster.kubectl("patch", "service", metadata["name"], "-n", metadata["namespace"], "--subresource=status", "--type=merge", "-p", status)


class Teller:
    """A project beside its cluster."""

    def __init__(self, folder: Path, cluster: NativeCluster) -> None:
        self.cluster, self.story = cluster, Story()
        self.project = Project(folder)
        self.project.write(PROGRAM.format(checkout=str(CHECKOUT)))
        (self.project.folder / "kubeconfig").write_text(cluster.kubeconfig)

    def up(self, stage: str, ingress: dict[str, Any] | None) -> None:
        """Declares, plans, brings up and plans again; what is there then."""
        (self.project.folder / "environment.json").write_text(json.dumps(environment(ingress)))
        story = self.story
        story.plans[stage] = self.project.planned()
        story.said[stage] = self.project.run("up", "--yes", "--skip-preview", timeout_s=UP_S)
        assert story.said[stage].code == 0, story.said[stage].text
        story.plans[f"after {stage}"] = self.project.planned()
        shown = json.loads(self.project.run("stack", "output", "--json").text)
        story.addresses[stage] = shown.get("addresses", [])
        kinds = "namespaces,configmaps,services,deployments,ingressclasses,validatingwebhookconfigurations,poddisruptionbudgets"
        live = self.cluster.get(kinds, "-A")["items"]
        story.objects[stage] = {f"{thing['kind']}/{thing['metadata']['name']}": thing for thing in live}

"""A stack with Calico's component alone, its life told stage by stage on a real API server that has no node.

Calico's own API server needs a node, so projectcalico.org/v3 is served by Calico's native definitions here. Three things differ from the product for
that: nothing is waited for that needs a pod, the APIService has a group of its own, and what calico-node makes when it starts is made by the test.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.plugins.native_cluster import NativeCluster
from tests.plugins.pulumi_project import CHECKOUT, Outcome, Project

PUBLISHED = CHECKOUT.parent / "shared" / "data"
OLD, NEW = "3.31.7", "3.32.1"
NEEDED = tuple(
    PUBLISHED / name for name in (f"calico-v{OLD}.yaml", f"calico-v{NEW}.yaml", f"calico-apiserver-v{NEW}.yaml", f"calico-v3-crds-v{NEW}.yaml")
)
MISSING = [path for path in NEEDED if not path.exists()]

UP_S = 600
PASSWORD = "hush-hush-{}"

PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
import pulumi, pulumi_kubernetes as kubernetes, pulumi_random as random
import sources
from components.calico import Calico, CalicoArgs, Manifests
from components.passwords import bgp_passwords
from plan import make
from render.calico import api_server, manifest
from settings import load

class Seat:
    def __init__(self, name):
        self.member = random.RandomString(name + "-member", length=4)
        self.volume_id = self.member.result

def without_pods(args):
    kind = args.type_.rsplit(":", 1)[-1]
    if kind not in ("DaemonSet", "Deployment", "Service", "APIService"):
        return None
    metadata = {{**args.props["metadata"], "annotations": {{"pulumi.com/skipAwait": "true"}}}}
    props = {{**args.props, "metadata": metadata}}
    if kind == "APIService":
        metadata["name"] = "v3.calico.example"
        props["spec"] = {{**props["spec"], "group": "calico.example"}}
    return pulumi.ResourceTransformationResult(props, args.opts)

pulumi.runtime.register_stack_transformation(without_pods)
plan = make(load(json.loads(Path("environment.json").read_text())))
network = plan.pod_network
texts = [sources.text(pinned.source, pinned.sha256, setting="m") for pinned in (network.manifest, network.api_server_manifest)]
provider = kubernetes.Provider(
    "cluster", kubeconfig=pulumi.Output.secret(Path("kubeconfig").read_text()), cluster_identifier="c",
    enable_config_map_mutable=True, enable_secret_mutable=True, upsert_existing_objects=True,
)
seats = {{node.name: Seat(node.name) for node in plan.nodes}}
joined = [seats[node.name].member for node in plan.control_planes]
Calico("oslo-calico", CalicoArgs(
    plan=plan,
    manifests=Manifests(network=manifest.objects(plan, texts[0]), api_server=api_server.objects(plan, texts[1])),
    passwords=bgp_passwords(plan, pulumi.Config("underlay")),
    provider=provider, joined=joined, proxied=joined[0], seats=seats,
))
"""

MADE_BY_CALICO: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("BGPConfiguration", "default", {}),
    ("FelixConfiguration", "default", {"logSeverityScreen": "Info"}),
    ("KubeControllersConfiguration", "default", {"controllers": {"loadBalancer": {"assignIPs": "AllServices"}}}),
    ("IPPool", "default-ipv4-ippool", {"cidr": "10.128.0.0/16", "ipipMode": "Always", "vxlanMode": "Never", "natOutgoing": True}),
)


def environment(folder: Path, version: str, topology: str) -> dict[str, Any]:
    """The settings of stack example-oslo with this version's manifests, which are pinned by the files at hand."""
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / "stacks" / "Pulumi.example-oslo.yaml").read_text())["config"]["underlay:environment"]
    server = folder / f"apiserver-{version}.yaml"  # only that of the new version is at hand
    server.write_text((PUBLISHED / f"calico-apiserver-v{NEW}.yaml").read_text().replace(f"apiserver:v{NEW}", f"apiserver:v{version}"))
    found["pod_network"]["bgp"]["topology"] = topology
    found["pod_network"]["calico"] = {
        "version": version,
        "manifest": pinned(PUBLISHED / f"calico-v{version}.yaml"),
        "api_server_manifest": pinned(server),
    }
    return found


def pinned(path: Path) -> dict[str, str]:
    return {"source": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


Told = dict[str, dict[str, Any]]


@dataclass
class Story:
    """What was planned, said and there at each stage."""

    plans: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    said: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    identities: Told = field(default_factory=Told)
    live: Told = field(default_factory=Told)
    nodes: Told = field(default_factory=Told)
    state: str = ""
    secret: dict[str, Any] = field(default_factory=dict[str, Any])


class Teller:
    """A project beside its cluster."""

    def __init__(self, folder: Path, cluster: NativeCluster) -> None:
        self.folder, self.cluster, self.story = folder, cluster, Story()
        self.project = Project(folder / "project")
        self.project.write(PROGRAM.format(checkout=str(CHECKOUT)))
        self.reach(cluster.port)

    def reach(self, port: int) -> None:
        """Looks for the API server at this port."""
        (self.project.folder / "kubeconfig").write_text(self.cluster.kubeconfig.replace(f":{self.cluster.port}", f":{port}"))

    def declare(self, version: str, topology: str) -> None:
        """Sets the settings, and the passwords of its routers."""
        (self.project.folder / "environment.json").write_text(json.dumps(environment(self.folder, version, topology)))

    def keep_passwords(self) -> None:
        """Sets every password as an operator does."""
        routers = environment(self.folder, NEW, "mesh")["pod_network"]["bgp"]["routers"]
        for router in routers.values():
            name = router["password"]
            words = ["config", "set", "--secret", "--path", f"underlay:bgp_passwords.{name}", PASSWORD.format(name)]
            assert self.project.run(*words).code == 0

    def up(self, stage: str) -> None:
        """Plans, brings up and plans again; what is there then."""
        self.story.plans[stage] = self.project.planned()
        outcome = self.project.run("up", "--yes", "--skip-preview", timeout_s=UP_S)
        assert outcome.code == 0, outcome.text
        self.story.said[stage] = outcome
        self.story.plans[f"after {stage}"] = self.project.planned()
        self.story.identities[stage] = {
            name: resource["outputs"]["metadata"]["uid"] for name, resource in self.project.state().items() if "uid" in metadata_of(resource)
        }
        self.story.live[stage] = self.cluster.get("bgpconfigurations.projectcalico.org", "default")["spec"]
        self.story.nodes[stage] = self.cluster.get("node", "oslo-cp-1")["metadata"]


def metadata_of(resource: dict[str, Any]) -> dict[str, Any]:
    found = resource.get("outputs", {}).get("metadata", {})
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def prepare(cluster: NativeCluster) -> None:
    """What the nodes would have made: definitions of v3, Calico's defaults, Node objects."""
    things = [thing for thing in yaml.safe_load_all(NEEDED[3].read_text()) if thing]
    listed = [thing for thing in things if thing["kind"] == "CustomResourceDefinition" and thing["spec"]["group"] == "projectcalico.org"]
    definitions = json.dumps({"apiVersion": "v1", "kind": "List", "items": listed})
    cluster.kubectl("create", "-f", "-", stdin=definitions)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", "-", stdin=definitions)
    for kind, name, spec in MADE_BY_CALICO:
        cluster.make({"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec})
    for number in (1, 2, 3):
        cluster.make({"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"oslo-cp-{number}"}})

"""One environment: the order in which its parts come."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes
from pulumi import Output, ResourceOptions

from components import facts
from components.authorities import Authorities, AuthoritiesArgs
from components.behind import behind
from components.calico import Calico, CalicoArgs, Manifests
from components.connection import Shell
from components.hypervisor import Hypervisor, HypervisorArgs
from components.ingress import Ingress, IngressArgs
from components.kube_proxy import KubeProxy, KubeProxyArgs
from components.machine import Machine, MachineArgs
from components.node import Membership, MembershipArgs, Node, NodeArgs
from plan import NodePlan, Plan
from render.kubeconfig import known_hosts


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs:
    """The plan is everything but what it only names."""

    plan: Plan
    manifests: Manifests | None
    """Calico's; None where somebody else builds the pods' network."""
    passwords: Mapping[str, Output[str]]
    """Of BGP sessions, by name."""
    ingress: tuple[dict[str, Any], ...]
    """Objects of the ingress controller; empty where none is declared."""


class Environment(pulumi.ComponentResource):
    """Authorities, hypervisors, machines, nodes, kube-proxy, the pods' network and the ingress controller of one environment."""

    def __init__(self, name: str, args: EnvironmentArgs, opts: ResourceOptions | None = None) -> None:
        plan = args.plan
        super().__init__("underlay:index:Environment", name, facts.of_environment(plan), opts)
        self._plan, self._args, self._own = plan, args, ResourceOptions(parent=self)
        self.authorities = Authorities(name, AuthoritiesArgs(plan=plan), self._own)
        self._hypervisors = {
            key: Hypervisor(f"{name}-{key}", HypervisorArgs(plan=plan, key=key), self._own) for key in plan.settings.hypervisors if plan.nodes_on(key)
        }
        self.nodes: dict[str, Node] = {}
        self._machines: dict[str, Machine] = {}
        self._shells: dict[str, Shell] = {}
        self._window: dict[str, list[Node]] = defaultdict(list)
        for node in plan.nodes:
            self._add(node)
        seats = {node.name: self._seat(node) for node in plan.nodes}
        self.ingress: Ingress | None = None
        self._cluster(name, seats)
        self.known_hosts = Output.all(**{node.name: self._machines[node.name].host_key for node in plan.nodes}).apply(self._known_hosts)
        self.register_outputs({})

    def _add(self, node: NodePlan) -> None:
        """Machine and steps of one node; it waits for those of its set that may not be missing at the same time."""
        peers = self._window[node.node_set]
        width = self._plan.settings.node_sets()[node.node_set].max_unavailable
        # a preview makes nothing, so nothing need wait; a row of some hundred machines costs the SDK minutes
        after = [behind(peers[-width].ready)] if len(peers) >= width and not pulumi.runtime.is_dry_run() else []
        machine_args = MachineArgs(
            plan=self._plan,
            node=node,
            hypervisor=self._hypervisors[node.hypervisor],
            authorized_key=self.authorities.operator_public_key,
            after=after,
        )
        machine = Machine(node.name, machine_args, self._own)
        patience = self._plan.settings.cluster.timeouts.boot_s
        shell = Shell(address=str(node.address), host_key=machine.host_key, operator_key=self.authorities.operator_key, patience_s=patience)
        node_args = NodeArgs(plan=self._plan, node=node, machine=machine, authorities=self.authorities, shell=shell, founder=self._founder())
        self.nodes[node.name] = Node(node.name, node_args, self._own)
        self._machines[node.name], self._shells[node.name] = machine, shell
        peers.append(self.nodes[node.name])

    def _founder(self) -> command.remote.Command | None:
        first = self._plan.control_planes[0].name
        return self.nodes[first].join if first in self.nodes else None

    def _seat(self, node: NodePlan) -> Membership:
        """Membership through another control plane where there is one: the leaving node cannot speak for itself."""
        speakers = [peer.name for peer in self._plan.control_planes if peer.name != node.name] or [node.name]
        args = MembershipArgs(
            plan=self._plan,
            node=self.nodes[node.name],
            machine=self._machines[node.name],
            speaker=self.nodes[speakers[0]],
            speaker_shell=self._shells[speakers[0]],
        )
        return Membership(node.name, args, self._own)

    def _cluster(self, name: str, seats: Mapping[str, Membership]) -> None:
        """What is declared through the cluster's API."""
        first = self.nodes[self._plan.control_planes[0].name]
        provider = kubernetes.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.authorities.kubeconfig,
            cluster_identifier=name,  # the same cluster, even when its certificate is renewed
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            upsert_existing_objects=True,  # what an `up` made that was killed before it could say so is taken over by the next
            # the vendor's plugin connects when it is configured, and remembers an unreachable cluster for the whole run
            opts=ResourceOptions.merge(self._own, ResourceOptions(depends_on=[first.join])),
        )
        kube_proxy = KubeProxy(f"{name}-kube-proxy", KubeProxyArgs(plan=self._plan, provider=provider, after=first.join), self._own)
        network = [kube_proxy.rollout, *self._calico(name, provider, kube_proxy.rollout, seats)]
        self.ingress = self._front_door(name, provider, network)

    def _calico(
        self, name: str, provider: kubernetes.Provider, proxied: pulumi.Resource, seats: Mapping[str, Membership]
    ) -> Sequence[pulumi.Resource]:
        """The pods' network; what it ends with, nothing where somebody else builds it."""
        if self._args.manifests is None:
            return []
        args = CalicoArgs(
            plan=self._plan,
            manifests=self._args.manifests,
            passwords=self._args.passwords,
            provider=provider,
            joined=[self.nodes[node.name].join for node in self._plan.control_planes],
            proxied=proxied,
            seats=seats,
        )
        return Calico(f"{name}-calico", args, self._own).configured

    def _front_door(self, name: str, provider: kubernetes.Provider, network: Sequence[pulumi.Resource]) -> Ingress | None:
        """The ingress controller, where one is declared."""
        ingress = self._plan.ingress
        if ingress is None:
            return None
        joined = [self.nodes[node].join for node in ingress.nodes[: ingress.settings.replicas]]
        args = IngressArgs(plan=self._plan, ingress=ingress, things=self._args.ingress, provider=provider, joined=joined, network=network)
        return Ingress(f"{name}-ingress", args, self._own)

    def _known_hosts(self, keys: dict[str, str]) -> str:
        return known_hosts({node.name: (str(node.address), keys[node.name]) for node in self._plan.nodes})

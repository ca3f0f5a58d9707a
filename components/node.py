"""One Kubernetes node: the steps over SSH that turn a machine into it, each of which can be run twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command
from pulumi import Output, ResourceOptions

from components.authorities import Authorities
from components.connection import Shell
from components.machine import Machine
from plan import NodePlan, Plan
from render import kubeadm, scripts

RUN = "exec bash -s"
"""Scripts come on standard input, so that no secret is ever in a process list."""
LEAVE = "/usr/local/lib/underlay/leave"


@dataclass(frozen=True, kw_only=True)
class NodeArgs:
    """A machine and what it needs to become a node."""

    plan: Plan
    node: NodePlan
    machine: Machine
    authorities: Authorities
    shell: Shell
    founder: command.remote.Command | None
    """The first control plane's kubeadm init; None on that node itself."""


class Node(pulumi.ComponentResource):
    """Preparation, keys, kubeadm and readiness of one node.

    Node files change in place (`prepare`); kubeadm runs once for each root volume (`join`), so a change of its settings waits for the next
    machine; a new domain on the same volume only has to become Ready again (`ready`).
    """

    def __init__(self, name: str, args: NodeArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:cluster:Node", name, None, opts)
        self._name, self._args = name, args
        self.plan = args.node
        plan, node = args.plan, args.node
        volume, domain = args.machine.volume_id, args.machine.domain_id
        prepare_script = args.authorities.operator_public_key.apply(lambda key: scripts.prepare(plan, node, authorized_key=key))
        self.prepare = self.run("prepare", prepare_script, volume, after=[args.machine])
        before_join = [self.prepare]
        if node.is_control_plane:
            before_join.append(self.run("pki", self._pki_script(), volume, after=[self.prepare]))
        if args.founder is not None:
            before_join.append(args.founder)
        self.join = self.run("join", self._join_script(), volume, after=before_join, once=True)
        self.ready = self.run("ready", scripts.ready(plan, node), domain, after=[self.join])
        self.register_outputs({})

    def run(
        self, step: str, script: pulumi.Input[str], runs_anew_with: Output[str], *, after: Sequence[pulumi.Resource], once: bool = False
    ) -> command.remote.Command:
        """A script on this node; it runs again when it changes (unless `once`), and anew when `runs_anew_with` is replaced."""
        frozen = ["stdin", "connection"] if once else []
        return command.remote.Command(
            f"{self._name}-{step}",
            connection=self._args.shell.connection(),
            create=RUN,
            stdin=script,
            triggers=[runs_anew_with],
            add_previous_output_in_env=False,
            opts=ResourceOptions(parent=self, depends_on=list(after), ignore_changes=frozen),
        )

    def _pki_script(self) -> Output[str]:
        files: dict[str, Output[str]] = {
            **self._args.authorities.control_plane_files(),
            "/etc/kubernetes/encryption.yaml": self._args.authorities.encryption_key.apply(kubeadm.encryption_config),
        }

        def script(texts: Mapping[str, str]) -> str:
            return scripts.pki(self._args.plan, self._args.node, files=texts)

        return Output.secret(Output.all(**files).apply(script))

    def _join_script(self) -> Output[str]:
        plan, node, authorities = self._args.plan, self._args.node, self._args.authorities
        make: Callable[[Sequence[str]], str]
        if self._args.founder is None:
            make = lambda parts: scripts.init(plan, node, token=parts[0])  # noqa: E731 - the two branches differ in one call
        else:
            make = lambda parts: scripts.join(plan, node, token=parts[0], ca_hash=parts[1])  # noqa: E731
        return Output.secret(Output.all(authorities.bootstrap_token, authorities.ca_hash).apply(make))


@dataclass(frozen=True, kw_only=True)
class MembershipArgs:
    """A node and the control plane that speaks for it."""

    plan: Plan
    node: Node
    machine: Machine
    speaker: Node
    speaker_shell: Shell


class Membership(pulumi.ComponentResource):
    """A node's place in the cluster, kept from a control plane.

    Labels, annotations and taints change in place. Before a domain goes its node is drained; before a root volume goes its node, and a control plane's etcd
    member, leave the cluster.
    """

    def __init__(self, name: str, args: MembershipArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:cluster:Membership", name, None, opts)
        plan, node = args.plan, args.node.plan
        self.volume_id = args.machine.volume_id
        connection = args.speaker_shell.connection()
        ready = [args.node.ready, args.speaker.join]
        self.member = command.remote.Command(
            f"{name}-member",
            connection=connection,
            create=RUN,
            stdin=scripts.member(plan, node),
            delete=f"{LEAVE} remove {node.name}",
            triggers=[args.machine.volume_id],
            add_previous_output_in_env=False,
            opts=ResourceOptions(parent=self, depends_on=ready, delete_before_replace=True),
        )
        self.schedulable = command.remote.Command(
            f"{name}-schedulable",
            connection=connection,
            create=RUN,
            stdin=scripts.schedulable(plan, node),
            delete=f"{LEAVE} drain {node.name} {plan.settings.cluster.timeouts.drain_s}",
            triggers=[args.machine.domain_id],
            add_previous_output_in_env=False,
            opts=ResourceOptions(parent=self, depends_on=[*ready, self.member], delete_before_replace=True),
        )
        self.register_outputs({})

"""Calico: each object of its published manifests a resource of its own, and its settings through projectcalico.org/v3."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Output, ResourceOptions

from components.node import Membership
from components.objects import FORCE, KubernetesObject, KubernetesPatch, annotated, base64_of, is_of, of_cluster, secret
from components.serving import ServingCertificate, ServingCertificateArgs
from plan import Plan
from plan.bgp import REFLECTOR_LABEL, SpeakerPlan
from render.calico import access, v3
from render.scripts import CLUSTER_ID_ANNOTATION

_DEFINITIONS: Final = ("Namespace", "CustomResourceDefinition")
_WORKLOADS: Final = ("DaemonSet", "Deployment")
_LATE: Final = ("Service", "APIService")
_SESSION: Final = "BGPPeer"
_TOPOLOGY: Final = "BGPConfiguration"
_AVAILABLE: Final = {"pulumi.com/waitFor": "condition=Available"}
"""The provider waits for no APIService by itself."""


@dataclass(frozen=True, kw_only=True)
class Manifests:
    """The objects of the published manifests, changed as the plan says."""

    network: tuple[dict[str, Any], ...]
    """Of calico.yaml."""
    api_server: tuple[dict[str, Any], ...]
    """Of apiserver.yaml."""


@dataclass(frozen=True, kw_only=True)
class CalicoArgs:
    """What Calico is made from, and what must be there before which part of it."""

    plan: Plan
    manifests: Manifests
    passwords: Mapping[str, Output[str]]
    """Of BGP sessions, by name."""
    provider: kubernetes.Provider
    joined: Sequence[pulumi.Resource]
    """Control planes in joining order; the first makes the API answer. Never a node's readiness: nodes become Ready by Calico."""
    proxied: pulumi.Resource
    """kube-proxy runs in its mode, which Felix looks at when it starts."""
    seats: Mapping[str, Membership]
    """Every node's place in the cluster, by the node's name."""


class Calico(pulumi.ComponentResource):
    """The pods' network. A new version updates every object in place and rolls calico-node; a change of BGP is a change of v3 objects alone.

    Nothing of it is deleted with the cluster; of what Calico makes itself only fields are changed.
    """

    def __init__(self, name: str, args: CalicoArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:cluster:Calico", name, None, opts)
        self._name, self._args = name, args
        things = (*args.manifests.network, *access.objects(args.plan))
        running = self._apply(things, args.joined[:1], before_workloads=[args.proxied])
        served = self._serve(running)
        self.configured: Sequence[pulumi.Resource] = self._configure([*running, *served])
        """Last things made: with them pods get addresses, and Services theirs."""
        self.register_outputs({})

    def _apply(
        self, things: Sequence[Mapping[str, Any]], after: Sequence[pulumi.Resource], *, before_workloads: Sequence[pulumi.Resource] = ()
    ) -> Sequence[pulumi.Resource]:
        """Objects in the order in which they need each other; the last ones made.

        A Service comes after its pods: the provider waits until it has one that is ready.
        """
        named = (*_DEFINITIONS, *_WORKLOADS, *_LATE)
        others = tuple({thing["kind"] for thing in things} - set(named))
        for kinds in (_DEFINITIONS, others, _WORKLOADS, *((kind,) for kind in _LATE)):
            wait = [*after, *(before_workloads if kinds == _WORKLOADS else ())]
            after = [self._object(thing, wait) for thing in things if is_of(thing, *kinds)] or after
        return after

    def _object(self, thing: Mapping[str, Any], after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """A definition that an earlier manifest had is still there: it is taken over, for a way back to that version."""
        keep = is_of(thing, "CustomResourceDefinition")
        return KubernetesObject(self._name, annotated(thing, FORCE) if keep else thing, self._opts(after, keep=keep))

    def _serve(self, after: Sequence[pulumi.Resource]) -> Sequence[pulumi.Resource]:
        """Calico's API server, done when the cluster's API server has reached it. It is waited for with as many control planes as it runs on."""
        things = self._args.manifests.api_server
        service = next(thing["spec"]["service"] for thing in things if is_of(thing, "APIService"))
        replicas = next(thing["spec"]["replicas"] for thing in things if is_of(thing, "Deployment"))
        host = f"{service['name']}.{service['namespace']}.svc"
        cluster = self._args.plan.settings.cluster
        certificate = ServingCertificate(
            f"{self._name}-api",
            ServingCertificateArgs(names=[host, f"{host}.{cluster.dns_domain}"], lifetimes=cluster.certificates),
            ResourceOptions(parent=self),
        )
        data = {"apiserver.crt": certificate.certificate_pem, "apiserver.key": certificate.key_pem}
        served = [secret(service["namespace"], "calico-apiserver-certs", data), *(_with_certificate(thing, certificate) for thing in things)]
        return self._apply(served, after, before_workloads=self._args.joined[:replicas])

    def _configure(self, after: Sequence[pulumi.Resource]) -> Sequence[pulumi.Resource]:
        """Settings and reflectors before sessions, sessions before the mesh may go.

        What goes, goes after all that: Pulumi deletes last, so that a mesh is back before its reflectors are none any more. The other way
        round the API server could lose its way to Calico's, and with it the way to put things right.
        """
        things = v3.objects(self._args.plan)
        reflectors, passwords = self._reflectors(), self._passwords()
        settings = [self._v3(thing, after) for thing in things if thing.kind not in {_SESSION, _TOPOLOGY}]
        sessions = [self._v3(thing, [*after, *settings, *passwords]) for thing in things if thing.kind == _SESSION]
        return [self._v3(thing, [*after, *settings, *reflectors, *sessions]) for thing in things if thing.kind == _TOPOLOGY]

    def _v3(self, thing: v3.V3Object, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        written = {"apiVersion": "projectcalico.org/v3", "kind": thing.kind, "metadata": {"name": thing.name}, "spec": thing.spec}
        if thing.made_by_calico:
            return KubernetesPatch(self._name, written, self._opts(after, keep=True))
        return KubernetesObject(self._name, written, self._opts(after))

    def _opts(self, after: Sequence[pulumi.Resource], *, keep: bool = False) -> ResourceOptions:
        """`keep` leaves the object when its resource goes: with a definition all its objects would go, with a patch its fields."""
        patience = self._args.plan.settings.pod_network.calico.ready_s
        return of_cluster(self, self._args.provider, after, keep=keep, patience_s=patience, removal_s=patience)

    def _reflectors(self) -> Sequence[pulumi.Resource]:
        """What makes nodes reflectors: a label, by which peers find them, and the cluster's ID."""
        return [self._reflector(speaker) for speaker in self._args.plan.pod_network.bgp.speakers if speaker.reflector is not None]

    def _reflector(self, speaker: SpeakerPlan) -> pulumi.Resource:
        seat = self._args.seats[speaker.node]
        # a machine that is built anew has a new Node object
        annotations = {CLUSTER_ID_ANNOTATION: str(speaker.cluster_id), "underlay.dev/reflecting-machine": seat.volume_id}
        metadata = {"name": speaker.node, "labels": {REFLECTOR_LABEL: speaker.reflector}, "annotations": annotations}
        return KubernetesPatch(self._name, {"apiVersion": "v1", "kind": "Node", "metadata": metadata}, self._opts([seat.member]))

    def _passwords(self) -> Sequence[pulumi.Resource]:
        """The Secret that peers name their passwords in, where any does."""
        if not self._args.passwords:
            return []
        return [KubernetesObject(self._name, secret(access.NAMESPACE, access.SECRET, self._args.passwords), self._opts(self._args.joined[:1]))]


def _with_certificate(thing: Mapping[str, Any], certificate: ServingCertificate) -> Mapping[str, Any]:
    """The APIService trusts the certificate's authority and is waited for; a renewed certificate restarts the server that shows it."""
    if is_of(thing, "APIService"):
        return {**annotated(thing, _AVAILABLE), "spec": {**thing["spec"], "caBundle": base64_of(certificate.authority_pem)}}
    if is_of(thing, "Deployment"):
        checksum = certificate.certificate_pem.apply(lambda pem: hashlib.sha256(pem.encode()).hexdigest())
        template = annotated(thing["spec"]["template"], {"underlay.dev/certificate-checksum": checksum})
        return {**thing, "spec": {**thing["spec"], "template": template}}
    return thing

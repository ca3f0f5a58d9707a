"""The ingress controller: each object of its manifest a resource of its own, or a ConfigMap for somebody else's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Output, ResourceOptions

from components.objects import FORCE, KubernetesObject, annotated, base64_of, is_of, of_cluster, secret
from components.serving import ServingCertificate, ServingCertificateArgs
from plan import Plan
from plan.ingress import IngressPlan
from render.ingress import nginx_manifest, pods
from render.ingress.manifest import CONTROLLER

_DEFINITIONS: Final = ("Namespace", "CustomResourceDefinition")
_WORKLOADS: Final = ("DaemonSet", "Deployment")
_WEBHOOK: Final = "ValidatingWebhookConfiguration"
_ADDRESS: Final = "jsonpath={.status.loadBalancer.ingress[0].ip}"
_FRONT, _CONTROLLER = "front", "controller"
"""Resources that stay the same ones when another controller, with other names, takes over."""


@dataclass(frozen=True, kw_only=True)
class IngressArgs:
    """What the controller is made from, and what must be there before it."""

    plan: Plan
    ingress: IngressPlan
    things: tuple[dict[str, Any], ...]
    """Objects of its manifest, changed as the plan says; of configmap-only a namespace and a ConfigMap."""
    provider: kubernetes.Provider
    joined: Sequence[pulumi.Resource]
    """As many of the nodes that may run it as it has replicas."""
    network: Sequence[pulumi.Resource]
    """kube-proxy runs in its mode, and where underlay installs it, Calico is configured."""


class Ingress(pulumi.ComponentResource):
    """The front door. Tuning changes one ConfigMap in place, and NGINX reloads; a new version or other pods roll, one after the other.

    Another controller under the same class name takes over with a gap; give it another one and move applications for a change without.
    """

    def __init__(self, name: str, args: IngressArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:cluster:Ingress", name, None, opts)
        self._name, self._args = name, args
        self.class_name = args.ingress.settings.class_name
        self.addresses: Output[list[str]] = Output.from_input([str(address) for address in args.ingress.addresses])
        """Where clients reach it; a load balancer's address that is not declared is known after `up`, of configmap-only never."""
        if args.ingress.controller == "configmap-only":
            self._tune()
        else:
            self._install()
        self.register_outputs({"addresses": self.addresses, "class_name": self.class_name})

    def _tune(self) -> None:
        """Fields of a ConfigMap that somebody else's controller reads. Where it or its namespace is not there yet it is made; neither is ever deleted."""
        after: Sequence[pulumi.Resource] = self._args.network
        for thing in self._args.things:
            after = [KubernetesObject(self._name, annotated(thing, FORCE), self._opts(thing, after, keep=True))]

    def _install(self) -> None:
        """What pods need, the pods, Services that only they can answer, and the webhook when somebody answers it.

        The Service before the controller comes first, as the controller does not start without it; only its address is waited for.
        """
        things, certificate = self._served()
        front = CONTROLLER[self._args.ingress.controller]
        late = tuple(thing for thing in things if thing["kind"] == "Service" and thing["metadata"]["name"] != front)
        hooks, workloads = (tuple(thing for thing in things if is_of(thing, *kinds)) for kinds in ((_WEBHOOK,), _WORKLOADS))
        definitions = tuple(thing for thing in things if is_of(thing, *_DEFINITIONS))
        others = tuple(thing for thing in things if thing not in (*late, *hooks, *workloads, *definitions))
        after: Sequence[pulumi.Resource] = self._args.network
        for group in (definitions, others):
            after = [self._object(thing, after) for thing in group] or after
        after = [self._object(thing, [*after, *self._args.joined]) for thing in workloads]
        for group in (late, hooks):
            after = [self._object(_trusting(thing, certificate), after) for thing in group] or after

    def _served(self) -> tuple[Sequence[Mapping[str, Any]], ServingCertificate | None]:
        """The objects, with the webhook's certificate where there is a webhook; the controller reads a renewed one without a restart."""
        things = self._args.things
        if not any(is_of(thing, _WEBHOOK) for thing in things):
            return things, None
        namespace, cluster = nginx_manifest.NAMESPACE, self._args.plan.settings.cluster
        host = f"{nginx_manifest.WEBHOOK_SERVICE}.{namespace}.svc"
        args = ServingCertificateArgs(names=[host, f"{host}.{cluster.dns_domain}"], lifetimes=cluster.certificates)
        certificate = ServingCertificate(f"{self._name}-webhook", args, ResourceOptions(parent=self))
        data = {nginx_manifest.CERTIFICATE: certificate.certificate_pem, nginx_manifest.KEY: certificate.key_pem}
        return (*things, secret(namespace, nginx_manifest.WEBHOOK, data)), certificate

    def _object(self, thing: Mapping[str, Any], after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """Most objects are called as in Kubernetes. A definition stays when a manifest drops it: its objects would go with it."""
        if is_of(thing, "CustomResourceDefinition"):
            return KubernetesObject(self._name, annotated(thing, FORCE), self._opts(thing, after, keep=True))
        if is_of(thing, *_WORKLOADS):
            return KubernetesObject(self._name, thing, self._opts(thing, after, first_gone=self._on_host), called=_CONTROLLER)
        if is_of(thing, "IngressClass"):
            return KubernetesObject(self._name, thing, self._opts(thing, after, first_gone=True, replaced_by=["spec.controller"]))
        if is_of(thing, "Service") and thing["metadata"]["name"] == CONTROLLER[self._args.ingress.controller]:
            return self._front(thing, after)
        return KubernetesObject(self._name, thing, self._opts(thing, after))

    def _front(self, thing: Mapping[str, Any], after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """The Service before the controller. Its address or ports can be another one's only when it is gone."""
        exposure = self._args.ingress.settings.exposure
        of_load_balancer = exposure.kind == "load-balancer"
        wanted = f"{_ADDRESS}={exposure.address}" if exposure.address else _ADDRESS
        wait = {"pulumi.com/waitFor": wanted} if of_load_balancer else {"pulumi.com/skipAwait": "true"}
        opts = self._opts(thing, after, first_gone=True)
        made = KubernetesObject(self._name, annotated(thing, wait), opts, called=_FRONT, outputs=["status"])
        if of_load_balancer and exposure.address is None:
            self.addresses = made.field("status").apply(_addresses)
        return made

    @property
    def _on_host(self) -> bool:
        return self._args.ingress.settings.exposure.kind == "host-network"

    def _opts(
        self,
        thing: Mapping[str, Any],
        after: Sequence[pulumi.Resource],
        *,
        keep: bool = False,
        first_gone: bool = False,
        replaced_by: Sequence[str] = (),
    ) -> ResourceOptions:
        """`keep` leaves the object when its resource goes; `first_gone` ends the old one before a new one is made, where both cannot be."""
        ingress = self._args.ingress
        patience = pods.rollout_s(ingress, thing["kind"]) if is_of(thing, *_WORKLOADS) else ingress.settings.ready_s
        standing = of_cluster(self, self._args.provider, after, keep=keep, patience_s=patience, removal_s=pods.removal_s(ingress))
        return ResourceOptions.merge(standing, ResourceOptions(delete_before_replace=first_gone or None, replace_on_changes=list(replaced_by)))


def _trusting(thing: Mapping[str, Any], certificate: ServingCertificate | None) -> Mapping[str, Any]:
    """The webhook's configuration with the authority of the certificate that it will be shown."""
    if certificate is None or not is_of(thing, _WEBHOOK):
        return thing
    bundle = base64_of(certificate.authority_pem)
    hooks = [{**hook, "clientConfig": {**hook["clientConfig"], "caBundle": bundle}} for hook in thing["webhooks"]]
    return {**thing, "webhooks": hooks}


def _addresses(status: Mapping[str, Any] | None) -> list[str]:
    """What a load balancer's Service was given; nothing where it is not known yet."""
    entries = (status or {}).get("loadBalancer", {}).get("ingress", [])
    return [entry["ip"] for entry in entries if entry.get("ip")]

"""An application on an underlay environment: pods behind a Service and, where the environment has one, behind its ingress."""

import pulumi
import pulumi_kubernetes as kubernetes
import workload
from pulumi import Input, Output, ResourceOptions
from pulumi_kubernetes.networking.v1 import Ingress as KubernetesIngress

from outputs import Environment, Ingress

NAME = "hello"


def front_door(ingress: Ingress | None, namespace: Input[str], opts: ResourceOptions) -> Output[str] | None:
    """The way in from outside, and the URL it gives; None where the environment has no ingress."""
    if ingress is None:
        return None
    host = f"{NAME}.{ingress.domain}" if ingress.domain else None
    # Somebody else's controller may not run, and then nobody ever writes an address into the object.
    unwatched = {"pulumi.com/skipAwait": "true"} if ingress.controller == "configmap-only" else {}
    made = KubernetesIngress(
        NAME,
        metadata={"name": NAME, "namespace": namespace, "annotations": unwatched},
        spec=workload.ingress(NAME, ingress.class_name, host),
        opts=opts,
    )
    where = host or (ingress.addresses[0] if ingress.addresses else None)
    return made.id.apply(lambda _: f"http://{where}/") if where else None


def main() -> None:
    """Declare the application in the environment that `app:environment` names."""
    config = pulumi.Config("app")
    environment = Environment.from_stack(config.require("environment"))
    provider = kubernetes.Provider(
        "environment",
        kubeconfig=environment.kubeconfig,
        cluster_identifier=environment.environment,  # the same cluster, even when its kubeconfig is renewed
    )
    own = ResourceOptions(provider=provider)
    # Names are the program's own, so an object that must be made anew goes before its successor comes.
    fixed = ResourceOptions(provider=provider, delete_before_replace=True)
    namespace = kubernetes.core.v1.Namespace(NAME, metadata={"name": NAME, "labels": workload.RESTRICTED}, opts=own)
    place = namespace.metadata["name"]
    replicas = config.get_int("replicas")
    pods = workload.deployment(NAME, config.require("image"), 2 if replicas is None else replicas)
    deployment = kubernetes.apps.v1.Deployment(NAME, metadata={"name": NAME, "namespace": place}, spec=pods, opts=fixed)
    kubernetes.policy.v1.PodDisruptionBudget(NAME, metadata={"name": NAME, "namespace": place}, spec=workload.budget(NAME), opts=fixed)
    behind = ResourceOptions(provider=provider, delete_before_replace=True, depends_on=[deployment])
    # A Service waits for pods that answer; scaled to none there are none.
    lonely = {"pulumi.com/skipAwait": "true"} if replicas == 0 else {}
    service = kubernetes.core.v1.Service(
        NAME, metadata={"name": NAME, "namespace": place, "annotations": lonely}, spec=workload.service(NAME), opts=behind
    )
    # A question to the environment is asked inside apply. Its outputs are known in previews, so the preview shows what is built here too.
    url = environment.ingress.apply(lambda ingress: front_door(ingress, place, behind))

    pulumi.export("namespace", place)
    pulumi.export("cluster_ip", service.spec.apply(lambda spec: spec.cluster_ip))
    pulumi.export("url", url)


main()

"""The contract as outputs of another stack, inside a Pulumi program. The only module here that knows Pulumi."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pulumi
from pulumi import Output

from .contract import Api, Bgp, Ingress, Limits, Location, Networks, Node, Published
from .errors import ContractError
from .reading import read

Value = TypeVar("Value")


class StackEnvironment:
    """An environment's fields, each an Output of its own, so that only the kubeconfig is secret.

    Their values are known in previews too: the engine reads them from the other stack's state. A question such as "is there an ingress" is
    asked inside `published.apply(...)`, which gets everything but the kubeconfig as one object.
    """

    def __init__(self, stack: str, *, name: str | None = None) -> None:
        reference = pulumi.StackReference(name or stack, stack_name=stack)
        self._where = f"stack {stack}"
        # Each output by itself: all of them together would be secret, as one of them is.
        outputs = {field: reference.get_output(field) for field in Published.model_fields}
        names: Output[list[str]] = reference.outputs.apply(sorted)
        self.published: Output[Published] = Output.all(names=Output.unsecret(names), **outputs).apply(self._published)
        """Everything but the kubeconfig."""
        self.contract_version: Output[str] = self._field(lambda found: found.contract_version)
        self.environment: Output[str] = self._field(lambda found: found.environment)
        self.location: Output[Location] = self._field(lambda found: found.location)
        self.api: Output[Api] = self._field(lambda found: found.api)
        self.networks: Output[Networks] = self._field(lambda found: found.networks)
        self.nodes: Output[tuple[Node, ...]] = self._field(lambda found: found.nodes)
        self.bgp: Output[Bgp] = self._field(lambda found: found.bgp)
        self.ingress: Output[Ingress | None] = self._field(lambda found: found.ingress)
        self.storage_class: Output[str | None] = self._field(lambda found: found.storage_class)
        self.limits: Output[Limits] = self._field(lambda found: found.limits)
        self.kube_proxy_mode: Output[str] = self._field(lambda found: found.kube_proxy_mode)
        self.verification_report: Output[str | None] = self._field(lambda found: found.verification_report)
        self.kubeconfig: Output[str] = Output.secret(Output.all(self.published, reference.get_output("kubeconfig")).apply(self._kubeconfig))
        """Access to the cluster as its administrator, secret."""

    def _field(self, take: Callable[[Published], Value]) -> Output[Value]:
        return self.published.apply(take)

    def _published(self, outputs: Mapping[str, Any]) -> Published:
        """Outputs that a stack does not have are not told apart from null by a StackReference."""
        try:
            return read(Published, {name: outputs.get(name) for name in outputs["names"]}, self._where)
        except ContractError as error:
            raise pulumi.RunError(str(error)) from None

    def _kubeconfig(self, found: list[Any]) -> str:
        if not isinstance(found[1], str) or not found[1]:
            raise pulumi.RunError(f"{self._where}: output kubeconfig cannot be read: use the stack's own secrets provider or passphrase here too")
        return found[1]

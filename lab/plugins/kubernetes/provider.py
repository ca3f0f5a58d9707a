"""The provider: one cluster, and a handler for every kind that is asked for."""

from __future__ import annotations

from typing import Any, Final

from lab.plugins.base import Difference, Failure, Properties, Provider, ProviderError, Resource, Unknown, changed_paths

from .cluster import Cluster
from .kubeconfig import active_cluster, read_kubeconfig
from .objects import kind_of
from .resource import KubernetesResource

_NOT_TAKEN: Final = frozenset({"alwaysRender", "helmReleaseSettings", "renderYamlToDirectory"})
_TAKEN: Final = frozenset(
    {
        "cluster",
        "clusterIdentifier",
        "context",
        "deleteUnreachable",
        "enableConfigMapMutable",
        "enablePatchForce",
        "enableSecretMutable",
        "enableServerSideApply",
        "kubeClientSettings",
        "kubeconfig",
        "namespace",
        "skipUpdateUnreachable",
        "suppressDeprecationWarnings",
        "suppressHelmHookWarnings",
        "upsertExistingObjects",
    }
)


class KubernetesProvider(Provider):
    """A cluster, as its kubeconfig describes it. Kinds are the cluster's own affair: any token that names one is taken."""

    def __init__(self) -> None:
        super().__init__("kubernetes", config_inputs=_TAKEN)
        self.cluster = Cluster({})
        self._handlers: dict[str, Resource] = {}

    def resource(self, token: str) -> Resource:
        """The handler of a kind, or of patches of it."""
        if token not in self._handlers:
            self._handlers[token] = KubernetesResource(token, kind_of(token), lambda: self.cluster)
        return self._handlers[token]

    def check_config(self, inputs: Properties) -> list[Failure]:
        """As the base has it; settings of the vendor's plugin that this one lacks are called so."""
        lacking = sorted(name for name in _NOT_TAKEN & inputs.keys() if inputs[name] not in {None, "", "false"})
        failures = [Failure(name, f"the lab's stand-in for kubernetes does not take '{name}'") for name in lacking]
        return failures + super().check_config({name: value for name, value in inputs.items() if name not in _NOT_TAKEN})

    def diff_config(self, old_inputs: Properties, inputs: Properties) -> Difference:
        """Another cluster replaces all that is on it: another `clusterIdentifier`, or without one another server or CA."""
        changes = changed_paths(old_inputs, inputs)
        if not changes:
            return Difference()
        before, after = old_inputs.get("clusterIdentifier"), inputs.get("clusterIdentifier")
        if before and after:
            replaced = isinstance(after, Unknown) or before != after
            return Difference(changes, frozenset({("clusterIdentifier",)} & changes.keys() if replaced else ()))
        if any(isinstance(inputs.get(name), Unknown) for name in ("kubeconfig", "context", "cluster")):
            return Difference(changes, frozenset(changes))
        same = _active(old_inputs) == _active(inputs)
        return Difference(changes, frozenset() if same else frozenset(changes))

    def configure(self, inputs: Properties) -> None:
        """Takes the kubeconfig; connects to nothing."""
        super().configure(inputs)
        self.cluster = Cluster(inputs)

    async def close(self) -> None:
        """Closes the connections."""
        await self.cluster.close()


def _active(inputs: Properties) -> dict[str, Any]:
    try:
        return active_cluster(read_kubeconfig(inputs.get("kubeconfig", "")), inputs.get("context", ""), inputs.get("cluster", ""))
    except ProviderError:
        return {}

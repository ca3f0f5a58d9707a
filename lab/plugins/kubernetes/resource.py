"""Objects of any kind, and patches of objects, as the engine's resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.plugins.base import Call, Difference, Failure, PartialError, Properties, ProviderError, Resource, Secret, State, changed_paths, has_unknown

from .api import UnknownKindError, UnreachableError
from .cluster import Cluster
from .objects import DEFAULT_NAMESPACE, Kind, Object, Ref, annotation, block, ref_of_id, without_nulls
from .outputs import FIELD_MANAGER, inputs_now, planned, recorded
from .rehearsal import rehearse
from .replacement import replaces
from .waiting import NotReadyError, Wait, annotated_timeout_s, check_for, is_awaited
from .writing import Writer


class KubernetesResource(Resource):
    """One type: a kind's objects, or patches of them. What a kind's fields are is the server's to know."""

    def __init__(self, token: str, kind: Kind, cluster: Callable[[], Cluster]) -> None:
        self.token = token
        self._kind = kind
        self._cluster = cluster

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """The inputs with the provider's namespace where they name none. Asks no server."""
        del old_inputs
        checked: Properties = without_nulls(inputs)
        kind = self._kind.of(checked)
        checked = {"apiVersion": kind.api_version, "kind": kind.kind, **checked}
        metadata: Any = checked.setdefault("metadata", {})
        failures: list[Failure] = []
        if isinstance(metadata, dict):
            metadata = block(checked, "metadata")
            if kind.patch and metadata.get("name", "") == "":
                failures.append(Failure("metadata.name", "patch resources require the resource `.metadata.name` to be set"))
            if self._cluster().namespace and kind.has_default_namespace and "namespace" not in metadata:
                checked["metadata"] = {**metadata, "namespace": self._cluster().namespace}
        failures += _annotation_failures(kind, checked)
        if (kind.group, kind.kind) == ("", "Secret"):
            checked |= {name: Secret(checked[name]) for name in ("data", "stringData") if name in checked}
        return checked, failures

    def diff(self, old: State, inputs: Properties) -> Difference:
        """What differs between the inputs then and now. Asks no server."""
        kind = self._kind.of(inputs)
        before, after = _comparable(kind, old.inputs or {}), _comparable(kind, inputs)
        changes = changed_paths(before, after)
        replaced = frozenset(path for path in changes if replaces(path, kind, inputs, self._cluster().settings))
        same = all(before["metadata"].get(name) == after["metadata"].get(name) for name in ("name", "namespace"))
        return Difference(changes, replaced, delete_before_replace=bool(replaced) and same and "name" in after["metadata"])

    def planned(self, inputs: Properties) -> Properties:
        """The inputs, and what the server decides as unknown. Raises ProviderError when a server that can be asked would refuse them."""
        self._rehearse(inputs, None)
        return planned(self._kind.of(inputs), inputs, {})

    def planned_update(self, old: State, inputs: Properties) -> Properties:
        """The inputs, and what the server decided before. Raises ProviderError when a server that can be asked would refuse them."""
        self._rehearse(inputs, old)
        return planned(self._kind.of(inputs), inputs, old.outputs)

    def _rehearse(self, inputs: Properties, old: State | None) -> None:
        rehearsal = None if has_unknown(inputs) else self._cluster().rehearsal()
        if rehearsal is not None:
            rehearse(rehearsal, self._cluster().settings, self._kind.of(inputs), inputs, old)

    def _writer(self, call: Call, kind: Kind) -> Writer:
        cluster = self._cluster()
        return Writer(cluster.api(), cluster.settings, kind, call)

    async def create(self, call: Call, inputs: Properties) -> State:
        """Makes the object, or patches one that is there, and waits until it is ready."""
        kind = self._kind.of(inputs)
        writer = self._writer(call, kind)
        ref, live, manager = await writer.create(inputs)
        return await self._settled(call, kind, ref, State(ref.id, recorded(kind, live, manager, inputs, call.secrets), inputs), live)

    async def update(self, call: Call, old: State, inputs: Properties) -> Properties:
        """Applies the inputs and waits until the object is ready."""
        kind = self._kind.of(inputs)
        ref = ref_of_id(kind, old.id)
        live, manager = await self._writer(call, kind).update(ref, old, inputs)
        state = await self._settled(call, kind, ref, State(ref.id, recorded(kind, live, manager, inputs, call.secrets), inputs), live)
        return state.outputs

    async def _settled(self, call: Call, kind: Kind, ref: Ref, state: State, live: Object) -> State:
        """The state once the object is ready. Raises PartialError when it is there and does not become ready."""
        inputs = state.inputs or {}
        if not is_awaited(inputs):
            return state
        try:
            latest = await Wait(self._cluster().api(), call, kind, ref, inputs).ready(live)
        except NotReadyError as error:
            raise PartialError(str(error), state) from None
        if kind.patch:  # the fields of a patch are what the write made them
            return state
        return State(state.id, recorded(kind, latest, state.outputs[FIELD_MANAGER], inputs, call.secrets), inputs)

    async def read(self, call: Call, old: State) -> State | None:
        """The object as it is; of a patch only the patch's own fields, None where they are on no object any more."""
        kind = self._kind.of(old.inputs or old.outputs)
        ref = ref_of_id(kind, old.id)
        settings = self._cluster().settings
        try:
            live = await self._cluster().api().get(ref)
        except UnknownKindError:
            return None
        except UnreachableError as error:
            if settings.delete_unreachable:
                await call.log("warning", f"{error}: the resource is forgotten, as deleteUnreachable says")
                return None
            if settings.skip_update_unreachable:
                await call.log("warning", f"{error}: what is shown may be out of date")
                return old
            raise ProviderError(f"{error}; if the cluster is gone, PULUMI_K8S_DELETE_UNREACHABLE=true makes Pulumi forget what was on it") from None
        if live is None:
            return None
        manager = old.outputs.get(FIELD_MANAGER) or annotation(old.inputs or {}, "patchFieldManager") or "pulumi-kubernetes"
        inputs = inputs_now(kind, old.inputs or {}, live, old.outputs)
        return State(old.id, recorded(kind, live, manager, inputs, call.secrets), inputs)

    async def delete(self, call: Call, old: State) -> None:
        """Deletes the object and waits until it is gone; of a patch it gives up the fields."""
        kind = self._kind.of(old.inputs or old.outputs)
        try:
            await self._writer(call, kind).delete(ref_of_id(kind, old.id), old)
        except UnknownKindError:
            return
        except UnreachableError as error:
            if not self._cluster().settings.delete_unreachable:
                raise
            await call.log("warning", f"{error}: the resource is forgotten, as deleteUnreachable says")


def _annotation_failures(kind: Kind, inputs: Properties) -> list[Failure]:
    """What is wrong with the annotations that are for this plugin, before anything is made."""
    if annotation(inputs, "replaceUnready"):
        return [Failure("metadata.annotations", "the lab's stand-in for kubernetes does not take pulumi.com/replaceUnready")]
    try:
        annotated_timeout_s(inputs)
        check_for(kind, inputs)
    except ProviderError as error:
        return [Failure("metadata.annotations", str(error))]
    return []


def _comparable(kind: Kind, inputs: Properties) -> Properties:
    """The inputs with their namespace: the default one named is no change."""
    metadata = block(inputs, "metadata")
    given = metadata.get("namespace", "")
    namespace = {"namespace": DEFAULT_NAMESPACE if given == "" else given} if kind.namespaced else {}
    rest = {name: value for name, value in metadata.items() if name != "namespace"}
    return {**inputs, "metadata": {**rest, **namespace}}

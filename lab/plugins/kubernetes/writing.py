"""Creating, changing and deleting one object."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final, cast

from lab.plugins.base import Call, Properties, ProviderError, State

from .api import Api, ApiError, UnknownKindError
from .objects import Kind, Object, Ref, annotation, block, blocks, is_true, ref_of
from .outputs import FIELD_MANAGER, masked
from .settings import Settings
from .waiting import Wait, is_awaited

_CLIENT_SIDE_MANAGER: Final = "pulumi-kubernetes"
_MISSING_PATIENCE_S: Final = 30.0
"""How long the namespace or the definition that an object needs may be late."""
_PROPAGATION: Final = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


class Writer:
    """What one operation does to one object. Every method raises ProviderError, with no secret in its message."""

    def __init__(self, api: Api, settings: Settings, kind: Kind, call: Call, *, dry_run: bool = False) -> None:
        self._api = api
        self._settings = settings
        self._kind = kind
        self._call = call
        self._dry_run = dry_run
        self._missing_patience_s = 0.0 if dry_run else _MISSING_PATIENCE_S
        self._secret_inputs: Properties = {}

    async def create(self, inputs: Properties) -> tuple[Ref, Object, str]:
        """Makes the object, or applies a patch to the one that is there: which, as it is now, and who owns the fields."""
        if self._kind.patch and not self._settings.server_side_apply:
            raise ProviderError("patch resources need server-side apply: set enableServerSideApply on the provider")
        self._secret_inputs = inputs
        body = _named(self._call, inputs)
        ref = ref_of(self._kind, body)
        manager = self._manager(inputs, {})
        live = await self._existing(ref)
        if self._kind.patch:
            if live is None:
                raise ProviderError(f"{ref} is not there: a patch changes an object that exists, it makes none")
            patched = await self._apply(ref, body, manager, live)
            return _ref_from(ref, patched), patched, manager
        if live is not None and not self._settings.upsert:
            raise ProviderError(f"{ref} already exists: import it, or change it by a {self._kind.kind}Patch")
        made = await self._make(ref, body, manager, live)
        return _ref_from(ref, made), made, manager

    async def update(self, ref: Ref, old: State, inputs: Properties) -> tuple[Object, str]:
        """Applies the inputs: the object as it is then, and who owns the fields."""
        self._secret_inputs = inputs
        live = await self._api.get(ref)
        if live is None:
            raise ProviderError(f"{ref} is not there any more: `pulumi refresh` lets Pulumi know, the next `pulumi up` makes it again")
        before = self._manager(old.inputs or {}, old.outputs)
        manager = self._manager(inputs, old.outputs)
        body = {**inputs, "metadata": {**block(inputs, "metadata"), "name": ref.name}}
        if not self._settings.server_side_apply:
            change = _merge_patch(old.inputs or {}, inputs)
            return await self._guarded(self._api.merge(ref, change, manager, dry_run=self._dry_run)), manager
        applied = await self._apply(ref, body, manager, live)
        if manager != before and not self._dry_run:
            applied = await self._give_up(ref, before, applied)
        return applied, manager

    async def delete(self, ref: Ref, old: State) -> None:
        """Deletes the object and waits until it is gone; of a patch it gives up the fields."""
        live = await self._api.get(ref)
        if live is None:
            return
        inputs = old.inputs or old.outputs
        if self._kind.patch:
            await self._give_up(ref, self._manager(inputs, old.outputs), live)
            return
        uid: str = live["metadata"]["uid"]
        known = block(old.outputs, "metadata").get("uid", uid)
        if known != uid:
            await self._call.log("warning", f"{ref} is another object by now and is left alone")
            return
        policy = _PROPAGATION.get(annotation(inputs, "deletionPropagationPolicy").lower(), "Foreground")
        await self._guarded(self._api.delete(ref, uid, policy))
        if is_awaited(inputs):
            await Wait(self._api, self._call, self._kind, ref, inputs).gone(uid)

    def _manager(self, inputs: Properties, outputs: Properties) -> str:
        """Who owns the fields: as the annotation says, as recorded, or somebody new."""
        if not self._settings.server_side_apply:
            return _CLIENT_SIDE_MANAGER
        return annotation(inputs, "patchFieldManager") or outputs.get(FIELD_MANAGER) or f"pulumi-kubernetes-{secrets.token_hex(4)}"

    async def _existing(self, ref: Ref) -> Object | None:
        """The object, if there is one; a kind that is being defined just now is waited for."""
        deadline = time.monotonic() + self._missing_patience_s
        while True:
            try:
                return await self._api.get(ref)
            except UnknownKindError as error:
                if time.monotonic() >= deadline:
                    raise
                await self._call.status(str(error))
            await asyncio.sleep(1)

    async def _make(self, ref: Ref, body: Object, manager: str, live: Object | None) -> Object:
        """Makes the object; a namespace that is being made just now is waited for."""
        deadline = time.monotonic() + self._missing_patience_s
        while True:
            try:
                if self._settings.server_side_apply:
                    return await self._apply(ref, body, manager, live)
                return await self._guarded(self._api.create(ref, body, manager, dry_run=self._dry_run))
            except ApiError as error:
                if error.status != 404 or time.monotonic() >= deadline:
                    raise
                await self._call.status(str(error))
            await asyncio.sleep(1)

    async def _apply(self, ref: Ref, body: Object, manager: str, live: Object | None) -> Object:
        """Server-side apply to this very object, or to none."""
        uid = {"uid": live["metadata"]["uid"]} if live else {}
        force = self._settings.patch_force or is_true(annotation(body, "patchForce"))
        exact = {**body, "apiVersion": ref.api_version, "kind": ref.kind, "metadata": {**block(body, "metadata"), **uid}}
        try:
            return await self._guarded(self._api.apply(ref, exact, manager, force=force, dry_run=self._dry_run))
        except ApiError as error:
            if error.status == 409 and error.reason == "Conflict" and "conflict" in str(error):
                hint = 'to take the fields over, set the annotation pulumi.com/patchForce: "true"'
                raise ProviderError(f"{ref}: {error} (the field manager here is {manager}; {hint})") from None
            raise

    async def _give_up(self, ref: Ref, manager: str, live: Object) -> Object:
        """Lets go of every field of the field manager: those that nobody else owns go, or fall back to their defaults."""
        if not any(entry.get("manager") == manager for entry in blocks(live, "metadata", "managedFields")):
            return live
        metadata = {"name": ref.name, "uid": live["metadata"]["uid"], **({"namespace": ref.namespace} if ref.namespace else {})}
        try:
            return await self._guarded(self._api.apply(ref, {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}, manager))
        except ApiError as error:
            if error.status in {404, 409}:  # deleted meanwhile, or made anew
                return live
            if error.status == 422:
                hint = "set the resource option retain_on_delete, or let another field manager own the field first"
                raise ProviderError(f"{ref}: the patch holds a field that the object needs: {error} ({hint})") from None
            raise

    async def _guarded(self, request: Any) -> Any:
        """The answer; a refusal is told without the secrets it may quote."""
        try:
            return await request
        except ApiError as error:
            message = masked(str(error), self._secret_inputs, self._call.secrets)
            raise ApiError(error.status, error.reason, message, error.fields) from None


def _named(call: Call, inputs: Properties) -> Object:
    """The inputs with a name; one that the program does not give is the resource's with something random after it."""
    metadata = dict(block(inputs, "metadata"))
    if not metadata.get("name") and not metadata.get("generateName"):
        metadata["name"] = f"{call.name.lower()}-{secrets.token_hex(4)}"
        metadata["annotations"] = {**block(metadata, "annotations"), "pulumi.com/autonamed": "true"}
    return {**inputs, "metadata": metadata}


def _ref_from(ref: Ref, live: Object) -> Ref:
    """The object's names as the server has them."""
    metadata = live["metadata"]
    return Ref(ref.api_version, ref.kind, metadata["name"], metadata.get("namespace", ""))


def _merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Object:
    """The JSON merge patch from one to the other; lists are replaced as a whole."""
    patch: Object = dict.fromkeys(old.keys() - new.keys())
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = _merge_patch(cast("Object", before), cast("Object", value))
            if inner:
                patch[name] = inner
        elif value != before:
            patch[name] = value
    return patch

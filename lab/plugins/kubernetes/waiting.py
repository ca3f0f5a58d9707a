"""Waiting until an object is ready or gone, with progress, and with what was last seen when the time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from lab.plugins.base import Call, Properties, ProviderError

from .api import Api, ApiError, UnreachableError, is_busy
from .objects import Kind, Object, Ref, annotation, block, blocks, is_true
from .ready import READY, Check, Progress, check_of, trouble
from .wanted import wanted

DEFAULT_TIMEOUT_S: Final = 600.0
_POLL_S: Final = 0.5
_LONGEST_POLL_S: Final = 3.0
_NOT_YET_ALLOWED_S: Final = 30.0
"""An API server that has just started refuses for some seconds whom it lets in later."""
_PODS_SHOWN: Final = 3

Answer = TypeVar("Answer")


class NotReadyError(ProviderError):
    """The object is there and did not become ready."""


def timeout_s(call: Call, inputs: Properties) -> float:
    """The resource option's time, else the annotation's, else ten minutes."""
    return call.timeout_s or annotated_timeout_s(inputs) or DEFAULT_TIMEOUT_S


def annotated_timeout_s(inputs: Properties) -> float | None:
    """The annotation's time. Raises ProviderError when it is no whole number."""
    text = annotation(inputs, "timeoutSeconds")
    try:
        return float(int(text)) if text else None
    except ValueError:
        raise ProviderError(f"the annotation pulumi.com/timeoutSeconds is '{text}', which is no whole number of seconds") from None


def is_awaited(inputs: Properties) -> bool:
    """Whether the annotation `pulumi.com/skipAwait` is not set."""
    return not is_true(annotation(inputs, "skipAwait"))


def check_for(kind: Kind, inputs: Properties) -> Check | None:
    """What to wait for: what the annotation `pulumi.com/waitFor` says, else what is known of the kind. Raises ProviderError."""
    text = annotation(inputs, "waitFor")
    return wanted(text) if text else check_of(kind)


class Wait:
    """One wait for one object."""

    def __init__(self, api: Api, call: Call, kind: Kind, ref: Ref, inputs: Properties) -> None:
        self._api = api
        self._call = call
        self._kind = kind
        self._ref = ref
        self._check = check_for(kind, inputs)
        self._limit_s = timeout_s(call, inputs)
        self._deadline = time.monotonic() + self._limit_s
        self._shown = ""
        self._refused_since = 0.0
        self._is_lost = False

    async def ready(self, live: Object) -> Object:
        """The object once it is ready; `live` is what the last write gave. Raises NotReadyError."""
        check = self._check
        if check is None:
            return live
        latest = live
        generation: int = block(live, "metadata").get("generation", 0)

        async def look() -> Progress:
            nonlocal latest
            found = await self._api.get(self._ref, patient=False)
            if found is None:
                return Progress(done=False, text="it was deleted by somebody else", failed=True)
            latest = found
            if block(found, "metadata").get("generation", 0) < generation:
                return Progress(done=False, text="waiting for the API to show the change")
            return await self._progress(check, found)

        progress = await self._until(look)
        if progress.done:
            return latest
        reasons = [progress.text, *await self._troubles(latest)]
        over = "" if progress.failed else f" within {self._limit_s:.0f} s"
        raise NotReadyError(f"{self._ref} did not become ready{over}: {'; '.join(reason for reason in reasons if reason)}")

    async def gone(self, uid: str) -> None:
        """Returns when the object with this uid is there no more. Raises NotReadyError."""

        async def look() -> Progress:
            found = await self._api.get(self._ref, patient=False)
            if found is None or block(found, "metadata").get("uid") != uid:
                return READY
            held = ", ".join(map(str, block(found, "metadata").get("finalizers") or []))
            return Progress(done=False, text=f"waiting for its deletion{f', held by {held}' if held else ''}{_remaining(found)}")

        progress = await self._until(look)
        if not progress.done:
            raise NotReadyError(f"{self._ref} was not gone within {self._limit_s:.0f} s: {progress.text}")

    async def _until(self, look: Callable[[], Awaitable[Progress]]) -> Progress:
        """Looks again and again until it is done, has failed or the time is over; the last thing seen."""
        pause = _POLL_S
        last = Progress(done=False, text="nothing was seen of it")
        while True:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                return last
            last = await self._look(look, last, remaining)
            if last.done or last.failed:
                return last
            await self._show(last.text)
            await asyncio.sleep(min(pause, max(self._deadline - time.monotonic(), 0)))
            pause = min(pause * 1.5, _LONGEST_POLL_S)

    async def _look(self, look: Callable[[], Awaitable[Progress]], last: Progress, limit_s: float) -> Progress:
        """One look; a server that restarts meanwhile is no failure."""
        try:
            async with asyncio.timeout(limit_s):
                found = await look()
        except TimeoutError:
            return last
        except UnreachableError as error:
            self._is_lost = True
            return Progress(done=False, text=str(error))
        except ApiError as error:
            self._refused_since = self._refused_since or time.monotonic()
            refused_s = time.monotonic() - self._refused_since
            if is_busy(error) or (error.status in {401, 403} and refused_s < _NOT_YET_ALLOWED_S):
                return Progress(done=False, text=str(error))
            raise NotReadyError(f"{self._ref}: {error}") from None
        self._refused_since = 0.0
        self._is_lost = False
        return found

    async def _show(self, text: str) -> None:
        if text != self._shown:
            self._shown = text
            await self._call.status(text)

    async def _progress(self, check: Check, live: Object) -> Progress:
        progress = check(live)
        if self._kind.kind == "PersistentVolumeClaim" and not progress.done and await self._binds_late(live):
            return READY
        if not progress.done or self._kind.kind != "Service" or check is not check_of(self._kind):
            return progress
        spec = block(live, "spec")
        if not spec.get("selector") or spec.get("type") == "ExternalName":
            return progress
        slices = await self._api.items("discovery.k8s.io/v1", "EndpointSlice", self._ref.namespace, f"kubernetes.io/service-name={self._ref.name}")
        ends = [end for entry in slices for end in blocks(entry, "endpoints")]
        if any(block(end, "conditions").get("ready") is not False for end in ends):
            return READY
        return Progress(done=False, text="no ready pod is behind the service")

    async def _binds_late(self, live: Object) -> bool:
        """Whether a claim is bound only when a pod uses it."""
        name = str(block(live, "spec").get("storageClassName", ""))
        storage = await self._api.get(Ref("storage.k8s.io/v1", "StorageClass", name), patient=False) if name else None
        return storage is not None and storage.get("volumeBindingMode") == "WaitForFirstConsumer"

    async def _troubles(self, live: Object) -> list[str]:
        """What keeps the pods of a workload from being ready, of some of them."""
        if self._kind.kind == "Pod":
            return [trouble(live)]
        labels = block(live, "spec", "selector", "matchLabels")
        if not labels or self._is_lost:
            return []
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        try:
            async with asyncio.timeout(10):
                pods = await self._api.items("v1", "Pod", self._ref.namespace, selector)
        except (ProviderError, TimeoutError):
            return []
        found = [text for text in map(trouble, pods) if text]
        more = [f"and {len(found) - _PODS_SHOWN} more pods"] if len(found) > _PODS_SHOWN else []
        return found[:_PODS_SHOWN] + more


def _remaining(live: Object) -> str:
    """What a namespace still holds, in its own words."""
    held = [str(entry.get("message") or "") for entry in blocks(live, "status", "conditions") if entry.get("status") == "True"]
    return f" ({'; '.join(text for text in held if text)})" if any(held) else ""

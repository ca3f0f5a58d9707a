"""What the API server would say to a change, asked while a preview runs and without changing anything."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from lab.plugins.base import Call, Properties, ProviderError, State

from .api import Api, ApiError, UnknownKindError, UnreachableError
from .objects import Kind, block, ref_of, ref_of_id
from .settings import Settings
from .writing import Writer

_ANSWER_S: Final = 10.0
"""A server that was there and does not answer within this time is left alone for the rest of the preview."""

Answer = TypeVar("Answer")


class Rehearsal:
    """An API server that is asked by a thread of its own: what the engine wants planned is planned without awaiting.

    When it does not answer once, it is not asked again.
    """

    def __init__(self, connect: Callable[[], Api]) -> None:
        self._connect = connect
        self._loop = asyncio.new_event_loop()
        self._api: Api | None = None
        self._is_lost = False
        threading.Thread(target=self._loop.run_forever, name="rehearsal", daemon=True).start()

    @property
    def is_lost(self) -> bool:
        """Whether the server did not answer."""
        return self._is_lost

    def api(self) -> Api:
        """The server, with little patience. Only for work that `run` is given."""
        if self._api is None:
            self._api = self._connect()
        return self._api

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer | None:
        """The result of the work, None when the server does not answer. Raises what the work raises."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(_ANSWER_S)
        except (UnreachableError, TimeoutError):
            future.cancel()
            self._is_lost = True
            return None

    def close(self) -> None:
        """Closes the connections and ends the thread."""
        if self._api is not None:
            asyncio.run_coroutine_threadsafe(self._api.close(), self._loop)
        self._loop.call_soon_threadsafe(self._loop.stop)


def rehearse(rehearsal: Rehearsal, settings: Settings, kind: Kind, inputs: Properties, old: State | None) -> None:
    """Has the server try a create (`old` is None) or an update. Raises ProviderError when it would refuse.

    What the update itself may bring about is no reason to refuse: a kind or namespace that is missing, an object that is still there.
    A patch's create is not tried, as with the vendor's plugin: the object may be there by then.
    """
    if rehearsal.is_lost or (old is None and (kind.patch or not block(inputs, "metadata").get("name"))):
        return

    async def work() -> None:
        writer = Writer(rehearsal.api(), settings, kind, _SILENT, dry_run=True)
        if old is not None:
            await writer.update(ref_of_id(kind, old.id), old, inputs)
        elif await rehearsal.api().get(ref_of(kind, inputs)) is None:
            await writer.create(inputs)

    try:
        rehearsal.run(work())
    except UnknownKindError:
        return
    except ApiError as error:
        if error.status not in _NOT_NOW and error.status < 500:
            raise ProviderError(_without_values(error)) from None


def _without_values(error: ApiError) -> str:
    """What the server says, without the values it quotes: which of them are secret is not known in a preview."""
    if error.fields:
        return f"the API server would refuse this: {', '.join(error.fields)}"
    return re.sub(r"Value:.*", "...", str(error))


async def _nothing(*_: str) -> None:
    """Shows nothing."""


_SILENT: Final = Call(urn="urn:pulumi:preview::preview::kubernetes::preview", timeout_s=0, log=_nothing, status=_nothing)
_NOT_NOW: Final = frozenset({401, 403, 404, 429})

"""The Kubernetes API over HTTP: objects in and out, with patience for a server that is busy or restarts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from lab.plugins.base import ProviderError

from .kubeconfig import Access
from .objects import DEFAULT_NAMESPACE, Object, Ref, blocks

if TYPE_CHECKING:
    import httpx

PATIENCE_S: Final = 90.0
"""How long one request is repeated while the server does not answer or says that it is busy."""
PREVIEW_PATIENCE_S: Final = 3.0
"""How long a preview looks for a server."""
_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 5.0
_CONNECT_TIMEOUT_S: Final = 10.0
_ANSWER_TIMEOUT_S: Final = 60.0
_BUSY: Final = frozenset({429, 502, 503, 504})
_BUSY_MESSAGES: Final = ("etcdserver: ", "storage is (re)initializing", "leader changed", "context deadline exceeded")
_FATAL_TLS: Final = ("CERTIFICATE_VERIFY_FAILED", "ALERT", "WRONG_VERSION_NUMBER")

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"


class ApiError(ProviderError):
    """The server refused a request; `status` is HTTP's, `fields` are those it names, with the reasons, but not their values."""

    def __init__(self, status: int, reason: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.fields = fields


class UnreachableError(ProviderError):
    """The server does not answer."""


class UnknownKindError(ProviderError):
    """The server has no such API version or kind."""


class Api:
    """One API server. Every method raises ApiError, UnreachableError or, for a kind the server does not have, UnknownKindError."""

    def __init__(self, access: Access, patience_s: float = PATIENCE_S, transport: httpx.AsyncBaseTransport | None = None) -> None:
        import httpx  # half of the plugin's start-up time, which an unchanged stack need not spend

        self._errors = httpx.TransportError
        self._server = access.server
        self._server_name = access.server_name
        self._patience_s = patience_s
        self._kinds: dict[tuple[str, str], tuple[str, bool]] = {}
        connect_s = min(_CONNECT_TIMEOUT_S, patience_s)
        self._client = httpx.AsyncClient(
            base_url=access.server,
            headers={"Accept": "application/json", **access.headers()},
            verify=access.tls() if access.server.startswith("https") else True,
            timeout=httpx.Timeout(min(_ANSWER_TIMEOUT_S, patience_s), connect=connect_s),
            trust_env=False,
            transport=transport,
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def get(self, ref: Ref, *, patient: bool = True) -> Object | None:
        """The object, None when there is none; with one attempt only for a caller that has patience of its own."""
        path = await self._path(ref)
        try:
            return await (self._send("GET", path) if patient else self._try("GET", path))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def apply(self, ref: Ref, body: Object, manager: str, *, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply: makes the fields in `body` so and the field manager `manager` their owner."""
        params = {"fieldManager": manager, "force": "true" if force else "false", "fieldValidation": "Warn"}
        return await self._send("PATCH", await self._path(ref), params | _dry(dry_run), body, APPLY)

    async def create(self, ref: Ref, body: Object, manager: str, *, dry_run: bool = False) -> Object:
        """Makes the object; an ApiError with status 409 when it is there already."""
        return await self._send("POST", await self._path(ref, collection=True), {"fieldManager": manager} | _dry(dry_run), body)

    async def merge(self, ref: Ref, body: Object, manager: str, *, dry_run: bool = False) -> Object:
        """A JSON merge patch."""
        return await self._send("PATCH", await self._path(ref), {"fieldManager": manager} | _dry(dry_run), body, MERGE)

    async def delete(self, ref: Ref, uid: str, propagation: str) -> None:
        """Deletes this very object; one that is gone, or another of its name, is left alone."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation, "preconditions": {"uid": uid}}
        try:
            await self._send("DELETE", await self._path(ref), body=body)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise

    async def items(self, api_version: str, kind: str, namespace: str, selector: str) -> list[Object]:
        """The objects of a namespace that have the labels, with one attempt: only waits ask, which ask again."""
        path = await self._path(Ref(api_version, kind, "", namespace), collection=True)
        return blocks(await self._try("GET", path, {"labelSelector": selector}), "items")

    async def _path(self, ref: Ref, *, collection: bool = False) -> str:
        plural, namespaced = await self._kind(ref)
        namespace = f"/namespaces/{quote(ref.namespace or DEFAULT_NAMESPACE)}" if namespaced else ""
        return f"{_root(ref.api_version)}{namespace}/{plural}" + ("" if collection else f"/{quote(ref.name)}")

    async def _kind(self, ref: Ref) -> tuple[str, bool]:
        key = ref.api_version, ref.kind
        if key not in self._kinds:
            try:
                found = await self._send("GET", _root(ref.api_version))
            except ApiError as error:
                if error.status == 404:
                    raise UnknownKindError(f"the API server has no {ref.api_version}: is what defines it there?") from None
                raise
            for entry in blocks(found, "resources"):
                if "/" not in entry["name"]:
                    self._kinds[ref.api_version, entry["kind"]] = entry["name"], bool(entry["namespaced"])
        if key not in self._kinds:
            raise UnknownKindError(f"the API server has no kind {ref.kind} in {ref.api_version}: is what defines it there?")
        return self._kinds[key]

    async def _send(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: Object | None = None, content_type: str = "application/json"
    ) -> Object:
        """One request, repeated while the server cannot answer it."""
        deadline = time.monotonic() + self._patience_s
        pause = _PAUSE_S
        while True:
            try:
                return await self._try(method, path, params, body, content_type)
            except UnreachableError:
                if time.monotonic() + pause > deadline:
                    raise
            except ApiError as error:
                if not is_busy(error) or time.monotonic() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _try(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: Object | None = None, content_type: str = ""
    ) -> Object:
        content = None if body is None else json.dumps(body)
        extensions = {"sni_hostname": self._server_name} if self._server_name else {}
        try:
            response = await self._client.request(
                method,
                path,
                params=params,
                content=content,
                headers={"Content-Type": content_type} if content else {},
                extensions=extensions,
            )
        except self._errors as error:
            raise self._failure(error) from None
        try:
            answer: Object = response.json()
        except ValueError:
            answer = {"message": response.text[:200]}
        if response.status_code >= 400:
            message = " ".join(str(answer.get("message") or response.reason_phrase).split())
            causes = blocks(answer, "details", "causes")
            fields = tuple(f"{cause.get('field', '')} ({_cause(cause)})" for cause in causes)
            raise ApiError(response.status_code, str(answer.get("reason", "")), message, fields)
        return answer

    def _failure(self, error: Exception) -> ProviderError:
        text = " ".join(str(error).split()) or type(error).__name__
        if any(word in text for word in _FATAL_TLS):
            return ProviderError(f"the Kubernetes API server at {self._server} is not the kubeconfig's: {text}")
        return UnreachableError(f"the Kubernetes API server at {self._server} does not answer: {text}")


def is_busy(error: ApiError) -> bool:
    """Whether the server will answer the same request later."""
    return error.status in _BUSY or (error.status == 500 and any(text in str(error) for text in _BUSY_MESSAGES))


def _cause(cause: Object) -> str:
    """Why a field is refused. A conflict's message names another field manager; other messages may quote values."""
    reason = str(cause.get("reason", ""))
    return str(cause.get("message", "")) if reason == "FieldManagerConflict" else reason


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _dry(dry_run: bool) -> dict[str, str]:  # noqa: FBT001
    return {"dryRun": "All"} if dry_run else {}

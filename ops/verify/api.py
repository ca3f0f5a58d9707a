"""The cluster's API, read as its administrator: client certificate and CA from the kubeconfig, no file on the disk."""

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx
import yaml

PAGE: Final = 500
"""Objects in one answer; etcd is asked for no more at a time."""
AT_ONCE: Final = 8
ANSWER_BYTES: Final = 64 << 20
TOTAL_BYTES: Final = 256 << 20
ATTEMPT_S: Final = 20.0


class ApiError(Exception):
    """Why the API, or a path of it, cannot be read; begins with the status where there was one."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a kubeconfig says of its current context."""

    server: str
    ca: str
    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """TLS with this CA alone; the key passes through memory only. ApiError where the texts are no certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with ExitStack() as stack:
            paths: list[str] = []
            for name, content in (("certificate", self.certificate), ("key", self.key)):
                # OpenSSL reads files alone: these have no name and end with the context.
                descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
                stack.callback(os.close, descriptor)
                os.write(descriptor, content)
                paths.append(f"/proc/self/fd/{descriptor}")
            try:
                context.load_verify_locations(cadata=self.ca)
                context.load_cert_chain(*paths)
            except (ssl.SSLError, ValueError):
                raise ApiError("the kubeconfig's certificates cannot be read: run `pulumi up`") from None
        return context


def credentials(kubeconfig: str) -> Credentials:
    """What the kubeconfig's current context leads to; ApiError where it is not as underlay writes it."""
    try:
        tree: Any = yaml.safe_load(kubeconfig)
        context = _named(tree["contexts"], tree["current-context"])["context"]
        cluster = _named(tree["clusters"], context["cluster"])["cluster"]
        user = _named(tree["users"], context["user"])["user"]
        return Credentials(
            server=str(cluster["server"]),
            ca=base64.b64decode(cluster["certificate-authority-data"]).decode(),
            certificate=base64.b64decode(user["client-certificate-data"]),
            key=base64.b64decode(user["client-key-data"]),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, StopIteration):
        raise ApiError("the kubeconfig has no server with a CA and a client certificate in its current context: run `pulumi up`") from None


def _named(entries: Any, name: Any) -> Any:
    return next(entry for entry in entries if entry["name"] == name)


@dataclass
class Reading:
    """One run's requests, and how much they may still bring."""

    client: httpx.AsyncClient
    slots: asyncio.Semaphore
    documents: dict[str, Any]
    errors: dict[str, str]
    left: int = TOTAL_BYTES

    async def read(self, path: str) -> None:
        """Read one path into `documents` or `errors`."""
        async with self.slots:
            try:
                self.documents[path] = await self._document(path)
            except ApiError as error:
                self.errors[path] = str(error)

    async def _document(self, path: str) -> Any:
        """The whole document; a list whose pages have grown too old while they were read is begun anew, once."""
        try:
            return await self._pages(path)
        except ApiError as error:
            if not str(error).startswith("410"):
                raise
            return await self._pages(path)

    async def _pages(self, path: str) -> Any:
        paged = "/proxy/" not in path
        document: Any = await self._get(path, {"limit": str(PAGE)} if paged else {})
        page: Any = document
        while token := _continue(page) if paged else "":
            page = await self._get(path, {"limit": str(PAGE), "continue": token})
            document["items"] += page.get("items") or []
        if document is not page:
            document["metadata"] = page.get("metadata", {})
        return document

    async def _get(self, path: str, more: dict[str, str]) -> Any:
        url = httpx.URL(path)
        try:
            async with asyncio.timeout(ATTEMPT_S), self.client.stream("GET", url.copy_merge_params(more)) as response:
                content = await self._content(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise ApiError(_reason(error)) from None
        if not response.is_success:
            raise ApiError(f"{response.status_code}: {_said(content) or response.reason_phrase}")
        if "json" not in response.headers.get("content-type", ""):
            return content.decode(errors="replace")
        try:
            return json.loads(content)
        except ValueError:
            raise ApiError("the answer is not the JSON that it says it is") from None

    async def _content(self, response: httpx.Response) -> bytes:
        parts = bytearray()
        async for part in response.aiter_bytes():
            parts += part
            self.left -= len(part)
            if len(parts) > ANSWER_BYTES or self.left < 0:
                raise ApiError(f"the answer has more than {ANSWER_BYTES} bytes, or all have more than {TOTAL_BYTES}")
        return bytes(parts)


def _continue(page: Any) -> str:
    """The token of a list's next page; empty at its end and for what is no list."""
    tree: dict[str, Any] = cast("dict[str, Any]", page) if isinstance(page, dict) else {}
    metadata = tree.get("metadata")
    return str(cast("dict[str, Any]", metadata).get("continue") or "") if isinstance(metadata, dict) and isinstance(tree.get("items"), list) else ""


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "no answer in time"
    return " ".join(str(error).split()) or type(error).__name__


def _said(content: bytes) -> str:
    """The message of a Status object."""
    try:
        status: object = json.loads(content)
    except ValueError:
        return " ".join(content[:200].decode(errors="replace").split())
    return str(cast("dict[str, Any]", status).get("message") or "") if isinstance(status, dict) else ""


async def gather(
    kubeconfig: str, paths: Iterable[str], within_s: float, done: Callable[[str], None] = lambda _path: None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Documents and errors by path, all paths at once; every path is in one of both."""
    wanted = tuple(dict.fromkeys(paths))
    if not wanted:
        return {}, {}
    try:
        known = credentials(kubeconfig)
        context = known.context()
    except ApiError as error:
        return {}, dict.fromkeys(wanted, str(error))
    documents, errors = dict[str, Any](), dict[str, str]()
    bounds = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    try:
        async with (
            asyncio.timeout(within_s),
            httpx.AsyncClient(base_url=known.server, verify=context, trust_env=False, limits=bounds, timeout=ATTEMPT_S) as client,
            asyncio.TaskGroup() as group,
        ):
            reading = Reading(client, asyncio.Semaphore(AT_ONCE), documents, errors)
            for path in wanted:
                group.create_task(reading.read(path)).add_done_callback(lambda _task, path=path: done(path))
    except TimeoutError:
        for path in wanted:
            if path not in documents:
                errors.setdefault(path, f"no answer before the run's limit of {within_s:g} s")
    return documents, errors

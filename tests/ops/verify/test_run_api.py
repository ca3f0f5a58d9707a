"""The cluster's API: who is asked is known by its CA, who asks by its certificate; lists come whole, errors with their status."""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from ops.verify import api
from render.kubeconfig import kubeconfig
from tests.plugins.native_cluster import Authority, native_cluster

PODS: Final = 1203
asked: list[str] = []
running = [0, 0]
"""Requests now, and at most."""


class _Api(BaseHTTPRequestHandler):
    """Says what an API server says, as far as the reader can tell."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        del format, args

    def do_GET(self) -> None:
        asked.append(self.path)
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        running[0] += 1
        running[1] = max(running)
        try:
            self._answer(parts.path, query)
        finally:
            running[0] -= 1

    def _answer(self, path: str, query: dict[str, list[str]]) -> None:
        if path == "/api/v1/pods":
            start = int(query.get("continue", ["0"])[0])
            if start and asked.count(self.path) == 1 and start > 500:
                return self._say(410, {"kind": "Status", "message": "The provided continue parameter is too old"})
            end = min(PODS, start + int(query["limit"][0]))
            metadata = {"resourceVersion": "7", **({"continue": str(end)} if end < PODS else {})}
            return self._say(200, {"kind": "PodList", "metadata": metadata, "items": [{"n": number} for number in range(start, end)]})
        if path == "/api/v1/nodes/a/proxy/metrics":
            return self._say(400 if "limit" in query else 200, "kubeproxy_sync 1\n", "text/plain")
        if path == "/api/v1/services":
            return self._say(200, {"kind": "ServiceList", "metadata": {}, "items": [], "asked": query})
        if path == "/secret":
            return self._say(403, {"kind": "Status", "message": "you may not"})
        if path == "/lie":
            return self._say(200, "{", "application/json")
        if path == "/large":
            return self._say(200, "x" * 200_000, "text/plain")
        if path.startswith("/slow"):
            time.sleep(0.1)
            return self._say(200, {})
        return self._say(404, {"kind": "Status", "message": "the server could not find the requested resource"})

    def _say(self, status: int, content: Any, kind: str = "application/json") -> None:
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address


@contextmanager
def serving(folder: Path) -> Generator[str]:
    """The kubeconfig of a server that wants its clients' certificate."""
    asked.clear()
    running[:] = [0, 0]
    authority = Authority(folder)
    authority.issue("server")
    authority.issue("admin", "system:masters")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = _Server(("127.0.0.1", 0), _Api)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield config_of(folder, server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def config_of(folder: Path, port: int) -> str:
    ca, certificate, key = ((folder / name).read_text() for name in ("ca.crt", "admin.crt", "admin.key"))
    return kubeconfig(cluster="t", server=f"https://127.0.0.1:{port}", ca_certificate=ca, client_certificate=certificate, client_key=key)


def read(config: str, *paths: str, within_s: float = 30) -> tuple[dict[str, Any], dict[str, str]]:
    return asyncio.run(api.gather(config, paths, within_s))


def test_lists_come_whole_and_everything_else_as_it_is(tmp_path: Path) -> None:
    with serving(tmp_path) as config:
        documents, errors = read(config, "/api/v1/pods", "/api/v1/services?labelSelector=a%3Db", "/api/v1/nodes/a/proxy/metrics", "/api/v1/pods")
    assert errors == {}
    assert [pod["n"] for pod in documents["/api/v1/pods"]["items"]] == list(range(PODS))
    assert documents["/api/v1/pods"]["metadata"] == {"resourceVersion": "7"}
    assert documents["/api/v1/services?labelSelector=a%3Db"]["asked"] == {"labelSelector": ["a=b"], "limit": [str(api.PAGE)]}
    assert documents["/api/v1/nodes/a/proxy/metrics"] == "kubeproxy_sync 1\n"


def test_what_cannot_be_read_is_an_error_with_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ANSWER_BYTES", 100_000)
    with serving(tmp_path) as config:
        documents, errors = read(config, "/secret", "/none", "/lie", "/large", "/slow")
    assert documents == {"/slow": {}}
    assert errors["/secret"] == "403: you may not"
    assert errors["/none"] == "404: the server could not find the requested resource"
    assert errors["/lie"] == "the answer is not the JSON that it says it is"
    assert "more than 100000 bytes" in errors["/large"]


def test_all_paths_are_read_at_once_and_only_so_many(tmp_path: Path) -> None:
    with serving(tmp_path) as config:
        paths = [f"/slow/{number}" for number in range(24)]
        documents, _ = read(config, *paths)
        assert len(documents) == len(paths)
        assert 1 < running[1] <= api.AT_ONCE


def test_what_has_not_come_by_the_limit_of_the_run_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def pages(_self: object, path: str) -> Any:
        await asyncio.sleep(60 if path == "/late" else 0)
        return {}

    monkeypatch.setattr(api.Reading, "_pages", pages)
    Authority(tmp_path).issue("admin")
    documents, errors = read(config_of(tmp_path, 1), "/a", "/late", within_s=2)
    assert documents == {"/a": {}}
    assert errors == {"/late": "no answer before the run's limit of 2 s"}


def test_a_server_with_another_ca_and_a_client_without_a_certificate_get_nothing(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Authority(other).issue("admin")
    with serving(tmp_path) as config:
        strange: Any = yaml.safe_load(config)
        foreign: Any = yaml.safe_load(config_of(other, 1))
        strange["clusters"][0]["cluster"]["certificate-authority-data"] = foreign["clusters"][0]["cluster"]["certificate-authority-data"]
        assert "CERTIFICATE_VERIFY_FAILED" in read(yaml.safe_dump(strange), "/slow")[1]["/slow"]
        assert asked == []
        unknown: Any = yaml.safe_load(config)
        unknown["users"] = foreign["users"]
        assert "/slow" in read(yaml.safe_dump(unknown), "/slow")[1]
        assert asked == []


@pytest.mark.parametrize("text", ["", "[]", "{", "clusters: []", "{}"])
def test_a_kubeconfig_that_is_none_is_an_error_at_every_path(text: str) -> None:
    documents, errors = read(text, "/a", "/b")
    assert documents == {}
    assert set(errors) == {"/a", "/b"}
    assert read(text) == ({}, {})


def test_nobody_there_is_an_error(tmp_path: Path) -> None:
    Authority(tmp_path).issue("admin")
    _, errors = read(config_of(tmp_path, 1), "/a")
    assert errors["/a"]


def test_the_key_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Authority(tmp_path).issue("admin")
    known = api.credentials(config_of(tmp_path, 1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    known.context()
    assert "BEGIN" not in repr(known).replace(known.ca, "").replace(repr(known.ca), "")


@pytest.mark.engine
def test_it_reads_a_real_api_server_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    with native_cluster() as cluster:
        monkeypatch.setattr(api, "PAGE", 2)
        for number in range(5):
            cluster.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m-{number}", "namespace": "default"}})
        documents, errors = read(
            cluster.kubeconfig, "/version", "/api/v1/namespaces/default/configmaps", "/apis/crd.projectcalico.org/v1/ippools", "/readyz"
        )
    assert documents["/version"]["gitVersion"].startswith("v1.")
    assert {f"m-{number}" for number in range(5)} <= {
        entry["metadata"]["name"] for entry in documents["/api/v1/namespaces/default/configmaps"]["items"]
    }
    assert documents["/readyz"] == "ok"
    assert errors["/apis/crd.projectcalico.org/v1/ippools"].startswith("404: ")

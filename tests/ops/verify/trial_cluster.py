"""A cluster for a trial, made up on loopback: an API that keeps what is written, and a kube-proxy that is one forwarder for all nodes."""

import json
import secrets
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from render.kubeconfig import kubeconfig
from tests.plugins.native_cluster import Authority

SERVICE = "127.82.0.1"


class Cluster:
    """What the API holds, what was asked of it, and how kube-proxy behaves."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.asked: list[str] = []
        self.refuse: dict[str, list[int]] = {}
        """Beginning of `METHOD path` to the statuses that it gets, one after the other, the last for ever."""
        self.when: Callable[[str], None] = lambda _asked: None
        """Told every request before it is done."""
        self.follows_after_s = 0.05
        self.drops_from: str | None = None
        """Connections to nobody from the first request on that begins so."""
        self.goes_on: str | None = None
        """An endpoint that is never taken away, by the address."""
        self.dead = False
        self.kubeconfig = ""
        self.port = 0
        self._turn = 0
        self._known: list[tuple[float, list[tuple[str, int]]]] = [(0.0, [])]

    def write(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """What the API says."""
        asked = f"{method} {path}"
        self.when(asked)
        self.asked.append(asked)
        for start, statuses in self.refuse.items():
            if asked.startswith(start):
                status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
                if status >= 400:
                    return status, {"kind": "Status", "message": "you may not"}
        try:
            return self._do(method, path, body)
        finally:
            self._known.append((time.monotonic() + self.follows_after_s, self.declared()))

    def _do(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            body["metadata"]["uid"] = f"uid-{len(self.asked)}"
            if body["kind"] == "Service":
                body["spec"]["clusterIP"] = SERVICE
            self.objects[f"{path}/{body['metadata']['name']}"] = body
            return 201, body
        if path not in self.objects:
            return 404, {"kind": "Status", "message": "not found"}
        if method == "PATCH":
            self.objects[path] |= body
            return 200, self.objects[path]
        return 200, self.objects.pop(path)

    def declared(self) -> list[tuple[str, int]]:
        """The Service's endpoints now."""
        slices = [one for one in self.objects.values() if one["kind"] == "EndpointSlice" and one["metadata"]["name"].startswith("underlay-verify-")]
        return [(address, one["ports"][0]["port"]) for one in slices for entry in one["endpoints"] for address in entry["addresses"]]

    def endpoint(self) -> tuple[str, int] | None:
        """Where kube-proxy sends the next connection."""
        now = time.monotonic()
        known = [endpoints for since, endpoints in list(self._known) if since <= now][-1]
        ever = [endpoint for _, endpoints in list(self._known) for endpoint in endpoints if endpoint[0] == self.goes_on]
        choice = sorted({*known, *ever})
        dropping = self.drops_from is not None and any(asked.startswith(self.drops_from) for asked in self.asked)
        self._turn += 1
        if self.dead or not choice or (dropping and self._turn % 5 == 0):
            return None
        # Not in turn: two nodes that ask in step would have one endpoint each.
        return secrets.choice(choice)


@contextmanager
def running(folder: Path) -> Generator[Cluster]:
    """The cluster, with its API and its kube-proxy."""
    cluster = Cluster()
    authority = Authority(folder)
    authority.issue("server")
    authority.issue("admin", "system:masters")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    server = _Server(("127.0.0.1", 0), _handler(cluster))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    ca, certificate, key = ((folder / name).read_text() for name in ("ca.crt", "admin.crt", "admin.key"))
    address = f"https://127.0.0.1:{server.server_address[1]}"
    cluster.kubeconfig = kubeconfig(cluster="t", server=address, ca_certificate=ca, client_certificate=certificate, client_key=key)
    ending = threading.Event()
    with socket.create_server((SERVICE, 0), backlog=1024) as listening:
        cluster.port = listening.getsockname()[1]
        threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=_proxy, args=(cluster, listening, ending))]
        for thread in threads:
            thread.start()
        try:
            yield cluster
        finally:
            ending.set()
            server.shutdown()
            server.server_close()
            for thread in threads:
                thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            del format, args

        def do_POST(self) -> None:
            self._do()

        def do_PATCH(self) -> None:
            self._do()

        def do_DELETE(self) -> None:
            self._do()

        def _do(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = cluster.write(self.command, self.path, json.loads(content) if content else None)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _proxy(cluster: Cluster, listening: socket.socket, ending: threading.Event) -> None:
    """Hand each connection on; one without an endpoint is closed."""
    listening.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ)
        while not ending.is_set():
            if not selector.select(0.1):
                continue
            with suppress(BlockingIOError), listening.accept()[0] as client:
                endpoint = cluster.endpoint()
                if endpoint is not None:
                    with suppress(OSError), socket.create_connection(endpoint, timeout=1) as behind:
                        while piece := behind.recv(1024):
                            client.sendall(piece)

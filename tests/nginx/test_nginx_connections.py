"""Connections of a real NGINX: kept, reused and counted as a plan says."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nginx.application import Answer
from tests.nginx.conftest import Row
from tests.nginx.ingresses import planned
from tests.nginx.serving import Server, running

pytestmark = pytest.mark.engine
KEPT = Answer(closes=False)
HELD = Answer(closes=False, kind="held")
REQUESTS = 20


def ask(client: socket.socket, path: str) -> dict[str, str]:
    """Headers of the answer; its body is empty."""
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: app.example\r\n\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        more = client.recv(65536)
        assert more, f"closed after {received!r}"
        received += more
    first, *lines = received.decode().split("\r\n\r\n")[0].split("\r\n")
    return {"status": first.split()[1], **{line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}}


def until(holds: Callable[[], bool]) -> bool:
    """Whether it holds soon."""
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


@pytest.mark.parametrize(
    ("name", "nginx", "expected"),
    [
        ("default", {}, 1),
        ("reference's 32", {"upstream_keepalive_connections": 32}, 1),
        ("none", {"upstream_keepalive_connections": 0}, REQUESTS),
        ("five requests each", {"upstream_keepalive_requests": 5}, REQUESTS // 5),
    ],
)
def test_connections_to_the_application_are_reused(name: str, nginx: dict[str, int], expected: int, tmp_path: Path, row: Row) -> None:
    with running(planned(nginx=nginx), tmp_path) as server, server.connect() as client:
        for number in range(REQUESTS):
            assert ask(client, KEPT.path(f"r{number}"))["status"] == "200"
        made = server.application.connections
    row(f"{REQUESTS} requests one after another", f"keepalive: {name}", str(expected), str(made), "")
    assert made == expected


@pytest.mark.parametrize("kept", [2, 8])
def test_no_more_idle_connections_are_kept_than_declared(kept: int, tmp_path: Path, row: Row) -> None:
    with running(planned(nginx={"upstream_keepalive_connections": kept}), tmp_path) as server:
        clients = [server.connect() for _ in range(12)]
        for number, client in enumerate(clients):
            client.sendall(f"GET {HELD.path(f'h{number}')} HTTP/1.1\r\nHost: app.example\r\n\r\n".encode())
        assert until(lambda: server.application.open_connections == 12)
        server.application.release.set()
        assert until(lambda: server.application.open_connections <= kept)
        time.sleep(0.2)
        idle = server.application.open_connections
        for client in clients:
            client.close()
    row("12 requests at once, then idle", f"keepalive {kept}", str(kept), str(idle), "closed")
    assert idle == kept


def test_an_idle_connection_to_the_application_ends_in_time(tmp_path: Path) -> None:
    with running(planned(nginx={"upstream_keepalive_timeout_s": 1}), tmp_path) as server, server.connect() as client:
        begun = time.monotonic()
        ask(client, KEPT.path("idle"))
        assert server.application.open_connections == 1
        assert until(lambda: server.application.open_connections == 0)
        assert time.monotonic() - begun >= 0.9


def test_a_client_connection_serves_the_declared_requests(tmp_path: Path, row: Row) -> None:
    with running(planned(nginx={"keep_alive_requests": 7}), tmp_path) as server, server.connect() as client:
        served = 0
        while ask(client, KEPT.path(f"k{served}"))["connection"] == "keep-alive":
            served += 1
        assert client.recv(1) == b""
    row("requests on a client connection", "keep_alive_requests 7", "7", str(served + 1), "Connection: close")
    assert served + 1 == 7


def test_a_client_connection_ends_at_once_without_keep_alive(tmp_path: Path) -> None:
    with running(planned(nginx={"keep_alive_s": 0}), tmp_path) as server, server.connect() as client:
        assert ask(client, KEPT.path("once"))["connection"] == "close"
        assert client.recv(1) == b""


def test_a_full_worker_serves_half_as_many_clients_as_it_has_connections(tmp_path: Path, row: Row) -> None:
    plan = planned(nginx={"max_worker_connections": 512})
    assert plan.capacity.clients == 256
    with running(plan, tmp_path) as server:
        clients = _filled(server, plan.capacity.clients + 40)
        served = server.application.open_connections
        assert "512 worker_connections are not enough" in server.log()
        for client in clients:
            client.close()
    row("clients at the same time", "worker_connections 512", str(plan.capacity.clients), str(served), "worker_connections are not enough")
    # Sockets to listen on and the workers' own channels are connections too.
    assert plan.capacity.clients - 6 <= served <= plan.capacity.clients


def _filled(server: Server, count: int) -> list[socket.socket]:
    """Clients with a request each that the application does not answer yet."""
    clients: list[socket.socket] = []
    for number in range(count):
        client = server.connect()
        clients.append(client)
        try:
            client.sendall(f"GET {HELD.path(f'f{number}')} HTTP/1.1\r\nHost: app.example\r\n\r\n".encode())
        except ConnectionError:
            continue  # there was no connection left for it
        until(lambda: len(server.application.bodies) == len(clients) or "not enough" in server.log())
    return clients

"""Requests to a real NGINX: bodies and headers around the limits that a plan declares."""

import contextlib
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.nginx.application import Answer
from tests.nginx.conftest import Row
from tests.nginx.ingresses import planned
from tests.nginx.serving import REQUEST_FILE, Server, most, running

pytestmark = pytest.mark.engine
KIB = 1024
OK = Answer(closes=False)
BODIES_MIB: dict[str, tuple[dict[str, Any], int]] = {
    "default": ({}, 1),
    "reference": ({"profile": "reference"}, 10),
    "declared": ({"nginx": {"proxy_body_size_mib": 3}}, 3),
}


def status(server: Server, path: str, *, headers: str = "", body: int | None = None, tag: str = "") -> int:
    """What NGINX answers. The body comes after the headers, so that none of it is read with them."""
    length = "" if body is None else f"Content-Length: {body}\r\n"
    with server.connect() as client:
        client.sendall(f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: app.example\r\n{length}{headers}{tag}\r\n".encode())
        if body:
            time.sleep(0.02)
            _send(client, body)
        return _status(client)


def _send(client: socket.socket, body: int) -> None:
    with contextlib.suppress(ConnectionError):  # refused before all of it was sent
        client.sendall(b"x" * body)


def _status(client: socket.socket) -> int:
    try:
        return int(client.makefile("rb").readline().split()[1])
    except (ConnectionError, IndexError):
        return 0


@pytest.mark.parametrize("name", BODIES_MIB)
def test_a_body_of_the_declared_size_passes_and_one_byte_more_does_not(name: str, tmp_path: Path, row: Row) -> None:
    ingress, mib = BODIES_MIB[name]
    plan = planned(**ingress)
    assert plan.tuned["proxy_body_size_mib"].value == mib
    with running(plan, tmp_path) as server:
        assert status(server, OK.path("body"), body=mib * KIB * KIB) == 200
        assert server.application.bodies["body"] == mib * KIB * KIB
        with server.connect() as client:  # refused by its length, before it comes
            client.sendall(f"POST {OK.path('over')} HTTP/1.1\r\nHost: app.example\r\nContent-Length: {mib * KIB * KIB + 1}\r\n\r\n".encode())
            assert _status(client) == 413
        assert "over" not in server.application.bodies
    row(f"request body, {name}", f"proxy_body_size {mib}m", f"{mib} MiB", f"{mib * KIB * KIB}", "413")


def test_any_body_passes_where_there_is_no_limit(tmp_path: Path) -> None:
    with running(planned(nginx={"proxy_body_size_mib": 0}), tmp_path) as server:
        assert status(server, OK.path("body"), body=12 * KIB * KIB) == 200


@pytest.mark.parametrize("kib", [8, 64])
def test_a_body_that_fits_its_buffer_is_not_written_to_a_file(kib: int, tmp_path: Path, row: Row) -> None:
    """NGINX takes a quarter more where it knows the length (ngx_http_read_client_request_body)."""

    def in_memory(body: int) -> bool:
        tag = f"b{body}x"
        assert status(server, OK.path(tag), body=body) == 200
        return not any(tag in line and REQUEST_FILE in line for line in server.log().splitlines())

    with running(planned(nginx={"client_body_buffer_size_kib": kib}), tmp_path) as server:
        limit = most(kib * KIB, 2 * kib * KIB, in_memory)
    row("request body in memory", f"client_body_buffer {kib}k", f"{kib} KiB", f"{limit} ({limit / KIB:.2f} KiB)", "temporary file")
    assert kib * KIB <= limit <= kib * KIB * 5 // 4


def test_without_request_buffering_no_body_is_written_to_a_file(tmp_path: Path) -> None:
    with running(planned(profile="downloads"), tmp_path) as server:
        assert status(server, OK.path("body"), body=3 * KIB * KIB) == 200
        assert REQUEST_FILE not in server.log()


@pytest.mark.parametrize(("number", "kib"), [(4, 8), (4, 16)])
def test_a_request_line_and_a_header_fit_one_large_buffer(number: int, kib: int, tmp_path: Path, row: Row) -> None:
    with running(planned(nginx={"large_client_header_buffers": {"number": number, "size_kib": kib}}), tmp_path) as server:
        line = most(1, 2 * kib * KIB, lambda size: status(server, f"{OK.path('line')}?{'q' * size}") == 200)
        line += len(f"GET {OK.path('line')}? HTTP/1.1\r\n")
        header = most(1, 2 * kib * KIB, lambda size: status(server, OK.path("header"), headers=f"X: {'h' * size}\r\n") == 200) + len("X: \r\n")
        assert status(server, f"/{'q' * 2 * kib * KIB}") == 414
        assert status(server, OK.path("header"), headers=f"X: {'h' * 2 * kib * KIB}\r\n") == 400
    row("request line", f"large buffers {number} x {kib}k", f"{kib} KiB", f"{line} ({line / KIB:.2f} KiB)", "414")
    row("request header", f"large buffers {number} x {kib}k", f"{kib} KiB", f"{header} ({header / KIB:.2f} KiB)", "400")
    assert kib * KIB - 2 <= line <= kib * KIB
    assert kib * KIB - 2 <= header <= kib * KIB


def test_all_headers_together_fit_the_large_buffers(tmp_path: Path, row: Row) -> None:
    def passes(count: int) -> bool:
        return status(server, OK.path("many"), headers="".join(f"X-{number}: {'h' * 4000}\r\n" for number in range(count))) == 200

    with running(planned(), tmp_path) as server:
        limit = most(1, 20, passes)
    row("headers of 4000 bytes", "large buffers 4 x 8k", "8", str(limit), "400")
    assert limit == 8

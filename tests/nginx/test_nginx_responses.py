"""Responses through a real NGINX whose client takes nothing: what is computed to fit memory does, and one buffer more does not."""

from pathlib import Path

import pytest

from plan.ingress import IngressPlan
from tests.nginx.application import Answer
from tests.nginx.conftest import Row
from tests.nginx.ingresses import BUFFERED, ON, PLANS, UNBUFFERED, planned
from tests.nginx.serving import RESPONSE_FILE, check, most, running, written

pytestmark = pytest.mark.engine
KIB = 1024
HEADERS = 200


def buffers(plan: IngressPlan) -> tuple[int, int]:
    """Number and KiB."""
    number, size = plan.tuned["proxy_buffers_number"].value, plan.tuned["proxy_buffer_size_kib"].value
    assert isinstance(number, int)
    assert isinstance(size, int)
    return number, size


@pytest.mark.parametrize("name", PLANS)
def test_nginx_accepts_the_configuration(name: str, tmp_path: Path) -> None:
    said = check(written(planned(**PLANS[name]), tmp_path, 8080, "127.0.0.1:8081"))
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("name", BUFFERED)
def test_the_computed_limit_is_the_measured_one(name: str, tmp_path: Path, row: Row) -> None:
    plan = planned(**BUFFERED[name])
    number, size = buffers(plan)
    computed, above = plan.response.fits_kib * KIB, (plan.response.fits_kib + size) * KIB
    with running(plan, tmp_path) as server:
        limit = most(computed, above, lambda body: server.outcome(Answer(body=body, headers=HEADERS)) == "memory")
        beyond = server.outcome(Answer(body=limit + KIB, headers=HEADERS))
    said = {"file": "temporary file", "waits": "the application waits"}[beyond]
    row(f"body, {name}", f"{number} x {size}k", f"{plan.response.fits_kib} KiB", f"{limit} ({limit / KIB:.2f} KiB)", said)
    assert computed <= limit < above
    # The headers' buffer takes what it has left; for the last byte NGINX may want a buffer more before it sees that it was the last.
    assert limit in {above - HEADERS, above - HEADERS - 1}
    assert beyond == ("waits" if plan.tuned["proxy_max_temp_file_size_mib"].value == 0 else "file")


@pytest.mark.parametrize("name", BUFFERED)
@pytest.mark.parametrize("kind", ["plain", "closing"])
def test_what_fits_does_so_with_headers_that_fill_their_buffer(name: str, kind: str, tmp_path: Path) -> None:
    plan = planned(**BUFFERED[name])
    _, size = buffers(plan)
    fits = plan.response.fits_kib * KIB
    with running(plan, tmp_path) as server:
        assert server.outcome(Answer(body=fits, headers=size * KIB - 2, kind=kind)) == "memory"
        assert server.outcome(Answer(body=fits + 10, headers=size * KIB - 2, kind=kind)) != "memory"


def test_a_declared_response_is_one_that_fits(tmp_path: Path) -> None:
    for kib in (1, 13, 100):
        folder = tmp_path / str(kib)
        folder.mkdir()
        with running(planned(expected_response_kib=kib), folder) as server:
            assert server.outcome(Answer(body=kib * KIB)) == "memory"


@pytest.mark.parametrize("busy", [4, 8, 12])
def test_the_busy_size_does_not_change_the_limit(busy: int, tmp_path: Path) -> None:
    with running(planned(nginx={**ON, "proxy_busy_buffers_size_kib": busy}), tmp_path) as server:
        limit = most(16 * KIB, 20 * KIB, lambda body: server.outcome(Answer(body=body, headers=HEADERS)) == "memory")
    assert limit in {20 * KIB - HEADERS, 20 * KIB - HEADERS - 1}


def test_chunks_take_room_for_their_own_lines(tmp_path: Path) -> None:
    with running(planned(nginx=ON), tmp_path) as server:
        limit = most(12 * KIB, 20 * KIB, lambda body: server.outcome(Answer(body=body, headers=HEADERS, kind="chunks")) == "memory")
    lines = 5 * len(b"1000\r\n\r\n") + len(b"0\r\n\r\n")
    assert 20 * KIB - HEADERS - lines - 2 <= limit <= 20 * KIB - HEADERS


def test_small_chunks_with_pauses_take_a_buffer_each(tmp_path: Path) -> None:
    """The exception that ResponsePlan.fits_kib names."""
    plan = planned(expected_response_kib=64)
    with running(plan, tmp_path) as server:
        assert server.outcome(Answer(body=8000, kind="pieces")) == "file"
        assert server.outcome(Answer(body=64 * KIB, kind="plain")) == "memory"


@pytest.mark.parametrize("name", UNBUFFERED)
def test_without_buffering_the_application_waits_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    plan = planned(**UNBUFFERED[name])
    assert plan.response.fits_kib == 0
    with running(plan, tmp_path) as server:
        assert server.outcome(Answer(body=256 * KIB)) == "waits"
        assert RESPONSE_FILE not in server.log()


def test_headers_larger_than_their_buffer_are_refused(tmp_path: Path, row: Row) -> None:
    def status(headers: int) -> int:
        with server.connect() as client:
            client.sendall(f"GET {Answer(body=0, headers=headers).path('h')} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n".encode())
            return int(client.makefile("rb").readline().split()[1])

    with running(planned(nginx=ON), tmp_path) as server:
        limit = most(3 * KIB, 5 * KIB, lambda headers: status(headers) == 200)
        assert status(limit + 1) == 502
        assert "upstream sent too big header" in server.log()
    row("headers of a response", "proxy_buffer_size 4k", "4 KiB", f"{limit} ({limit / KIB:.2f} KiB)", "502")
    assert 4 * KIB - 1 <= limit <= 4 * KIB

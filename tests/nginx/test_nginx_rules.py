"""NGINX's own rules for buffers: what the settings refuse, `nginx -t` refuses too, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.nginx_buffers import Buffers
from tests.nginx.ingresses import ON, planned
from tests.nginx.serving import check, written

pytestmark = pytest.mark.engine


def combinations() -> Iterator[Buffers]:
    """Around each rule's edge."""
    for number in (2, 3, 4, 9):
        for size in (4, 16):
            edges = {size - 1, size, 2 * size, (number - 1) * size - 1, (number - 1) * size, (number - 1) * size + 1, number * size}
            yield from (Buffers(number=number, size_kib=size, busy_kib=busy) for busy in (None, *sorted(edges)))


@pytest.mark.parametrize("number", [2, 3, 4, 9])
def test_the_settings_refuse_what_nginx_refuses(number: int, tmp_path: Path) -> None:
    text = written(planned(nginx=ON), tmp_path, 8080, "127.0.0.1:8081").read_text()
    for buffers in combinations():
        if buffers.number != number:
            continue
        path = tmp_path / "tried.conf"
        path.write_text(with_buffers(text, buffers))
        said = check(path)
        refused = [problem.message for problem in buffers.mistakes()]
        assert (said.returncode != 0) == bool(refused), f"{buffers}: {said.stderr or 'accepted'}; settings: {refused or 'accepted'}"
        assert said.returncode == 0 or "proxy_busy_buffers_size" in said.stderr


def with_buffers(text: str, buffers: Buffers) -> str:
    """The configuration with other buffers."""
    size = f"{buffers.size_kib}k"
    busy = f"proxy_busy_buffers_size {buffers.busy_kib}k;" if buffers.busy_kib is not None else ""
    text = re.sub(r"proxy_buffer_size \w+;", f"proxy_buffer_size {size};", text)
    return re.sub(r"proxy_buffers \d+ \w+;", f"proxy_buffers {buffers.number} {size}; {busy}", text)

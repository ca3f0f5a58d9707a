"""Files by path and URL, from a real web server on loopback: checked, kept, and refused with what was found."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import sources
from sources import fetch

CONTENT = "kind: ConfigMap\n---\nkind: Ünïcode\n"
SUM = hashlib.sha256(CONTENT.encode()).hexdigest()
SETTING = "pod_network.calico.manifest"

read = partial(sources.text, setting=SETTING)


@dataclass
class Web:
    """A web server that says what it is told to."""

    content: bytes = CONTENT.encode()
    asked: list[str] = field(default_factory=list[str])
    port: int = 0

    @property
    def url(self) -> str:
        """Where the file is."""
        return f"http://127.0.0.1:{self.port}/calico.yaml"


def handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append(self.path)
            self.send_response(200 if self.path == "/calico.yaml" else 404)
            self.send_header("Content-Length", str(len(web.content)))
            self.end_headers()
            self.wfile.write(web.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            del format, args

    return Handler


@pytest.fixture
def web() -> Iterator[Web]:
    served = Web()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(served)) as server:
        served.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERLAY_CACHE", str(tmp_path / "cache"))
    for name in ("UNDERLAY_MIRROR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "manifests"


def refused(source: str, sha256: str = SUM) -> str:
    with pytest.raises(sources.SourceError) as caught:
        read(source, sha256)
    return str(caught.value)


def test_a_path_is_read_and_never_kept(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "calico.yaml").write_text(CONTENT)
    assert read(str(tmp_path / "calico.yaml"), SUM) == CONTENT
    assert read(f"file://{tmp_path}/calico.yaml", SUM) == CONTENT
    assert not cache.exists()


def test_a_url_is_fetched_once_and_then_read_from_the_cache(web: Web, cache: Path) -> None:
    assert [read(web.url, SUM), read(web.url, SUM)] == [CONTENT, CONTENT]
    assert web.asked == ["/calico.yaml"]
    assert [path.name for path in cache.iterdir()] == [SUM]


def test_another_content_is_refused_with_where_it_came_from_both_sums_and_what_to_do(web: Web, cache: Path) -> None:
    web.content = b"kind: Other\n"
    found = hashlib.sha256(web.content).hexdigest()
    message = refused(web.url)
    assert message.startswith(f"{SETTING}: {web.url} has SHA-256 {found}, expected {SUM}")
    assert "nothing was changed" in message
    assert f"{SETTING}.sha256" in message
    assert not cache.exists(), "what was refused is kept nowhere"


def test_a_file_of_the_cache_that_is_not_what_its_name_says_is_fetched_anew(web: Web, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / SUM).write_text("kind: Tampered\n")
    assert read(web.url, SUM) == CONTENT
    assert (cache / SUM).read_text() == CONTENT


def test_a_path_whose_content_changed_is_refused_though_the_cache_has_the_pinned_one(web: Web, tmp_path: Path) -> None:
    read(web.url, SUM)
    (tmp_path / "calico.yaml").write_text("kind: Other\n")
    assert "has SHA-256" in refused(str(tmp_path / "calico.yaml"))


def test_a_cache_that_cannot_be_written_is_not_needed(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("UNDERLAY_CACHE", str(tmp_path / "file"))
    assert read(web.url, SUM) == CONTENT


def test_a_url_is_not_asked_where_a_mirror_has_the_file_under_any_name(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "calico.yaml").write_text("kind: Other\n")
    (mirror / "calico-renamed.yaml").write_text(CONTENT)
    monkeypatch.setenv("UNDERLAY_MIRROR", f"{tmp_path}/nowhere:{mirror}")
    assert read(web.url, SUM) == CONTENT
    assert web.asked == []
    (mirror / "calico-renamed.yaml").write_text("kind: Tampered\n")
    assert read(web.url, SUM) == CONTENT
    assert web.asked == ["/calico.yaml"]


def test_a_file_that_is_not_there_is_told_with_its_place_and_the_reason(web: Web, tmp_path: Path) -> None:
    missing = refused(str(tmp_path / "nowhere.yaml"))
    assert f"{tmp_path}/nowhere.yaml cannot be read" in missing
    assert "No such file" in missing
    assert "HTTP Error 404" in refused(web.url.replace("calico", "other"))
    assert web.asked == ["/other.yaml"]
    for message in (missing, refused("http://127.0.0.1:1/calico.yaml")):
        assert f"correct {SETTING}.source" in message


def test_what_is_too_large_or_no_text_is_refused(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.content = b"\xff\xfe"
    assert "is no text in UTF-8" in refused(web.url, hashlib.sha256(web.content).hexdigest())
    monkeypatch.setattr(fetch, "MOST_BYTES", 10)
    web.content = b"x" * 11
    assert "limit 10" in refused(web.url)

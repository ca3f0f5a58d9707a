"""Where the engine comes from; the vendor is a server on loopback."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab import engine, golang
from lab.places import LabError

FILES: dict[str, bytes] = {}


class Vendor(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = FILES.get(self.path.lstrip("/"))
        self.send_response(200 if content is not None else 404)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        del format, args


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("UNDERLAY_VENDOR_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("UNDERLAY_OFFLINE", raising=False)
    monkeypatch.setattr(engine.platform, "machine", lambda: "x86_64")
    FILES.clear()
    yield FILES
    server.shutdown()
    thread.join()
    server.server_close()


def archive(**programs: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in programs.items():
            entry = tarfile.TarInfo(f"pulumi/{name}")
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def publish(files: dict[str, bytes], content: bytes, checksum_of: bytes) -> None:
    name = f"pulumi-v{engine.VERSION}-linux-x64.tar.gz"
    files[name] = content
    files[f"pulumi-{engine.VERSION}-checksums.txt"] = f"{'0' * 64}  other.tar.gz\n{hashlib.sha256(checksum_of).hexdigest()}  {name}\n".encode()


def silent(_: str) -> None:
    pass


def test_the_vendors_engine_is_taken_with_its_language_hosts(vendor: dict[str, bytes], tmp_path: Path) -> None:
    content = archive(pulumi=b"#!engine", **{"pulumi-language-python": b"#!host"})
    publish(vendor, content, content)
    assert engine.fetch(tmp_path / "vendor", silent)
    assert (tmp_path / "vendor" / "pulumi").read_bytes() == b"#!engine"
    assert (tmp_path / "vendor" / "pulumi-language-python").stat().st_mode & 0o111


def test_an_archive_with_another_checksum_than_the_published_one_is_refused(vendor: dict[str, bytes], tmp_path: Path) -> None:
    publish(vendor, archive(pulumi=b"#!other"), archive(pulumi=b"#!engine"))
    with pytest.raises(LabError, match="SHA-256"):
        engine.fetch(tmp_path / "vendor", silent)
    assert not (tmp_path / "vendor").exists()


def test_an_archive_without_a_published_checksum_is_refused(vendor: dict[str, bytes], tmp_path: Path) -> None:
    content = archive(pulumi=b"#!engine")
    publish(vendor, content, content)
    vendor[f"pulumi-{engine.VERSION}-checksums.txt"] = b""
    with pytest.raises(LabError, match="SHA-256"):
        engine.fetch(tmp_path / "vendor", silent)


def test_a_vendor_that_does_not_have_it_is_no_mistake(vendor: dict[str, bytes], tmp_path: Path) -> None:
    del vendor
    assert not engine.fetch(tmp_path / "vendor", silent)


def asked(*_: object, **__: object) -> None:
    pytest.fail("the vendor was asked")


@pytest.mark.usefixtures("vendor")
def test_nobody_is_asked_when_that_is_forbidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERLAY_OFFLINE", "1")
    monkeypatch.setattr(engine.urllib.request, "urlopen", asked)
    assert not engine.fetch(tmp_path / "vendor", silent)


@pytest.mark.parametrize(
    ("version", "fit"),
    [
        ("v3.259.0", True),
        ("v3.260.1", True),
        ("3.301.0", True),
        ("v3.258.9", False),
        ("v4.0.0", False),
        ("v2.300.0", False),
        ("", False),
        ("v3.259.0-dev.1", True),
    ],
)
def test_an_engine_on_path_fits_from_its_own_sdk_on(version: str, fit: bool) -> None:
    assert engine.fits(version) is fit


def test_the_engine_on_path_is_asked_for_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\necho v3.1.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert engine.on_path() is None
    program.write_text(f"#!/bin/sh\necho v{engine.VERSION}\n")
    assert engine.on_path() == program


def test_the_engine_goes_with_the_sdk_in_the_requirements() -> None:
    pinned = (Path(__file__).parents[2] / "requirements.txt").read_text().splitlines()
    assert f"pulumi=={engine.VERSION}" in pinned
    assert f"github.com/pulumi/pulumi/pkg/v3 v{engine.VERSION}" in (engine.MODULE / "go.mod").read_text()


def test_another_pin_is_another_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = engine.key()
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_bytes((engine.MODULE / name).read_bytes())
    monkeypatch.setattr(engine, "MODULE", tmp_path)
    assert engine.key() == before
    (tmp_path / "go.sum").write_text("another")
    assert engine.key() != before


@pytest.mark.parametrize(
    ("said", "version"), [("go version go1.26.8 linux/amd64", (1, 26)), ("go version go1.19 linux/amd64", (1, 19)), ("", (0, 0))]
)
def test_gos_version_is_read(said: str, version: tuple[int, int]) -> None:
    assert golang.version(said) == version

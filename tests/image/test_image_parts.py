import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from image import parts
from image.command import BuildError
from image.parts import Program, Source, ensure_binaries, ensure_programs
from image.pins import Part
from image.upstream import Upstream

KUBE = Part(name="kube", module="example.org/kube", version="v1.2.3", programs={"kubeadm": "example.org/kube/cmd/kubeadm"}, upstream=True)
TOOL = Part(name="tool", module="example.org/tool", version="v0.1.0", programs={"tool": "example.org/tool"}, tags="small")

FAKE_GO = """#!/bin/sh
[ "$1" = env ] && { cat "$(dirname "$0")/version"; exit; }
echo "$CGO_ENABLED $GOFLAGS $*" >> "$(dirname "$0")/calls"
while [ "$1" != -o ]; do shift; done
[ -e "$(dirname "$0")/broken" ] && { echo 'checksum mismatch' >&2; exit 1; }
echo "built $3" > "$2"
"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stand-in for the Go command, which writes down how it was called."""
    folder = tmp_path / "go"
    folder.mkdir()
    (folder / "go").write_text(FAKE_GO)
    (folder / "go").chmod(0o755)
    (folder / "version").write_text("go1.26.8\n")
    for name in (KUBE.name, TOOL.name, "containerd"):
        (tmp_path / "modules" / name).mkdir(parents=True)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(parts, "MODULES", tmp_path / "modules")
    monkeypatch.setattr(parts, "PARTS", (KUBE, TOOL))
    return folder


class Releases:
    """A web server on loopback with the release files of `KUBE`."""

    def __init__(self, folder: Path) -> None:
        self.program: Path = folder / "v1.2.3/bin/linux/amd64/kubeadm"
        self.program.parent.mkdir(parents=True)
        self.asked: list[str] = []
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args: object, **keywords: object) -> None:
                super().__init__(*args, directory=str(folder), **keywords)  # pyright: ignore[reportArgumentType] (the server's own arguments)

            def do_GET(self) -> None:
                asked.append(self.path)
                super().do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
                pass

        self.server: http.server.ThreadingHTTPServer = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url: str = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, content: bytes, digest: str | None = None) -> None:
        self.program.write_bytes(content)
        self.program.with_name("kubeadm.sha256").write_text((digest or hashlib.sha256(content).hexdigest()) + "\n")


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Releases]:
    made = Releases(tmp_path / "releases")
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def make(root: Path, url: str, source: Source = "auto") -> tuple[dict[str, Program], list[str]]:
    said: list[str] = []
    return ensure_programs(root, source, url, said.append), said


def test_a_published_program_is_preferred_and_its_source_is_recorded(tmp_path: Path, go: Path, releases: Releases) -> None:
    releases.publish(b"published")
    programs, said = make(tmp_path / "cache", releases.url)
    assert programs["kubeadm"].source == f"{releases.url}/v1.2.3/bin/linux/amd64/kubeadm"
    assert programs["kubeadm"].path.read_bytes() == b"published"
    assert programs["kubeadm"].sha256 == hashlib.sha256(b"published").hexdigest()
    assert programs["tool"].source == "go:example.org/tool@v0.1.0"
    assert "cmd/kubeadm" not in (go / "calls").read_text()
    assert any(releases.url in line for line in said)


def test_what_is_in_the_cache_is_not_asked_for_again(tmp_path: Path, go: Path, releases: Releases) -> None:
    releases.publish(b"published")
    first, _ = make(tmp_path / "cache", releases.url)
    releases.asked.clear()
    (go / "calls").unlink()
    second, said = make(tmp_path / "cache", releases.url)
    assert second == first
    assert releases.asked == []
    assert not (go / "calls").exists()
    assert said == []


@pytest.mark.usefixtures("go")
def test_a_program_unlike_its_published_checksum_is_refused_and_leaves_no_entry(tmp_path: Path, releases: Releases) -> None:
    releases.publish(b"tampered", digest=hashlib.sha256(b"published").hexdigest())
    with pytest.raises(BuildError, match=r"published is .*: refused"):
        make(tmp_path / "cache", releases.url)
    assert list((tmp_path / "cache/programs").iterdir()) == []
    releases.publish(b"published")
    assert make(tmp_path / "cache", releases.url)[0]["kubeadm"].path.read_bytes() == b"published"


@pytest.mark.usefixtures("go")
def test_a_checksum_file_that_is_a_web_page_is_no_checksum(tmp_path: Path, releases: Releases) -> None:
    releases.publish(b"published", digest="<html>sign in to the network</html>")
    programs, said = make(tmp_path / "cache", releases.url)
    assert programs["kubeadm"].source == "go:example.org/kube@v1.2.3"
    assert any("not reachable" in line for line in said)


@pytest.mark.usefixtures("go")
def test_an_unreachable_project_means_go_modules_and_is_said_once(tmp_path: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    two = Part(name="kube", module=KUBE.module, version=KUBE.version, programs={"kubeadm": "x", "kubelet": "y"}, upstream=True)
    monkeypatch.setattr(parts, "PARTS", (two,))
    programs, said = make(tmp_path / "cache", f"{releases.url}/elsewhere")
    assert {program.source for program in programs.values()} == {"go:example.org/kube@v1.2.3"}
    assert sum("not reachable" in line for line in said) == 1


@pytest.mark.usefixtures("go")
def test_with_upstream_alone_an_unreachable_project_is_an_error(tmp_path: Path, releases: Releases) -> None:
    with pytest.raises(BuildError, match="cannot be had"):
        make(tmp_path / "cache", f"{releases.url}/elsewhere", source="upstream")


@pytest.mark.usefixtures("go")
def test_with_modules_alone_nobody_is_asked(tmp_path: Path, releases: Releases) -> None:
    releases.publish(b"published")
    programs, _ = make(tmp_path / "cache", releases.url, source="modules")
    assert programs["kubeadm"].path.read_text() == "built example.org/kube/cmd/kubeadm\n"
    assert releases.asked == []


def test_modules_are_built_without_c_and_against_the_committed_checksums(tmp_path: Path, go: Path) -> None:
    make(tmp_path / "cache", "https://unused.example", source="modules")
    for call in (go / "calls").read_text().splitlines():
        assert call.startswith("0 -mod=readonly build -trimpath ")
    assert "-tags small" in (go / "calls").read_text()


def test_a_failed_build_shows_the_compilers_words_and_leaves_no_entry(tmp_path: Path, go: Path) -> None:
    (go / "broken").touch()
    with pytest.raises(BuildError, match="checksum mismatch"):
        make(tmp_path / "cache", "https://unused.example", source="modules")
    assert list((tmp_path / "cache/programs").iterdir()) == []


@pytest.mark.parametrize("version", ["go1.19.8", "go1.25.9", ""])
def test_an_old_compiler_is_named_with_what_is_needed(tmp_path: Path, go: Path, version: str) -> None:
    (go / "version").write_text(version)
    with pytest.raises(BuildError, match=r"Go 1\.26 or newer is needed"):
        make(tmp_path / "cache", "https://unused.example", source="modules")


@pytest.mark.usefixtures("go")
def test_binaries_for_this_machine_lie_in_one_folder(tmp_path: Path) -> None:
    folder = ensure_binaries(print, source="modules", root=tmp_path / "cache")
    assert sorted(path.name for path in folder.iterdir()) == ["kubeadm", "tool"]
    assert all(path.stat().st_mode & 0o111 for path in folder.iterdir())
    out = ensure_binaries(print, source="modules", root=tmp_path / "cache", out=tmp_path / "out")
    assert (out / "tool").read_bytes() == (folder / "tool").read_bytes()


@pytest.mark.parametrize("url", ["http://dl.k8s.io/release", "ftp://dl.k8s.io", "file:///etc"])
def test_binaries_are_fetched_over_https_only(url: str) -> None:
    with pytest.raises(BuildError, match="https only"):
        Upstream(url)


@pytest.mark.usefixtures("go")
def test_the_record_beside_a_program_is_what_the_manifest_is_made_of(tmp_path: Path) -> None:
    programs, _ = make(tmp_path / "cache", "https://unused.example", source="modules")
    record = json.loads((programs["tool"].path.parent / "program.json").read_text())
    assert record == {
        "name": "tool",
        "version": "v0.1.0",
        "source": "go:example.org/tool@v0.1.0",
        "sha256": hashlib.sha256(b"built example.org/tool\n").hexdigest(),
    }

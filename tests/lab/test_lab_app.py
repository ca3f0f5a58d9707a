"""The example application in a lab, without a lab: its image, its project, and what its nodes answer."""

import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lab.access import Access, Node
from lab.app import command, image, stack
from lab.app.image import AppImage
from lab.places import CHECKOUT, Lab, LabError
from lab.pluginset import PluginSet
from lab.session import Session

CTR = """\
#!/bin/sh
# A store of images in a folder: `images list`, `import`, `label` and `remove` as nodes are asked for them.
store=$(dirname "$0")/store
shift 3
case "$1" in
    list) ls "$store" | tr , / ;;
    import) cat > "$store/$(echo "$NAME" | tr / ,)" ;;
    label) echo "$3" > "$store/../label" ;;
    remove) shift; for name in "$@"; do rm "$store/$(echo "$name" | tr / ,)"; done ;;
esac
"""
NODES = (Node(name="lab-cp-1", role="control-plane", address="10.77.0.11"), Node(name="lab-worker-1", role="worker", address="10.77.0.21"))
TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.5.6:80 rr
  -> 192.168.0.4:8080             Masq    1      0          2
"""


@dataclass(frozen=True, kw_only=True)
class Shells(Access):
    """Nodes that are folders of this machine; what is asked of one runs here, with its programs first on PATH."""

    folders: Path

    def ssh(self, node: Node, *command: str) -> list[str]:
        """A shell with the node's programs."""
        return ["env", f"PATH={self.folders / node.name}:{os.environ['PATH']}", "NAME=example.underlay.dev/hello:1", "sh", "-c", *command]


@pytest.fixture
def access(tmp_path: Path) -> Shells:
    for node in NODES:
        (tmp_path / node.name / "store").mkdir(parents=True)
        (tmp_path / node.name / "ctr").write_text(CTR)
        (tmp_path / node.name / "ctr").chmod(0o755)
    return Shells(lab=Lab(name="one", checkout=tmp_path), nodes=NODES, ssh_user="root", folders=tmp_path)


def test_an_image_reaches_every_node_once_and_goes_again(access: Shells, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(os.urandom(300_000))
    made = AppImage(name="example.underlay.dev/hello:1", archive=archive)
    (tmp_path / "lab-cp-1" / "store" / "registry.k8s.io,pause:3").touch()
    assert image.load(access, made) == {"lab-cp-1": "loaded", "lab-worker-1": "loaded"}
    assert (tmp_path / "lab-worker-1" / "store" / "example.underlay.dev,hello:1").read_bytes() == archive.read_bytes()
    assert (tmp_path / "lab-worker-1" / "label").read_text() == "io.cri-containerd.image=managed\n"
    assert image.load(access, made) == {"lab-cp-1": "there", "lab-worker-1": "there"}
    image.remove(access)
    image.remove(access)
    assert [path.name for path in (tmp_path / "lab-cp-1" / "store").iterdir()] == ["registry.k8s.io,pause:3"]


def test_a_node_that_takes_no_image_is_named(access: Shells, tmp_path: Path) -> None:
    (tmp_path / "lab-worker-1" / "ctr").write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"x")
    with pytest.raises(LabError, match=r"lab-worker-1 did not take image example\.underlay\.dev/hello:1: no space left"):
        image.load(access, AppImage(name="example.underlay.dev/hello:1", archive=archive))


def test_the_image_is_named_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "server"
    shutil.copytree(image.SERVER, copy)
    before = image.key()
    monkeypatch.setattr(image, "SERVER", copy)
    assert image.key() == before
    (copy / "main.go").write_text((copy / "main.go").read_text().replace("answers", "says"))
    assert image.key() != before


@pytest.fixture
def environment(tmp_path: Path) -> Session:
    (tmp_path / "stacks").mkdir()
    for name in ("Pulumi.yaml", "stacks/Pulumi.lab.yaml", "examples/app/Pulumi.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((CHECKOUT / name).read_text())
    engine = tmp_path / "pulumi"
    engine.write_text('#!/bin/sh\necho "$PWD $PYTHONPATH $*" >> "$(dirname "$0")/asked"\n')
    engine.chmod(0o755)
    plugins = PluginSet(engine=Path("pulumi"), path_first=(), stand_ins=True)
    return Session(lab=Lab(name="one", checkout=tmp_path), stack="lab", engine=engine, plugins=plugins, isolated=True)


def test_the_applications_project_is_its_own_beside_the_environments(environment: Session, tmp_path: Path) -> None:
    app, lab = stack.session(environment), environment.lab
    assert not stack.exists(lab)
    (tmp_path / "asked").touch()
    stack.write(app, AppImage(name="example.underlay.dev/hello:1", archive=tmp_path / "image.tar"))
    assert stack.exists(lab)
    assert app.project_name == "app"
    assert environment.project_name == "underlay"
    folder = lab.root / "app"
    assert (tmp_path / "asked").read_text().split(maxsplit=2) == [str(folder), str(folder / "packages"), "stack init lab --non-interactive\n"]
    assert [path.name for path in (folder / "packages").iterdir()] == ["outputs"], "nothing else of the checkout is to be imported"
    written = yaml.safe_load((folder / "Pulumi.lab.yaml").read_text())
    assert written == {"config": {"app:environment": "organization/underlay/lab", "app:image": "example.underlay.dev/hello:1"}}
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    assert project["main"] == str(tmp_path / "examples" / "app")
    assert not environment.variables


def test_a_new_image_changes_the_stack_file_and_keeps_its_salt(environment: Session, tmp_path: Path) -> None:
    app, path = stack.session(environment), environment.lab.root / "app" / "Pulumi.lab.yaml"
    stack.write(app, AppImage(name="example.underlay.dev/hello:1", archive=tmp_path / "image.tar"))
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "encryptionsalt": "v1:abc"}))
    stack.write(app, AppImage(name="example.underlay.dev/hello:2", archive=tmp_path / "image.tar"))
    written = yaml.safe_load(path.read_text())
    assert (written["encryptionsalt"], written["config"]["app:image"]) == ("v1:abc", "example.underlay.dev/hello:2")


def said_by_nodes(monkeypatch: pytest.MonkeyPatch, said: dict[str, str]) -> None:
    def answer(words: list[str], **_: object) -> str:
        return next(text for name, text in said.items() if f"/{name}:" in words[1])

    monkeypatch.setattr(command, "answer", answer)


def test_answers_and_virtual_servers_are_told_apart(access: Shells, monkeypatch: pytest.MonkeyPatch) -> None:
    pods = "pod hello-a on lab-cp-1 answers 10.77.0.11\n" * command.REQUESTS
    said_by_nodes(
        monkeypatch, {"lab-cp-1": f"{pods}virtual server:\n{TABLE}", "lab-worker-1": "curl: (28) timed out\nvirtual server:\nNo such service\n"}
    )
    good, bad = command.ask(access, "10.96.5.6", 2)
    assert good.good
    assert "-> 192.168.0.4:8080" in good.virtual_server
    assert not bad.good
    assert bad.virtual_server == ""
    shown = "\n".join(command.shown([good, bad], "10.96.5.6", "http://hello.lab/"))
    assert "from lab-cp-1" in shown
    assert "timed out" in shown
    assert "virtual server in the kernel of lab-cp-1" in shown
    assert "virtual server in the kernel of lab-worker-1" not in shown


def test_a_node_is_asked_when_its_kernel_has_the_servers(tmp_path: Path) -> None:
    programs = {
        "ipvsadm": 'echo x >> calls; echo "TCP  10.96.5.6:80 rr"; test $(wc -l < calls) -lt 3 || printf "  -> 192.168.0.%s:8080\\n" 4 5',
        "ipset": 'test "$(wc -l < calls)" -ge 4',
        "curl": "wc -l < calls",
        "sleep": "",
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    script = command.QUESTIONS.format(requests=1, address="10.96.5.6", servers=2, table_s=9)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run(["bash", "-s"], input=script, cwd=tmp_path, env=path, capture_output=True, text=True, check=True).stdout
    assert said.startswith("4\nvirtual server:\n"), "the third look finds both servers, the fourth the set's entry too"


def test_a_node_that_says_nothing_is_no_good(access: Shells, monkeypatch: pytest.MonkeyPatch) -> None:
    said_by_nodes(monkeypatch, {"lab-cp-1": "", "lab-worker-1": ""})
    answers = command.ask(access, "10.96.5.6", 2)
    assert [found.good for found in answers] == [False, False]
    assert sum("no answer" in line for line in command.shown(answers, "10.96.5.6", None)) == 2


@pytest.fixture
def server(tmp_path: Path) -> Generator[tuple[str, subprocess.Popen[bytes]]]:
    """The program out of the image, on this machine."""
    made = image.ensure(print)
    with tarfile.open(made.archive) as archive:
        index = json.load(_member(archive, "index.json"))
        manifest = json.load(_member(archive, f"blobs/sha256/{index['manifests'][0]['digest'][7:]}"))
        with tarfile.open(fileobj=_member(archive, f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}")) as layer:
            layer.extract("hello", tmp_path, filter="data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([tmp_path / "hello"], env={"POD_NAME": "hello-a", "NODE_NAME": "lab-cp-1", "PORT": str(port)}) as process:
        _wait_until(lambda: httpx.get(f"{url}/healthz").status_code == 200)
        yield url, process
        process.kill()


def _member(archive: tarfile.TarFile, name: str) -> Any:
    found = archive.extractfile(name)
    assert found is not None
    return found


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.engine
def test_the_image_holds_a_static_program_that_answers_and_stops_when_told(server: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, process = server
    assert httpx.get(f"{url}/any/path").text == "pod hello-a on lab-cp-1 answers 127.0.0.1\n"
    assert httpx.get(url, headers={"X-Forwarded-For": "192.0.2.9"}).text.endswith("answers 127.0.0.1 for 192.0.2.9\n")
    assert httpx.post(url).status_code == 405
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    assert ".so" not in maps, "the image has no libraries"
    process.terminate()
    assert process.wait(timeout=10) == 0

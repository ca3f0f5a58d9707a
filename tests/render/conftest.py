"""Where the tests of render/ find the programs that read what it writes, and the golden files' one switch."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calico_plans import V3_DEFINITIONS, listed, parsed, published
from native_control_plane import ControlPlanes, Node
from node_sandbox import Sandbox, sandbox_or_skip
from render_plans import KEY, native_plan

from render import node_files
from tests.plugins.native_cluster import NativeCluster, native_cluster

GOLDEN = Path(__file__).parent / "golden"


def find_program(name: str) -> str | None:
    """The program from UNDERLAY_BIN, from the image builder's cache, or from PATH."""
    folder = os.environ.get("UNDERLAY_BIN")
    if folder and os.access(Path(folder) / name, os.X_OK):
        return str(Path(folder) / name)
    cache = Path(os.environ.get("UNDERLAY_CACHE", Path.home() / ".cache" / "underlay"))
    built = sorted(cache.glob(f"programs/{name}-*/{name}"), key=lambda path: path.stat().st_mtime)
    return str(built[-1]) if built else shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Gives the path of a program, or skips the test and says what is missing."""

    def find(name: str) -> str:
        found = find_program(name)
        if found is None:
            pytest.skip(f"{name} is not here (looked in UNDERLAY_BIN, ~/.cache/underlay/programs, PATH)")
        return found

    return find


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with tests/render/golden/NAME; with UPDATE_GOLDEN=1 writes it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.write_text(text)
        assert path.exists(), f"no {path}: look at the text and run once with UPDATE_GOLDEN=1"
        assert text == path.read_text(), f"differs from {path.name}; if that is meant: UPDATE_GOLDEN=1 pytest tests/render, then read the diff"

    return compare


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A node's root folder with recorded fakes, or a skipped test that says why."""
    return sandbox_or_skip(tmp_path)


@pytest.fixture(scope="session")
def control_planes(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlanes]:
    """Control planes on one link without machines; the first one runs etcd and the API server."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces and root folders need root")
    made = ControlPlanes(native_plan(), tmp_path_factory.mktemp("control-planes"), program)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def first(control_planes: ControlPlanes) -> Node:
    """The first control plane with its API server up and `leave` installed."""
    made = control_planes.certificates(1)
    made.start_etcd()
    made.hold_endpoint()
    made.start_api_server()
    made.admit_administrators()
    made.kubectl("create", "serviceaccount", "default")
    made.sandbox.write(
        "etc/kubernetes/other.conf", made.run("kubeadm", "kubeconfig", "user", "--config", "/etc/underlay/kubeadm.yaml", "--client-name", "nobody")
    )
    leave = next(file for file in node_files.node_files(made.plan, made.node, authorized_key=KEY) if file.path.endswith("/leave"))
    made.sandbox.write("local/lib/underlay/leave", leave.text).chmod(0o755)
    return made


@pytest.fixture(scope="session")
def calico_cluster() -> Iterator[NativeCluster]:
    """A control plane without nodes that serves projectcalico.org/v3 by Calico's own definitions."""
    definitions = [thing for thing in parsed(published(V3_DEFINITIONS)) if thing["kind"] == "CustomResourceDefinition"]
    with native_cluster() as made:
        made.kubectl("create", "-f", "-", stdin=listed(definitions))
        made.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", "-", stdin=listed(definitions))
        yield made

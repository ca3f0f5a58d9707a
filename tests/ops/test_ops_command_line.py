"""`python -m ops`: what it prints for a stack file, and what it says about each mistake."""

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ops import __main__ as command_line
from plan import make
from render import router_config
from settings import load
from tests.settings.documents import ROOT, Tree, merged, minimal

ROUTERS = {
    "tor-a": {"address": "10.20.0.2", "as_number": 64512, "password": "tor-a"},
    "tor-b": {"address": "10.20.0.3", "as_number": 65001},
}


def declared(**network: Any) -> Tree:
    """An environment whose nodes peer with two routers."""
    return merged(minimal(pod_network={"kind": "calico", "bgp": {"routers": ROUTERS}}), {"pod_network": network})


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stack files in place of the project's, with the stack `two`."""
    monkeypatch.setattr(command_line, "STACKS", tmp_path)
    write(tmp_path, "two", declared())
    return tmp_path


def write(folder: Path, stack: str, environment: object, **config: object) -> None:
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": {"underlay:environment": environment, **config}}))


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    try:
        code: object = command_line.main(words)
    except SystemExit as end:  # argparse leaves so
        code = end.code
    said = capsys.readouterr()
    return cast("int", code), said.out, said.err


@pytest.mark.parametrize("form", ["bird", "frr"])
def test_it_prints_one_router_as_rendered(form: str, stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make(load(declared()))
    wanted = router_config.bird(made, "tor-b") if form == "bird" else router_config.frr(made, "tor-b")
    assert ask(capsys, "router-config", "--stack", "two", "--format", form, "--router", "tor-b") == (0, wanted, "")
    assert stacks.exists()


@pytest.mark.usefixtures("stacks")
def test_several_routers_need_a_choice_or_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ask(capsys, "router-config", "--stack", "two", "--format", "bird")
    assert (code, out) == (2, "")
    assert err == "ops: 2 routers are declared: tor-a, tor-b; choose one with --router, or write a file for each with --output DIR\n"


def test_a_folder_gets_a_file_for_each(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stacks / "new" / "routers"
    code, out, _ = ask(capsys, "router-config", "--stack", "two", "--format", "frr", "--output", str(folder))
    assert code == 0
    assert out.splitlines() == [str(folder / "tor-a.frr.conf"), str(folder / "tor-b.frr.conf")]
    made = make(load(declared()))
    assert {path.name: path.read_text() for path in folder.iterdir()} == {f"{name}.frr.conf": router_config.frr(made, name) for name in ROUTERS}


def test_the_only_router_needs_no_choice(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(stacks, "one", merged(minimal(), {"pod_network": {"bgp": {"routers": {"tor-b": ROUTERS["tor-b"]}}}}))
    code, out, _ = ask(capsys, "router-config", "--stack", "org/project/one", "--format", "bird")
    assert code == 0
    assert "local 10.20.0.3 as 65001" in out


def test_a_secret_is_neither_needed_nor_shown(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = merged(declared(), {"hypervisors": {"kvm1": {"uri": {"secure": "v1:c2VjcmV0"}}}})
    write(stacks, "secret", environment, **{"underlay:bgp_passwords": {"tor-a": {"secure": "v1:dG9yLWE="}}})
    code, out, _ = ask(capsys, "router-config", "--stack", "secret", "--format", "bird", "--router", "tor-a")
    assert code == 0
    assert router_config.placeholder("tor-a") in out
    assert "v1:" not in out


MISTAKES: dict[str, tuple[tuple[str, ...], object, str]] = {
    "stack": (("--stack", "three"), None, "ops: no stack 'three': there is no {folder}/Pulumi.three.yaml; known stacks: two\n"),
    "yaml": (("--stack", "three"), b"a: [", "ops: {folder}/Pulumi.three.yaml is not YAML: "),
    "empty": (
        ("--stack", "three"),
        b"",
        "ops: {folder}/Pulumi.three.yaml has no object config: underlay:environment; declare the environment there\n",
    ),
    "no environment": (("--stack", "three"), b"config: {a: 1}", "ops: {folder}/Pulumi.three.yaml has no object config: underlay:environment"),
    "whole secret": (
        ("--stack", "three"),
        {"secure": "v1:abc"},
        "ops: {folder}/Pulumi.three.yaml: underlay:environment is encrypted as a whole, and nothing is decrypted here; write it plainly",
    ),
    "secret setting": (
        ("--stack", "three"),
        declared(cidr={"secure": "v1:abc"}),
        (
            "ops: 1 mistake in the stack's settings; nothing was changed:\n"
            "  - pod_network.cidr: is encrypted, and nothing is decrypted here; write it plainly, it is no secret\n"
        ),
    ),
    "settings": (
        ("--stack", "three"),
        declared(node_prefix="x", mtu=1),
        "ops: 2 mistakes in the stack's settings; nothing was changed:\n  - pod_network.node_prefix: ",
    ),
    "router": (("--stack", "two", "--router", "tor-c"), None, "ops: --router 'tor-c': no such router, declared: tor-a, tor-b\n"),
    "no router": (("--stack", "three"), minimal(), "ops: stack 'three' declares no router; name one in pod_network.bgp.routers\n"),
    "folder": (("--stack", "two", "--output", "/proc/none/such"), None, "ops: --output /proc/none/such: "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_once_and_clearly(name: str, stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, content, message = MISTAKES[name]
    if isinstance(content, bytes):
        (stacks / "Pulumi.three.yaml").write_bytes(content)
    elif content is not None:
        write(stacks, "three", content)
    code, out, err = ask(capsys, "router-config", "--format", "bird", *words)
    assert (code, out) == (2, "")
    assert err.startswith(message.format(folder=stacks))
    assert "Traceback" not in err
    assert "v1:abc" not in err


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("router-config", "--stack", "two"), "--format"),
        (("router-config", "--stack", "two", "--format", "junos"), "'junos'"),
        (("bgp",), "--stack"),
        ((), "command"),
    ],
)
def test_a_wrong_call_is_refused_with_what_is_missing(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ask(capsys, *words)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.usefixtures("stacks")
def test_the_table_has_every_session_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "bgp", "--stack", "two")
    *rows, summary = out.splitlines()
    pairs = [tuple(sorted((row.split()[0], row.split()[3]))) for row in rows[1:]]
    nodes = ["small-cp-1", "small-worker-1", "small-worker-2"]
    assert code == 0
    assert len(pairs) == len(set(pairs)) == 3 + 3 * len(ROUTERS)
    assert {pair for pair in pairs if pair[0] == nodes[0]} == {(nodes[0], other) for other in (*nodes[1:], *ROUTERS)}
    assert summary == "9 sessions: 3 with a node, 6 with a router; topology mesh"
    assert [row.split()[-1] for row in rows if " tor-b " in row] == ["eBGP"] * 3
    assert [row.split()[-1] for row in rows if " tor-a " in row] == ["iBGP"] * 3


def test_the_table_shows_who_reflects_and_a_node_sees_its_own(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reflectors = {"north": {"cluster_id": "10.20.0.240", "nodes": {"underlay.dev/pool": "cp"}}}
    write(stacks, "three", declared(bgp={"topology": "route-reflectors", "route_reflectors": reflectors}))
    _, whole, _ = ask(capsys, "bgp", "--stack", "three")
    assert whole.splitlines()[-1] == "8 sessions: 6 with a router, 2 with a route reflector; topology route-reflectors"
    _, own, _ = ask(capsys, "bgp", "--stack", "three", "--node", "small-cp-1")
    assert own.splitlines()[-1] == "4 sessions: 2 with a client, 2 with a router; topology route-reflectors"
    code, _, err = ask(capsys, "bgp", "--stack", "three", "--node", "small-cp-2")
    assert (code, err) == (2, "ops: --node 'small-cp-2': no such node, declared: small-cp-1, small-worker-1, small-worker-2\n")


def test_it_runs_as_a_program_and_without_pulumi() -> None:
    code = "import sys, runpy; sys.argv = ['ops', 'bgp', '--stack', 'example-oslo']\n"
    code += "try: runpy.run_module('ops', run_name='__main__')\nexcept SystemExit as end: assert end.code == 0\n"
    code += "assert not [name for name in sys.modules if name.split('.')[0].startswith('pulumi')]"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("NODE")

"""A node's BIRD configuration: the text for each topology, and whether BIRD itself reads it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fabric_plans import REFLECTORS, RICH, ROUTERS, plan, wire

from lab.fabric import node_config

GOLDEN = Path(__file__).parent / "golden"
PASSWORDS = {"tor": "0123456789abcdef"}
TEXTS = {
    "mesh-cp-1.conf": ((), "lab-cp-1"),
    "reflectors-cp-1.conf": (REFLECTORS, "lab-cp-1"),
    "reflectors-worker-1.conf": (REFLECTORS, "lab-worker-1"),
    "routers-worker-1.conf": (ROUTERS, "lab-worker-1"),
    "rich-worker-1.conf": (RICH, "lab-worker-1"),
}


def text(name: str) -> str:
    settings, node = TEXTS[name]
    return node_config.bird(plan(*settings), node, wire(), PASSWORDS)


@pytest.mark.parametrize("name", TEXTS)
def test_a_nodes_configuration_is_the_golden_one(name: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(text(name))
    assert text(name) == path.read_text(), f"differs from {path.name}; if that is meant: UPDATE_GOLDEN=1 pytest tests/lab, then read the diff"


def test_no_golden_configuration_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_bird_reads_a_nodes_configuration(name: str, tmp_path: Path) -> None:
    if not shutil.which("bird"):
        pytest.skip("bird is not installed (lab/packages.txt)")
    file = tmp_path / "bird.conf"
    file.write_text(text(name))
    done = subprocess.run(["bird", "-p", "-c", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def protocols(content: str) -> dict[str, str]:
    """Each BGP protocol's block by its peer's address."""
    blocks = re.findall(r"(?ms)^protocol bgp .*?^}", content)
    return {re.findall(r"neighbor (\S+)", block)[0]: block for block in blocks}


def test_every_session_of_the_plan_is_there_and_no_other() -> None:
    for settings in ((), REFLECTORS, ROUTERS, RICH):
        found = plan(*settings)
        for node in found.nodes:
            sessions = {str(session.peer_address): session.peer_as for session in found.pod_network.bgp.sessions(node.name)}
            blocks = protocols(node_config.bird(found, node.name, wire(), PASSWORDS))
            assert {address: int(re.findall(r"neighbor .* as (\d+)", block)[0]) for address, block in blocks.items()} == sessions


def test_only_a_reflector_has_clients_and_both_ends_of_a_routers_session_have_its_words() -> None:
    reflector, client = (protocols(text(f"reflectors-{node}.conf")) for node in ("cp-1", "worker-1"))
    assert "rr client" in reflector["10.77.0.21"]
    assert "rr cluster id 10.77.0.250" in reflector["10.77.0.21"]
    assert "rr client" not in client["10.77.0.11"]
    for blocks in (reflector, client):
        assert 'password "0123456789abcdef"' in blocks["10.77.0.2"]
        assert "ttl security on" in blocks["10.77.0.2"]
    assert "password" not in reflector["10.77.0.21"]

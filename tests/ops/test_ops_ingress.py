"""`python -m ops ingress`: the page for people, its numbers against the plan's, and each mistake."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import __main__ as command_line
from ops import ingress as page
from plan import make
from plan.ingress import IngressPlan
from render.ingress.server import nginx_conf
from settings import load
from tests.settings.documents import STACKS, Tree, minimal, stack

HOST: dict[str, Any] = {"exposure": {"kind": "host-network"}}
F5: dict[str, Any] = {**HOST, "controller": "f5-nginx", "manifest": {"source": "/manifests/f5.yaml", "sha256": "0" * 64}}
ONLY: dict[str, Any] = {"controller": "configmap-only", "namespace": "edge", "config_map": "edge-nginx"}


def planned(**ingress: Any) -> IngressPlan:
    found = make(load(minimal(ingress=ingress))).ingress
    assert found is not None
    return found


def said(**ingress: Any) -> str:
    made = make(load(minimal(ingress=ingress)))
    assert made.ingress is not None
    return page.report(made, made.ingress)


def values(text: str) -> dict[str, str]:
    """The table's rows by the setting's name."""
    table = text.split("\n\n")[1].splitlines()
    assert table[0].startswith("NGINX'S VALUE")
    return {row.split()[0]: " ".join(row.split()[1:]) for row in table[1:]}


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command_line, "STACKS", tmp_path)
    write(tmp_path, "front", minimal(ingress={**HOST, "expected_response_kib": 64}))
    write(tmp_path, "none", minimal())
    return tmp_path


def write(folder: Path, name: str, environment: Tree) -> None:
    (folder / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": {"underlay:environment": environment}}))


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = command_line.main(("ingress", *words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_every_value_is_there_with_its_origin_and_the_releases_own() -> None:
    text = said(**HOST, profile="reference", expected_response_kib=100, nginx={"gzip_level": 3})
    found = values(text)
    assert set(found) == set(planned(**HOST, profile="reference", expected_response_kib=100, nginx={"gzip_level": 3}).tuned)
    assert found["proxy_buffer_size_kib"] == "16 KiB profile 4 KiB"
    assert found["upstream_keepalive_connections"] == "32 profile 320"
    assert found["proxy_buffers_number"] == "7 derived 4"
    assert found["gzip_level"] == "3 declared 1"
    assert found["proxy_read_timeout_s"] == "60 s default 60 s"
    assert found["large_client_header_buffers"] == "4 of 8 KiB default 4 of 8 KiB"


def test_further_keys_are_listed_as_they_were_declared() -> None:
    assert values(said(**HOST, nginx={"further": {"hsts": "false"}}))["hsts"] == "false declared"


@pytest.mark.parametrize(
    ("ingress", "kib", "expected"),
    [
        ({"expected_response_kib": 64}, 64, "fits memory"),
        ({"expected_response_kib": 64}, 65, "does not fit memory (64 KiB): NGINX writes a temporary file"),
        ({"profile": "api"}, 64, "fits memory"),
        ({"profile": "api"}, 65, "does not fit memory (64 KiB): the application waits for the client (no temporary files)"),
        ({"nginx": {"proxy_buffering": True, "proxy_max_temp_file_size_mib": 1}}, 16 + 1024, "on the node's disk"),
        ({"nginx": {"proxy_buffering": True, "proxy_max_temp_file_size_mib": 1}}, 17 + 1024, "the application waits with the rest"),
        ({}, 1, "is passed on as the client takes it"),
        ({"profile": "reference"}, 1000, "is passed on as the client takes it"),
    ],
)
def test_it_says_what_becomes_of_a_response(ingress: dict[str, Any], kib: int, expected: str) -> None:
    assert expected in page.fate(planned(**HOST, **ingress), kib)


def test_the_expected_response_is_told_of_unless_another_is_asked_for(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stacks.exists()
    _, expected, _ = ask(capsys, "--stack", "front")
    _, asked, _ = ask(capsys, "--stack", "front", "--response", "500")
    assert "a response of 64 KiB fits memory" in expected
    assert "a response of 500 KiB does not fit memory (64 KiB)" in " ".join(asked.split())
    assert "a response of" not in said(**HOST)


def test_the_capacity_is_the_plans() -> None:
    ingress: dict[str, Any] = {**HOST, "expected_connections": 9000, "nginx": {"worker_processes": 2, "max_worker_connections": 8192}}
    plan, text = planned(**ingress), " ".join(said(**ingress).split())
    assert f"{plan.capacity.clients} of a replica (half of {plan.capacity.connections} connections)" in text
    assert f"{plan.capacity.clients * 2} of all 2; 9000 are expected" in text
    assert f"{plan.capacity.open_files} a full worker" in text
    assert f"conntrack {plan.capacity.conntrack_entries} entries of a node's " in text


@pytest.mark.parametrize(
    ("ingress", "first"), [(HOST, "ingress-nginx 1.15.1, retired"), (F5, "F5's NGINX Ingress Controller 5.5.4"), (ONLY, "the ConfigMap of")]
)
def test_the_controller_is_named(ingress: dict[str, Any], first: str) -> None:
    assert said(**ingress).startswith(first)


@pytest.mark.parametrize(
    "ingress",
    [
        {
            **HOST,
            "nginx": {
                "log_format_upstream": "$remote_addr " * 50,
                "gzip_types": [f"application/x-{number}" for number in range(30)],
                "further": {"hide-headers": "x" * 300},
            },
        },
        {
            **HOST,
            "domain": f"{'a' * 60}.{'b' * 60}.example",
            "exposure": {"kind": "host-network", "proxy_protocol": [f"10.9.{number}.0/24" for number in range(20)]},
        },
        {**F5, "nginx": {"further": {"app-protect-physical-memory-util-thresholds": "high=100 low=100 of all there is"}}},
        ONLY,
    ],
)
def test_a_line_has_at_most_100_columns(ingress: dict[str, Any]) -> None:
    assert max(map(len, said(**ingress).splitlines())) <= page.WIDTH


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_it_reads_the_projects_own_stacks(path: Path) -> None:
    made = make(load(stack(path)))
    assert made.ingress is not None
    assert max(map(len, page.report(made, made.ingress).splitlines())) <= page.WIDTH


def test_it_prints_the_servers_configuration(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stacks.exists()
    assert ask(capsys, "--stack", "front", "--nginx-conf") == (0, nginx_conf(planned(**HOST, expected_response_kib=64)), "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--stack", "none"), "ops: stack 'none' declares no ingress; write ingress in its stack file\n"),
        (("--stack", "front", "--response", "0"), "ops: --response 0: expected KiB, 1 or more\n"),
    ],
)
def test_a_mistake_is_said(words: tuple[str, ...], message: str, stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stacks.exists()
    assert ask(capsys, *words) == (2, "", message)

"""The stand-ins for random, tls and command under the real engine: one stack's life, told once and looked at from many sides."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.plugins.base import ProviderError
from lab.plugins.install import install
from tests.plugins import ssh_server
from tests.plugins.pulumi_project import CHECKOUT, Outcome, Project, engine, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH")]
WAIT = "sleep 3601.5"
"""What the update's remote command does when it is interrupted; of a length that nothing else on this machine sleeps."""
LOADED_S = 300
"""Within which that is reached and ended, also where machines are emulated beside it."""

PROGRAM = """
from pathlib import Path
import pulumi, pulumi_random as random, pulumi_tls as tls
from pulumi_command import local, remote

config = pulumi.Config()
folder = Path({folder!r})
version = config.get("version") or "1"

name = random.RandomString("string", length=8, special=False, keepers={{"version": config.get("keep") or "1"}})
password = random.RandomPassword("password", length=20, min_special=2)
key = random.RandomBytes("bytes", length=32)
identity = random.RandomId("id", byte_length=4, prefix=name.result)

ca_key = tls.PrivateKey("ca-key", algorithm="ECDSA", ecdsa_curve="P256")
ca = tls.SelfSignedCert("ca", private_key_pem=ca_key.private_key_pem, allowed_uses=["cert_signing"], is_ca_certificate=True,
    validity_period_hours=48, early_renewal_hours=int(config.get("early") or 0), subject={{"common_name": "ca"}})
request = tls.CertRequest("request", private_key_pem=ca_key.private_key_pem, subject={{"common_name": "leaf"}})
leaf = tls.LocallySignedCert("leaf", ca_cert_pem=ca.cert_pem, ca_private_key_pem=ca_key.private_key_pem,
    cert_request_pem=request.cert_request_pem, allowed_uses=["client_auth"], validity_period_hours=24)

here = local.Command("here", create="echo here $VERSION", environment={{"VERSION": version}}, delete=f"echo gone > {{folder}}/gone-here")
there = remote.Command("there",
    connection=remote.ConnectionArgs(host="127.0.0.1", port={port}, private_key=pulumi.Output.secret((folder / "client").read_text()),
        host_key=(folder / "host.pub").read_text(), dial_error_limit=0),
    create="exec bash -s", triggers=[config.get("trigger") or "1"], delete="exec bash -s",
    stdin=pulumi.Output.secret(f"hidden=hush-hush; echo there {{version}}; {{config.get('then') or 'true'}}"))
pulumi.export("identity", identity.hex)
pulumi.export("leaf", leaf.cert_pem)
pulumi.export("there", there.stdout)
pulumi.export("password", password.result)
"""


@dataclass
class Story:
    """What the engine said at each stage."""

    first_plan: dict[str, str]
    created: Outcome
    outputs: dict[str, Any]
    state: dict[str, dict[str, Any]]
    raw_state: str
    exported: str
    second_plan: dict[str, str]
    refreshed: Outcome
    changed_plan: dict[str, str]
    changed_preview: str
    changed: Outcome
    changed_outputs: dict[str, Any]
    renewal_plan: dict[str, str]
    failed: Outcome
    cancelled: Outcome
    destroyed: Outcome
    folder: Path


class Teller:
    """A project, with its configuration."""

    def __init__(self, folder: Path, port: int) -> None:
        self.project = Project(folder / "project")
        self.project.write(PROGRAM.format(folder=str(folder), port=port))

    def set(self, **values: str) -> None:
        pairs = [word for name, value in values.items() for word in ("--plaintext", f"{name}={value}")]
        assert self.project.run("config", "set-all", *pairs).code == 0

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.project.run("stack", "output", "--json").text)

    def cancelled(self) -> Outcome:
        """An update that is interrupted while its remote command runs, long before that would end by itself."""
        process = self.project.start("up", "--yes", "--skip-preview")
        try:
            wait_until(lambda: subprocess.run(["pgrep", "-f", WAIT], capture_output=True, check=False).returncode == 0, LOADED_S)
            process.send_signal(2)
            text, _ = process.communicate(timeout=LOADED_S)
        finally:
            process.kill()
        return Outcome(process.returncode, text)

    def tell(self, folder: Path) -> Story:
        project = self.project
        first_plan = project.planned()
        created = project.up()
        outputs, state, raw_state = self.outputs(), project.state(), project.raw_state()
        exported = project.run("stack", "export").text
        second_plan = project.planned()
        refreshed = project.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
        self.set(version="2", keep="2", trigger="2")
        changed_plan = project.planned()
        changed_preview = project.preview().text
        changed = project.up()
        changed_outputs = self.outputs()
        self.set(early="49")
        renewal_plan = project.planned()
        self.set(early="0", then="echo before >&2; exit 7")
        failed = project.run("up", "--yes", "--skip-preview")
        self.set(then=WAIT)
        cancelled = self.cancelled()
        destroyed = project.run("destroy", "--yes", "--skip-preview")
        return Story(
            first_plan,
            created,
            outputs,
            state,
            raw_state,
            exported,
            second_plan,
            refreshed,
            changed_plan,
            changed_preview,
            changed,
            changed_outputs,
            renewal_plan,
            failed,
            cancelled,
            destroyed,
            folder,
        )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("engine")
    ssh_server.write_keys(folder)
    server = subprocess.Popen([sys.executable, ssh_server.__file__, str(folder)], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield Teller(folder, int(server.stdout.readline())).tell(folder)
    finally:
        server.kill()
        server.communicate()


NAMES = {"string", "password", "bytes", "id", "ca-key", "ca", "request", "leaf", "here", "there"}


def test_the_first_preview_creates_everything_and_knows_no_result(story: Story) -> None:
    assert {name for name, step in story.first_plan.items() if step == "create"} >= NAMES


def test_the_first_update_makes_everything(story: Story) -> None:
    assert story.state.keys() >= NAMES
    assert story.outputs["identity"].startswith(story.state["string"]["outputs"]["result"])
    assert story.outputs["there"] == "there 1"
    assert story.outputs["leaf"].startswith("-----BEGIN CERTIFICATE-----")
    assert story.state["leaf"]["outputs"]["caKeyAlgorithm"] == "ECDSA"


def test_a_second_preview_and_a_refresh_find_nothing(story: Story) -> None:
    assert story.second_plan == {}
    assert story.refreshed.code == 0, story.refreshed.text


def test_output_of_commands_is_shown_while_they_run(story: Story) -> None:
    assert "there 1" in story.created.text
    assert "here 1" in story.created.text


def test_nothing_secret_is_in_the_state_the_export_or_the_output(story: Story) -> None:
    def plain(name: str, output: str) -> str:
        return json.loads(story.state[name]["outputs"][output]["plaintext"])

    secrets = [plain("password", "result"), plain("password", "bcryptHash"), plain("bytes", "hex"), "hush-hush"]
    secrets += [plain("ca-key", "privateKeyPem").splitlines()[1], (story.folder / "client").read_text().splitlines()[1]]
    assert json.dumps(story.state).count("hush-hush") > 0, "the secret is nowhere: the test proves nothing"
    said = [story.created.text, story.changed_preview, story.changed.text, story.failed.text, story.cancelled.text, story.destroyed.text]
    for place in (story.raw_state, story.exported, *said):
        assert not [secret for secret in secrets if secret in place]
    assert story.outputs["password"] == "[secret]"


def test_a_change_updates_commands_in_place_and_replaces_the_rest(story: Story) -> None:
    assert story.changed_plan["here"] == "update"
    assert "replace" in story.changed_plan["string"]
    assert "replace" in story.changed_plan["id"]
    assert "replace" in story.changed_plan["there"]
    assert story.changed_plan.keys() & NAMES == {"here", "string", "id", "there"}


def test_the_diff_shows_what_changes_and_what_is_not_known_yet(story: Story) -> None:
    assert '~ VERSION: "1" => "2"' in story.changed_preview
    assert '~ version: "1" => "2"' in story.changed_preview
    assert "prefix: " in story.changed_preview
    assert "[unknown]" in story.changed_preview
    assert story.changed_outputs["identity"] != story.outputs["identity"]
    assert story.changed_outputs["there"] == "there 2"


def test_a_certificate_due_for_renewal_is_replaced_and_so_is_what_it_signed(story: Story) -> None:
    assert story.renewal_plan.keys() & NAMES == {"ca", "leaf"}
    assert "replace" in story.renewal_plan["ca"]


def test_a_failing_command_fails_the_update_with_its_output(story: Story) -> None:
    assert story.failed.code != 0
    assert 'error: Process exited with status 7: running "exec bash -s":' in story.failed.text
    assert "before" in story.failed.text
    assert "Traceback" not in story.failed.text


def test_an_interrupted_update_ends_its_command(story: Story) -> None:
    assert story.cancelled.code != 0
    assert "cancelled before it was finished" in story.cancelled.text
    assert subprocess.run(["pgrep", "-f", WAIT], capture_output=True, check=False).returncode == 1


def test_destroy_runs_delete_with_the_last_inputs(story: Story) -> None:
    assert story.destroyed.code == 0, story.destroyed.text
    assert "there 2" in story.destroyed.text
    assert (story.folder / "gone-here").exists()


def test_an_installed_lab_says_nothing_of_where_its_plugins_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = engine()
    assert cli
    install(tmp_path / "bin", Path(sys.executable), CHECKOUT, pulumi=Path(cli), pulumi_home=tmp_path / "home")
    monkeypatch.setenv("UNDERLAY_PULUMI", str(tmp_path / "bin" / "pulumi"))
    log = tmp_path / "plugins.log"
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    project = Project(tmp_path / "project", {"PATH": path, "PULUMI_HOME": str(tmp_path / "home"), "UNDERLAY_PLUGIN_LOG": str(log)})
    project.write('import pulumi_random as r\nr.RandomString("s", length=3)\n')
    outcome = project.up()
    assert "warning" not in outcome.text
    assert "info:" not in outcome.text
    assert "random: the lab's stand-in, not the vendor's plugin" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_type_without_a_stand_in_is_refused_by_name(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.write('import pulumi_random as r\nr.RandomPet("s", length=3)\n')
    outcome = project.run("preview")
    assert outcome.code != 0
    assert "the lab's stand-in for random has no type random:index/randomPet:RandomPet" in outcome.text
    assert ProviderError.__name__ not in outcome.text

"""`ops policy`: levels of a stack, a recorded preview, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ops.__main__ import main
from policy.rules import RULES
from tests.ops.test_ops_workflows import scripts
from tests.policy.cases import REFUSED
from tests.policy.defects import DEFECTS, broken
from tests.policy.stacks import Program, good
from tests.policy.test_policy_recorded import document
from tests.settings.documents import ROOT

CASES = (*DEFECTS, *REFUSED)
ADVISED = [defect for defect in DEFECTS if defect.rule == "retired-software"]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "preview.json"


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stack files of the test's own."""
    monkeypatch.setattr("ops.__main__.STACKS", tmp_path)
    return tmp_path


def stack_file(stacks: Path, levels: object) -> None:
    (stacks / "Pulumi.oslo.yaml").write_text(yaml.safe_dump({"config": {"underlay:environment": {"name": "oslo", "policies": {"levels": levels}}}}))


def test_nothing_wrong_ends_with_0(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write_text(document(good()))
    assert main(["policy", str(record)]) == 0
    assert capsys.readouterr().out == f"{len(RULES)} rules asked: nothing to say\n"


def test_advice_ends_with_10(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write_text(document(broken(*ADVISED)))
    assert main(["policy", str(record)]) == 10
    assert "[advisory] retired-software: Nothing runs that nobody mends any more.\n  - oslo-front is ingress-nginx" in capsys.readouterr().out


def test_a_refusal_ends_with_40_and_comes_first(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write_text(document(broken(*DEFECTS)))
    assert main(["policy", str(record)]) == 40
    said = capsys.readouterr().out
    assert said.startswith(f"{len(RULES)} rules asked: {len(DEFECTS) - 2} refused, 1 advised\n")  # one is hidden from a record
    assert said.rindex("[mandatory]") < said.index("[advisory]")


def test_a_rule_is_said_once_with_all_that_it_found(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write_text(document(broken(*(case for case in CASES if case.rule == "residency-sources"))))
    assert main(["policy", str(record)]) == 40
    summary, _, rest = capsys.readouterr().out.partition("\n\n")
    said, *found = rest.partition("\n\n")[0].splitlines()
    assert said == "[mandatory] residency-sources: Node images, manifests and container images come from hosts in the allowed countries."
    assert {line.partition(":")[0] for line in found} == {"  - oslo", "  - oslo-web", "  - oslo-base"}
    assert summary.endswith(f"{len(found)} refused, 0 advised")


@pytest.mark.parametrize("name", ["preview.json", "events.jsonl"])
def test_a_preview_that_broke_off_is_never_right(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = ROOT / "tests" / "golden" / "previews" / "refused" / name
    assert main(["policy", str(record)]) == 40
    assert "The preview failed, so the record may not hold everything:\n  error: 2 mistakes in the stack's settings" in capsys.readouterr().out
    assert main(["policy", str(record), "--json"]) == 40
    assert "kube_proxy.ipvs.scheduler: is 'fastest'" in json.loads(capsys.readouterr().out)["errors"][0]


def failed(record: Path, program: Program, *messages: str) -> None:
    """A record of a preview that the engine's own run of the rules refused, as the engine writes it."""
    found = json.loads(document(program).partition("\n")[2])
    found["diagnostics"] = [{"severity": "error", "message": f"error: {message}\n"} for message in ("preview failed", *messages)]
    record.write_text(json.dumps(found))


def test_a_refusal_by_the_same_rules_is_no_second_reason(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed(
        record, broken(*DEFECTS), "Detected that /bin/pulumi-resource-libvirt exited prematurely. \n       This is *always* a bug in the provider."
    )
    assert main(["policy", str(record)]) == 40
    assert "The preview failed" not in capsys.readouterr().out
    failed(record, broken(*DEFECTS), "the server has asked for the client to provide credentials")
    assert main(["policy", str(record)]) == 40
    assert capsys.readouterr().out.count("  error: ") == 1


def test_a_refusal_that_a_record_hides_is_not_passed(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed(record, good())
    assert main(["policy", str(record)]) == 40
    assert "  error: preview failed" in capsys.readouterr().out


def test_a_stack_says_how_strict_it_is(record: Path, stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write_text(document(broken(*DEFECTS)))
    stack_file(stacks, {rule.id: "advisory" if rule.id == "secrets" else "disabled" for rule in RULES})
    assert main(["policy", str(record), "--stack", "oslo", "--json"]) == 10
    said = json.loads(capsys.readouterr().out)
    assert [(item["rule"], item["level"], item["resource"]) for item in said["violations"]] == [("secrets", "advisory", "oslo-cp-1-seed")]
    assert said["levels"]["cpu-pins"] == "disabled"


def test_the_record_says_it_where_no_stack_is_named(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(document(broken(*ADVISED)).partition("\n")[2])
    found["config"]["underlay:environment"] = json.dumps({"policies": {"levels": {"retired-software": "mandatory"}}})
    record.write_text(json.dumps(found))
    assert main(["policy", str(record)]) == 40
    assert "[mandatory] retired-software" in capsys.readouterr().out


def test_levels_are_written_for_the_engine(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack_file(stacks, {"images-by-digest": "disabled"})
    assert main(["policy", "--levels", "--stack", "oslo"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {rule.id: {"enforcementLevel": "disabled" if rule.id == "images-by-digest" else rule.level} for rule in RULES}


def test_a_misspelt_rule_is_a_mistake(stacks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack_file(stacks, {"image-by-digest": "disabled"})
    assert main(["policy", "--levels", "--stack", "oslo"]) == 2
    assert "policies.levels: has the key 'image-by-digest'" in capsys.readouterr().err


def test_levels_need_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "--levels"]) == 2
    assert "name it with --stack" in capsys.readouterr().err


def test_what_is_no_record_makes_no_sense(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write_text("{}")
    assert main(["policy", str(record)]) == 2
    assert f"{record} is JSON, but no document of `pulumi preview --json --show-sames`" in capsys.readouterr().err


def test_every_preview_and_up_of_the_workflows_is_held_against_the_rules() -> None:
    runs = [(where, script) for where, script in scripts() if "pulumi preview" in script or "pulumi up" in script]
    held = [where for where, script in runs if "--policy-pack policy" in script and "--policy-pack-config" in script]
    assert sorted(where for where, script in runs if "--refresh" not in script) == sorted(held)
    assert len(held) == 5  # a preview before and after the merge, and an up; the first and the last on GitLab too


def test_the_pack_runs_on_the_sdk_that_goes_with_the_engine() -> None:
    def pinned(path: str) -> dict[str, str]:
        lines = [line for line in (ROOT / path).read_text().splitlines() if "==" in line and not line.lstrip().startswith("#")]
        return dict(line.split("==", 1) for line in lines)

    pack = pinned("policy/requirements.txt")
    assert pack["pulumi"] == pinned("requirements.txt")["pulumi"]
    assert pack["pulumi-policy"]
    assert pinned("policy/requirements.in").items() <= pack.items()

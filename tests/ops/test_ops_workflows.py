"""The workflows: who may do what with which secret, that all is pinned, and that what they call is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import engine
from ops.__main__ import parser
from tests.settings.documents import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
OWN = [path for path in WORKFLOWS if path.stem in ("preview", "up", "drift")]
GITLAB = re.search(r"(?s)```yaml\n(# \.gitlab-ci\.yml.*?)```", (ROOT / "docs" / "reviews.md").read_text())


class _Loader(yaml.SafeLoader):
    """`on` is a word, not a truth."""


_LOADED = {char: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:bool"] for char, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.yaml_implicit_resolvers = _LOADED


def document(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a safe loader


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return document(path)["jobs"]


def scripts() -> Iterator[tuple[str, str]]:
    """All shell of workflows, of the action, and of GitLab's pipeline."""
    for path in WORKFLOWS:
        yield from ((f"{path.name} {name}", step["run"]) for name, job in jobs(path).items() for step in job["steps"] if "run" in step)
    for path in ACTIONS:
        yield from ((path.parent.name, step["run"]) for step in document(path)["runs"]["steps"] if "run" in step)
    assert GITLAB is not None
    pipeline: dict[str, Any] = yaml.safe_load(GITLAB[1])
    for name, job in pipeline.items():
        for key in {"before_script", "script", "after_script"} & set(job):
            assert [line for line in job[key] if not isinstance(line, str)] == [], f"YAML takes a line of {name} for something else than a command"
            yield from ((f"gitlab {name}", line) for line in job[key])


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_actions_are_pinned_by_commit_with_their_version(path: Path) -> None:
    uses = re.findall(r"(?m)^\s*-?\s*uses:\s*(.+)$", path.read_text())
    for used in uses:
        assert used.startswith("./") or re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_is_permitted_that_a_job_does_not_ask_for(path: Path) -> None:
    assert document(path)["permissions"] == {}
    for name, job in jobs(path).items():
        asked = job["permissions"]
        assert asked.pop("contents") == "read"
        assert asked == {("preview", "preview"): {"pull-requests": "write"}, ("drift", "drift"): {"issues": "write"}}.get((path.stem, name), {}), name


def test_no_job_with_a_secret_runs_for_a_fork() -> None:
    path = ROOT / ".github" / "workflows" / "preview.yml"
    assert set(document(path)["on"]) == {"pull_request"}
    for name, job in jobs(path).items():
        if "secrets." in yaml.safe_dump(job):
            assert job["if"].startswith("github.event.pull_request.head.repo.full_name == github.repository && "), name
    assert [name for name, job in jobs(path).items() if "secrets." not in yaml.safe_dump(job)] == ["settings"]


def test_nobody_elses_text_is_put_into_a_script() -> None:
    for where, script in scripts():
        assert "${{" not in script, where


def test_checkouts_keep_no_token() -> None:
    for path in WORKFLOWS:
        for name, job in jobs(path).items():
            for step in job["steps"]:
                if str(step.get("uses", "")).startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] == "false", (path.name, name)


def test_one_stack_is_worked_on_by_one_run_at_a_time() -> None:
    groups = {path.stem: [job["concurrency"] for job in jobs(path).values() if "concurrency" in job] for path in OWN}
    assert [group["cancel-in-progress"] for group in groups["preview"]] == ["true"]
    assert "${{ matrix.stack }}" in groups["preview"][0]["group"]
    assert groups["up"] == groups["drift"] == [{"group": "stack-${{ matrix.stack }}", "cancel-in-progress": "false"}]


def test_up_waits_for_the_environments_reviewers_and_for_its_preview() -> None:
    job = jobs(ROOT / ".github" / "workflows" / "up.yml")["up"]
    assert job["environment"] == "${{ matrix.stack }}"
    assert "preview" in job["needs"]


def commands() -> list[tuple[str, list[str]]]:
    """Every call of `python -m ops`, with its words."""
    found: list[tuple[str, list[str]]] = []
    for where, script in scripts():
        for line in script.replace("\\\n", " ").splitlines():
            for call in re.findall(r"python -m ops ([^|&;)]*)", line):
                words = shlex.split(re.sub(r"\d?>>?\s*\S+", "", call).replace('"${since[@]}"', "--all").replace("$SKIP", "--skip lab"))
                found.append((where, [re.sub(r"\$\{?\w+\}?", "x", word) for word in words]))
    return found


def test_every_command_of_ours_that_they_call_is_one() -> None:
    called = commands()
    assert {words[0] for _, words in called} == {"touched", "preview-summary", "bgp", "verify", "policy", "plan"}
    assert {where.split()[0] for where, _ in called} >= {"preview.yml", "up.yml", "drift.yml", "gitlab"}
    for where, words in called:
        parser().parse_args(words)
        assert where


def test_seats_are_recorded_before_anything_is_merged() -> None:
    asked = [(where.split()[0], words) for where, words in commands() if words[0] == "plan"]
    assert {where for where, words in asked if {"--record", "--check"} <= set(words)} == {"preview.yml", "gitlab"}
    assert [words for _, words in asked if "--record" in words and "--check" not in words] == [], "nothing writes into a checkout that is thrown away"


@pytest.mark.parametrize("words", [["touched"], ["preview-summary", "a", "--format", "x"], ["previews-summary"]])
def test_a_command_that_is_none_would_be_found(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(words)


def test_the_cli_is_the_one_that_goes_with_the_packages() -> None:
    pinned = {version for path in (*WORKFLOWS, *ACTIONS) for version in re.findall(r"pulumi-version: (\S+)", path.read_text())}
    assert GITLAB is not None
    pinned |= set(re.findall(r"PULUMI_VERSION: \"?([\d.]+)", GITLAB[1]))
    assert pinned == {engine.VERSION}
    assert f"pulumi=={engine.VERSION}" in (ROOT / "requirements.txt").read_text()


def test_gitlabs_pipeline_has_the_same_gates() -> None:
    assert GITLAB is not None
    pipeline = yaml.safe_load(GITLAB[1])
    assert {"settings", "preview", "up", "drift"} <= set(pipeline)
    assert [rule["if"].partition(" && ")[2] for rule in pipeline["preview"]["rules"]] == ["$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID"]
    assert pipeline["up"]["resource_group"]

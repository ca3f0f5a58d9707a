"""The machine that runs `pulumi up` with one thing missing each, and the files of the image."""

from dataclasses import replace
from typing import Any

import pytest

from ops.doctor import judges
from ops.doctor.model import OPERATOR, OperatorSeen, Part
from ops.verify.model import Said, Status
from tests.ops.doctor.made_hosts import GIB, only, operator, plan_with, said, seen, wrong


def having(**changes: Any) -> OperatorSeen:
    return replace(operator(), **changes)


def answering(name: str, answer: Said) -> OperatorSeen:
    return having(commands={**operator().commands, name: answer})


@pytest.mark.parametrize(("tool", "package"), [("mkisofs", "genisoimage"), ("xsltproc", "xsltproc")])
def test_a_missing_tool(tool: str, package: str) -> None:
    found = only(seen(here=having(tools={**operator().tools, tool: ""})), f"tool.{tool}")
    assert (found.where, found.severity, found.found) == (OPERATOR, "error", "not on PATH")
    assert f"apt install {package}" in found.remedy


def test_without_an_engine_nothing_is_asked_of_it() -> None:
    only(seen(here=having(tools={**operator().tools, "pulumi": ""}, commands={"packages": operator().commands["packages"]})), "tool.pulumi")


def test_packages_that_are_not_as_pinned() -> None:
    found = only(seen(here=answering("packages", said('["3.11.2", {"pulumi": "3.200.0", "pulumi_libvirt": "0.5.4"}]'))), "python.packages")
    assert found.found == "pulumi 3.200.0 (pinned 3.259.0); pulumi-tls missing (pinned 5.5.1)"
    gone = Said(output="", exit_code=127, error=".venv/bin/python cannot be run: No such file or directory")
    assert "venv" in only(seen(here=answering("packages", gone)), "python.packages").remedy


@pytest.mark.parametrize(("version", "good"), [("v3.259.0", True), ("v3.300.1", True), ("v3.258.9", False), ("v4.0.0", False)])
def test_an_engine_that_does_not_fit_the_sdk(version: str, *, good: bool) -> None:
    what = seen(here=answering("engine", said(f"{version}\n")))
    if good:
        assert not wrong(what)
    else:
        assert "3.259.0" in only(what, "pulumi.version").remedy


def test_plugins_that_the_engine_may_or_may_not_fetch() -> None:
    old = answering("plugins", said('[{"name": "libvirt", "version": "0.5.4"}, {"name": "tls", "version": "5.4.0"}]'))
    found = only(seen(here=old), "pulumi.plugins")
    assert (found.severity, found.remedy) == ("warning", "pulumi plugin install resource tls 5.5.1")
    refused = replace(old, variables=frozenset({"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"}))
    assert only(seen(here=refused), "pulumi.plugins").severity == "error"


def test_a_backend_that_does_not_answer_hides_what_is_in_it() -> None:
    words = 'error: unable to open state directory "file:///x": stat /x: no such file or directory\n'
    found = only(seen(here=answering("backend", said(words, 1))), "state.backend")
    assert found.found == words.removeprefix("error: ").strip()


def test_a_backends_url_is_shown_without_what_opens_it() -> None:
    secret = answering("backend", said('{"user": "me", "url": "postgres://me:hunter2@db.example/states?sslkey=hunter2"}'))
    assert not wrong(seen(here=secret))
    broken = answering("backend", said("error: open postgres://me:hunter2@db.example/states?sslkey=hunter2: connection refused\n", 255))
    assert "postgres://db.example/states" in only(seen(here=broken), "state.backend").found
    for here in (secret, broken):
        assert "hunter2" not in str(judges.findings(seen(here=here)))


@pytest.mark.parametrize(
    ("declared", "found", "same"),
    [
        ("s3://states?region=eu-north-1&endpoint=s3.example", "s3://states?endpoint=s3.example&region=eu-north-1&awssdk=v2", True),
        ("s3://states?endpoint=s3.example", "s3://states?endpoint=s3.other.example", False),
        ("s3://states?endpoint=s3.example", "s3://states", False),
        ("s3://states/oslo", "s3://states/oslo/", True),
        ("gs://states", "s3://states", False),
        ("file:///srv/states", "file:///srv/states/", True),
        ("file:///srv/states", "file:///home/me", False),
        ("https://api.pulumi.example", "https://app.pulumi.example/me", True),
        ("https://api.pulumi.example", "https://app.pulumi.com/me", False),
    ],
)
def test_a_backend_that_is_not_the_declared_one(declared: str, found: str, same: bool) -> None:
    places = {"s3.example": "NO", "s3://states": "NO", "gs://states": "NO", "api.pulumi.example": "NO"}
    plan = plan_with(residency={"places": places}, state_backend={"url": declared})
    what = seen(plan, here=answering("backend", said(f'{{"user": "me", "url": "{found}"}}')))
    if same:
        assert not {"state.backend"} & wrong(what).keys()
    else:
        assert "pulumi login" in only(what, "state.backend").remedy


def test_a_stack_that_is_not_there_yet() -> None:
    found = only(seen(here=answering("stacks", said("[]"))), "state.stack")
    assert (found.severity, found.remedy) == ("warning", "pulumi stack init small")


def test_secrets_that_cannot_be_opened() -> None:
    found = only(seen(here=answering("secrets", said("error: incorrect passphrase\n", 255))), "state.secrets")
    assert (found.found, found.declared) == ("incorrect passphrase", "secrets by passphrase")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" in found.remedy
    assert not wrong(seen(here=having(stack_file={}, variables=frozenset({"PULUMI_CONFIG_PASSPHRASE"}))))
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" in only(seen(here=having(stack_file={})), "state.secrets").remedy
    service = answering("backend", said('{"user": "me", "url": "https://api.pulumi.example"}'))
    assert not wrong(seen(here=replace(service, stack_file={})))
    vault = replace(answering("secrets", said("error: 403\n", 1)), stack_file={"secretsprovider": "hashivault"})
    assert "hashivault" in only(seen(here=vault), "state.secrets").remedy


def test_a_file_of_the_image_that_is_not_there() -> None:
    gone = Part(setting="image.kernel", source="images/vmlinuz", size=None, error="No such file or directory")
    what = wrong(seen(here=having(parts=(operator().parts[0], gone))))
    assert (list(what), what["pool.space"].status) == (["image.files", "pool.space"], Status.NOT_CHECKED)
    found = what["image.files"]
    assert found.declared == "image.kernel images/vmlinuz"
    assert "python -m image build" in found.remedy


def test_a_manifest_that_is_not_the_pinned_one() -> None:
    setting = "pod_network.manifest"
    assert not wrong(seen(here=having(manifests={setting: ""})))
    message = (
        f"{setting}: calico.yaml has SHA-256 1, expected 2: the file is not the one that was pinned; nothing was changed. Correct {setting}.source"
    )
    found = only(seen(here=having(manifests={setting: message})), "manifests.pinned")
    assert found.declared.startswith(setting)
    assert found.found == "calico.yaml has SHA-256 1, expected 2: the file is not the one that was pinned"


def test_an_image_of_another_kubernetes() -> None:
    found = only(seen(here=having(image_kubernetes="1.35.2")), "image.kubernetes")
    assert "1.35.2" in found.found
    assert "1.36.3" in found.declared


def test_a_disk_that_is_smaller_than_the_image() -> None:
    big = Part(setting="image.source", source="node.qcow2", size=2 * GIB, virtual_size=12 * GIB + 1)
    plan = plan_with(control_plane={"disk": {"size_gib": 12}})
    assert only(seen(plan, here=having(parts=(big,))), "image.size").limit == "at least 13 GiB"


def test_what_was_not_asked_never_passes() -> None:
    found = wrong(seen(here=having(commands={})))
    assert found["python.packages"].status is Status.FAILED
    assert found["state.backend"].status is Status.FAILED
    assert found["pulumi.version"].status is Status.NOT_CHECKED

"""Rules as plain functions: what each refuses, with which message, and what it lets pass."""

from __future__ import annotations

import copy

import pytest

from policy.rule import Rule
from policy.rules import RULES, violations
from policy.rules.proxy_mode import MODES
from policy.urls import host_of, registry_of
from settings.kube_proxy import MODES as HISTORY
from settings.policies import RULES as KNOWN
from settings.residency import place_of
from tests.policy.cases import REFUSED, RIGHT, Right
from tests.policy.defects import DEFECTS, Defect, broken
from tests.policy.stacks import Program, good, stack_of


def refused(program: Program) -> list[tuple[str, str, str]]:
    return [(found.rule.id, found.name, found.message) for found in violations(stack_of(program))]


def test_a_stack_that_is_right_is_refused_nothing() -> None:
    assert refused(good()) == []


@pytest.mark.parametrize("defect", [*DEFECTS, *REFUSED], ids=lambda defect: f"{defect.rule}: {defect.says}")
def test_a_defect_is_refused_by_its_rule_alone_and_once(defect: Defect) -> None:
    found = refused(broken(defect))
    assert [(rule, name) for rule, name, _ in found] == [(defect.rule, defect.on)], found
    assert defect.says in found[0][2]


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.why)
def test_what_is_declared_or_harmless_passes(case: Right) -> None:
    program = copy.deepcopy(good())
    case.change(program)
    assert refused(program) == []


def test_every_rule_has_a_stack_that_breaks_it() -> None:
    assert [defect.rule for defect in DEFECTS] == [rule.id for rule in RULES]


def test_all_defects_together_are_one_message_each() -> None:
    assert sorted(rule for rule, _, _ in refused(broken(*DEFECTS))) == sorted(rule.id for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_it_demands_why_and_who_says_so(rule: Rule) -> None:
    assert rule.demand.endswith(".")
    assert rule.reason.endswith(".")
    assert rule.source
    assert not rule.source.endswith(".")


@pytest.mark.parametrize("defect", [*DEFECTS, *REFUSED], ids=lambda defect: f"{defect.rule}: {defect.says}")
def test_a_message_names_a_remedy(defect: Defect) -> None:
    assert "; " in refused(broken(defect))[0][2]


def test_a_level_switches_a_rule_off() -> None:
    stack = stack_of(broken(*DEFECTS))
    found = {item.rule.id for item in violations(stack, {"secrets": "disabled", "protection": "advisory"})}
    assert found == {rule.id for rule in RULES} - {"secrets"}


def test_settings_know_the_rules() -> None:
    assert tuple(rule.id for rule in RULES) == KNOWN


def test_a_mode_ends_where_the_settings_say_that_it_does() -> None:
    ends = {mode: history.removed[1] if history.removed else None for mode, history in HISTORY.items()}
    begins = {mode: history.since[1] for mode, history in HISTORY.items()}
    assert {mode: (begins[mode], ends[mode]) for mode in HISTORY} == MODES


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example:8443/a",
        "http://files.example/a",
        "file:///srv/state",
        "/srv/node.qcow2",
        "s3://state?endpoint=s3.example&s3ForcePathStyle=true",
        "s3://state?endpoint=https://s3.example:9000",
        "s3://state?region=eu-north-1",
        "gs://State/prefix",
        "azblob://state",
    ],
)
def test_a_url_stands_where_the_settings_look_for_it(url: str) -> None:
    assert host_of(url) == place_of(url)


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("nginx", "docker.io"),
        ("library/nginx:1.29", "docker.io"),
        ("registry.example/calico/node:v3.32.1", "registry.example"),
        ("registry.example:5000/node@sha256:00", "registry.example"),
        ("localhost/node", "localhost"),
    ],
)
def test_an_image_comes_from_the_registry_that_containerd_would_ask(image: str, registry: str) -> None:
    assert registry_of(image) == registry

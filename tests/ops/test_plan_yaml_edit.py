"""Seats written into a stack file: what changes is the entries alone; comments, order, quotes and line ends stay as people wrote them."""

import difflib
from typing import Any

import pytest
import yaml

from ops.flow import Quoted
from ops.plan.yaml_edit import NotEditableError, with_mapping

PATH = ("config", "env", "placements")
ONE, TWO, THREE = ({"hypervisor": f"kvm{number}", "cpus": Quoted("4-5,36-37")} for number in (1, 2, 3))
SEATS = {"oslo-cp-1": ONE, "oslo-cp-2": TWO}
HEAD = """\
# the head
config:
  # about the environment
  env:
    name: oslo   # the name
    workers: { worker: { count: 2 } }
"""
TAIL = '    # the end of the environment\n  other: "x" # and more\n# the end\n'
BLOCK = '    placements:\n      oslo-cp-1: { hypervisor: kvm1, cpus: "4-5,36-37" }\n      oslo-cp-2: { hypervisor: kvm2, cpus: "4-5,36-37" }\n'


def changed(before: str, wanted: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Lines that went and lines that came; the file means what it meant before, and the seats."""
    after = with_mapping(before, PATH, wanted)
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    assert (new["config"]["env"].pop("placements", None) or {}) == wanted
    old["config"]["env"].pop("placements", None)
    assert new == old
    difference = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [line[2:] for line in difference if line[0] == "-"], [line[2:] for line in difference if line[0] == "+"]


def test_a_file_without_seats_gets_them_at_the_end_of_its_environment() -> None:
    after = with_mapping(HEAD + TAIL, PATH, SEATS)
    assert after == HEAD + BLOCK + TAIL
    assert with_mapping(after, PATH, SEATS) == after


def test_nothing_to_write_changes_nothing() -> None:
    assert with_mapping(HEAD + TAIL, PATH, {}) == HEAD + TAIL
    assert with_mapping(HEAD + BLOCK + TAIL, PATH, SEATS) == HEAD + BLOCK + TAIL
    entries = "      oslo-cp-2:\n        cpus: '4-5,36-37'\n        hypervisor: kvm2\n      'oslo-cp-1': {cpus: \"4-5,36-37\", hypervisor: kvm1}\n"
    by_hand = f"{HEAD}    placements:\n{entries}{TAIL}"
    assert with_mapping(by_hand, PATH, SEATS) == by_hand


def test_a_new_seat_goes_after_the_one_before_it() -> None:
    wanted = {"oslo-cp-1": ONE, "oslo-cp-2": TWO, "oslo-cp-3": THREE}
    assert changed(HEAD + BLOCK + TAIL, wanted) == ([], ['      oslo-cp-3: { hypervisor: kvm3, cpus: "4-5,36-37" }'])
    first = {"oslo-a-1": THREE, **SEATS}
    after = with_mapping(HEAD + BLOCK + TAIL, PATH, first)
    assert [line.split(":")[0].strip() for line in after.splitlines() if "kvm" in line] == ["oslo-a-1", "oslo-cp-1", "oslo-cp-2"]


def test_a_seat_that_is_gone_takes_its_line_alone() -> None:
    block = BLOCK.replace("      oslo-cp-2", "      # stays\n      oslo-cp-2")
    assert changed(HEAD + block + TAIL, {"oslo-cp-2": TWO}) == (['      oslo-cp-1: { hypervisor: kvm1, cpus: "4-5,36-37" }'], [])


def test_a_seat_that_moves_keeps_what_is_said_beside_it() -> None:
    block = BLOCK.replace('36-37" }\n      oslo-cp-2', '36-37" } # near the disk\n      oslo-cp-2')
    went, came = changed(HEAD + block + TAIL, {"oslo-cp-1": THREE, "oslo-cp-2": TWO})
    assert went == ['      oslo-cp-1: { hypervisor: kvm1, cpus: "4-5,36-37" } # near the disk']
    assert came == ['      oslo-cp-1: { hypervisor: kvm3, cpus: "4-5,36-37" } # near the disk']


def test_a_seat_written_over_several_lines_is_changed_where_it_differs() -> None:
    block = "    placements: # by hand\n\n      # the first\n      oslo-cp-1:\n        # fast\n        hypervisor: kvm1 # really\n        drives:\n          etcd: nvme1 # new\n\n"
    wanted = {"oslo-cp-1": {"hypervisor": "kvm1", "cpus": Quoted("8"), "drives": {"etcd": "nvme2"}}}
    went, came = changed(HEAD + block + TAIL, wanted)
    assert went == ["          etcd: nvme1 # new"]
    assert came == ['        cpus: "8"', "          etcd: nvme2 # new"]
    less, nothing = changed(HEAD + block + TAIL, {"oslo-cp-1": {"hypervisor": "kvm1"}})
    assert (less, nothing) == (["        drives:", "          etcd: nvme1 # new"], [])


def test_a_line_in_a_seat_comes_before_the_seat_that_follows_it() -> None:
    block = "    placements:\n      oslo-cp-1:\n        hypervisor: kvm1\n"
    assert changed(HEAD + block + TAIL, SEATS)[1] == ['        cpus: "4-5,36-37"', '      oslo-cp-2: { hypervisor: kvm2, cpus: "4-5,36-37" }']


@pytest.mark.parametrize(
    "empty", ["placements: {}", "placements:", "placements: {} # recorded by ops plan", "placements: null", "placements: { a: { hypervisor: b } }"]
)
def test_seats_in_braces_and_none_at_all_become_lines(empty: str) -> None:
    before = f"{HEAD}    {empty}\n{TAIL}"
    _, came = changed(before, SEATS)
    assert came[-2:] == BLOCK.splitlines()[1:]
    assert ("# recorded by ops plan" in with_mapping(before, PATH, SEATS)) == ("#" in empty)


def test_the_last_seat_leaves_braces() -> None:
    assert "    placements: {}\n" in with_mapping(HEAD + BLOCK + TAIL, PATH, {})
    assert changed(HEAD + BLOCK.replace("      oslo-cp-2", "      # stays\n      oslo-cp-2") + TAIL, {})[1] == ["    placements: {}"]


def test_all_seats_of_another_environment_are_replaced() -> None:
    went, came = changed(HEAD + BLOCK + TAIL, {"bergen-cp-1": ONE})
    assert (len(went), came) == (2, ['      bergen-cp-1: { hypervisor: kvm1, cpus: "4-5,36-37" }'])


@pytest.mark.parametrize("before", [HEAD + TAIL, HEAD + BLOCK + TAIL, HEAD.rstrip("\n"), (HEAD + BLOCK).rstrip("\n")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_are_kept_and_a_missing_last_one_is_no_trouble(before: str, end: str) -> None:
    text = before.replace("\n", end)
    wanted = {**SEATS, "oslo-cp-3": THREE}
    changed(text, wanted)
    after = with_mapping(text, PATH, wanted)
    assert after.count("\n") == after.count(end)


def test_anchors_elsewhere_stay_anchors() -> None:
    head = HEAD.replace("{ worker: { count: 2 } }", "{ worker: &w { count: 2 }, more: *w }")
    assert changed(head + TAIL, SEATS) == ([], BLOCK.splitlines())
    assert "more: *w" in with_mapping(head + TAIL, PATH, SEATS)


def test_a_last_setting_of_any_form_is_gone_around() -> None:
    for last in (
        "    text: |\n      a\n       b # no comment\n\n",
        "    more:\n      - a\n      - { b: c } # d\n    # e\n",
        "    none:\n",
        "    long: a\n      b\n      c # d\n",
    ):
        assert changed(HEAD + last + TAIL, SEATS) == ([], BLOCK.splitlines())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("config: {env: {name: oslo}}\n", "env is not written as a block"),
        ("a: &e {name: x}\nconfig:\n  env: *e\n", "env is an alias"),
        ("config:\n  env: 1\n", "env is not written as a block"),
        ("config:\n  other: 1\n", "there is no env"),
        (HEAD + "    a: &p { x: { hypervisor: y } }\n    placements: *p\n", "config.env.placements is an alias"),
        (HEAD + "    a: &p { hypervisor: y }\n    placements:\n      oslo-cp-1: *p\n", "oslo-cp-1 is an alias"),
        (
            HEAD + "    a: &p { oslo-cp-9: { hypervisor: y } }\n    placements:\n      <<: *p\n      oslo-cp-1: { hypervisor: y }\n",
            "takes entries from an anchor",
        ),
        (HEAD + "    placements: {\n      oslo-cp-1: { hypervisor: a }, # why\n    }\n", "has comments inside of braces"),
        (HEAD + "    placements:\n      oslo-cp-1: {\n        hypervisor: a # why\n      }\n", "has comments inside"),
        (HEAD + "    placements:\n      oslo-cp-1: &a { hypervisor: y }\n    y: *a\n", "it is not YAML"),
        ("a: [\n", "it is not YAML"),
    ],
)
def test_what_cannot_be_edited_in_place_is_refused(text: str, words: str) -> None:
    with pytest.raises(NotEditableError, match=words.replace("*", r"\*")):
        with_mapping(text, PATH, SEATS)

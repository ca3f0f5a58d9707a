"""Nodes over SSH: real sessions on loopback, and every way in which a node fails to answer."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ops.verify.model import Probe, Said
from ops.verify.reach import Fleet, Limits
from plan import NodePlan, Plan
from tests.ops.verify.node_servers import Nodes, serving
from tests.ops.verify.node_sessions import new_key


def script(text: str) -> Callable[[Plan, NodePlan], str]:
    return lambda _plan, _node: text


def probe(key: str, text: str, timeout_s: float = 20, *, heavy: bool = False) -> Probe:
    return Probe(key=key, script=script(text), timeout_s=timeout_s, heavy=heavy)


def unmade(_plan: Plan, node: NodePlan) -> str:
    return dict[str, str]()[node.name]


def named(_plan: Plan, node: NodePlan) -> str:
    return f"echo {node.name}"


def ask(nodes: Nodes, probes: Sequence[Probe], limits: Limits | None = None, within_s: float = 60) -> dict[str, dict[str, Said]]:
    fleet = Fleet(plan=nodes.plan, access=nodes.access, limits=limits or Limits())
    return asyncio.run(fleet.ask(probes, within_s))


def processes_with(mark: str) -> list[str]:
    """Command lines of living processes that name the mark."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in words:
            found.append(words)
    return found


def children(pid: int) -> list[str]:
    """What runs in the sessions that a server's process has open."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text(errors="replace").rpartition(")")[2].split()[1]) == pid:
                found.append(entry.parent.name)
    return found


def until(true: Callable[[], bool], within_s: float = 60) -> bool:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_answers_come_whole_with_their_exit_codes(tmp_path: Path) -> None:
    probes = [
        probe("plain", "echo one; echo no >&2"),
        probe("code", "exit 3"),
        probe("no newline", 'printf \'a\\n{"key": "plain"}\''),
        probe("bytes", "printf '\\377\\000x'"),
        probe("large", "head -c 3000000 /dev/zero | tr '\\0' y"),
        probe("input", "cat; echo empty"),
        probe("node", ""),
        probe("heavy", "echo after", heavy=True),
        replace(probe("unmade", ""), script=unmade),
        replace(probe("named", ""), script=named),
    ]
    with serving(tmp_path, 2) as nodes:
        said = ask(nodes, probes)
    assert set(said) == {"n-000", "n-001"}
    for name, answers in said.items():
        good = {key: answer.output for key, answer in answers.items() if not answer.error}
        assert good == {
            "plain": "one\n",
            "code": "",
            "no newline": 'a\n{"key": "plain"}',
            "bytes": "�\0x",
            "large": "y" * 3_000_000,
            "input": "empty\n",
            "node": "",
            "heavy": "after\n",
            "named": f"{name}\n",
        }
        assert answers["code"].exit_code == 3
        assert "KeyError" in answers["unmade"].error


@pytest.mark.engine
def test_a_probe_over_its_time_or_its_size_is_an_answer_and_hides_no_other(tmp_path: Path) -> None:
    mark = f"9{time.time_ns()}"
    probes = [
        probe("slow", f"echo begun; sleep {mark}", 0.5),
        probe("stubborn", f"trap '' TERM; while :; do sleep 0.2; done; : {mark}", 0.5),
        probe("flood", f"yes {mark}"),
        probe("daemon", f"setsid sleep {mark} & sleep {mark} & echo left"),
        probe("good", "echo good"),
        probe("last", "echo last", heavy=True),
    ]
    with serving(tmp_path, 1) as nodes:
        answers = ask(nodes, probes, Limits(probe_bytes=100_000))["n-000"]
        assert answers["slow"].error == "no answer in 0.5 s"
        assert answers["stubborn"].error == "no answer in 0.5 s"
        assert answers["flood"] == Said(output="", exit_code=answers["flood"].exit_code, error="it printed more than 100000 bytes")
        assert answers["daemon"].output == "left\n"
        assert answers["good"].output == "good\n"
        assert answers["last"].output == "last\n"
        assert until(lambda: not processes_with(mark)), processes_with(mark)


def test_light_probes_run_beside_each_other_and_heavy_ones_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    # The light ones wait for each other; a heavy one would find another's beginning before its own end.
    light = f"echo begin >> {log}; until [ $(grep -c begin {log}) -ge 3 ]; do sleep 0.05; done; echo end >> {log}"
    heavy = f"echo begin >> {log}; sleep 0.2; echo end >> {log}"
    probes = [*(probe(f"heavy-{number}", heavy, heavy=True) for number in range(2)), *(probe(f"light-{number}", light, 60) for number in range(3))]
    with serving(tmp_path, 1) as nodes:
        assert not any(said.error for said in ask(nodes, probes)["n-000"].values())
    words = log.read_text().split()
    assert sorted(words[:6]) == ["begin"] * 3 + ["end"] * 3
    assert words[6:] == ["begin", "end", "begin", "end"]


@pytest.mark.parametrize("way", ["interrupted", pytest.param("cut", marks=pytest.mark.engine)])
def test_an_interrupt_ends_and_undoes_what_runs_on_the_node(way: str, tmp_path: Path) -> None:
    mark, state = f"9{time.time_ns()}", tmp_path / "state"
    undone = f"trap 'echo undone >> {state}' EXIT; trap 'exit 1' TERM; echo done > {state}; setsid sleep {mark} & sleep {mark}; sleep 1"
    with serving(tmp_path, 1) as nodes:

        async def broken_off() -> None:
            fleet = Fleet(plan=nodes.plan, access=nodes.access, limits=Limits(silence_s=2) if way == "cut" else Limits())
            asking = asyncio.create_task(fleet.ask([probe("changing", undone, heavy=True)], 60))
            assert await asyncio.to_thread(until, state.exists)
            assert await asyncio.to_thread(until, lambda: len(processes_with(mark)) > 2)
            if way == "interrupted":
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking
            else:
                # The machine stops in the midst: the connection stays open, and no sign of life comes.
                time.sleep(4)  # noqa: ASYNC251
                assert not processes_with(mark), processes_with(mark)
                asking.cancel()

        asyncio.run(broken_off())
        assert until(lambda: not processes_with(mark)), processes_with(mark)
        assert state.read_text() == "done\nundone\n"
        assert until(lambda: not children(nodes.pid)), "the program itself is still there"


WAYS: Mapping[str, str] = {
    "closed": "Connect call failed",
    "deaf": "no answer in time",
    "silent": "no answer in time",
    "flood": "it floods the session",
    "lines": "it floods the session",
    "huge": "its answer is not one to what was asked",
    "garbage": "its answer cannot be read",
    "half": "the connection ended within an answer",
    "no-python": "it has no python3",
    "other-key": "its host key is not the pinned one",
}


@pytest.mark.engine
def test_a_node_that_cannot_be_asked_is_an_answer_and_the_others_are_asked(tmp_path: Path) -> None:
    names = {f"n-{number:03d}": way for number, way in enumerate(["made-up", *WAYS, "broken-off"])}
    probes = [probe("first", "1 0", 1), probe("second", "1 0", 1)]
    with serving(tmp_path, len(names) + 1, {**names, "*": "made-up"}) as nodes:
        unknown = nodes.plan.nodes[-1]
        hosts = "".join(line for line in nodes.access.known_hosts.splitlines(keepends=True) if unknown.name not in line)
        changed = replace(nodes, access=replace(nodes.access, known_hosts=hosts))
        said = ask(changed, probes, Limits(login_s=2, greeting_s=2, silence_s=1, sign_of_life_s=0.5))
    for name, way in names.items():
        if way in WAYS:
            assert WAYS[way] in said[name]["second"].error, (way, said[name])
    assert said["n-000"] == {"first": Said(output="x" * 1024, exit_code=0), "second": Said(output="x" * 1024, exit_code=0)}
    assert said[unknown.name]["first"].error == f"the outputs hold no host key of {unknown.address}: run `pulumi up`"
    half, broken = (next(name for name in names if names[name] == way) for way in ("half", "broken-off"))
    assert said[half]["first"].output == said[broken]["first"].output == "whole"
    assert said[broken]["second"].error


@pytest.mark.engine
def test_a_wrong_key_of_ours_and_a_limit_of_the_run_are_answers(tmp_path: Path) -> None:
    with serving(tmp_path, 2, {"n-001": "silent"}) as nodes:
        other = replace(nodes, access=replace(nodes.access, private_key=_key()))
        assert ask(other, [probe("a", "true")])["n-000"]["a"].error == "it refuses the operator's SSH key"
        spoilt = replace(nodes, access=replace(nodes.access, private_key="none"))
        assert "no usable SSH key" in ask(spoilt, [probe("a", "true")])["n-000"]["a"].error
        late = ask(nodes, [probe("a", "echo a")], within_s=10)
    assert late["n-000"]["a"].output == "a\n"
    assert late["n-001"]["a"].error == "no answer before the run's limit of 10 s"


def _key() -> str:
    return new_key().export_private_key().decode()


def test_no_more_is_kept_than_the_run_may(tmp_path: Path) -> None:
    with serving(tmp_path, 8, {"*": "made-up"}) as nodes:
        said = ask(nodes, [probe("a", "1024 0")], Limits(total_bytes=3 << 20))
    kept = [answers["a"] for answers in said.values() if not answers["a"].error]
    assert len(kept) == 3
    assert {answers["a"].error for answers in said.values() if answers["a"].error} == {"all nodes together printed more than 3145728 bytes"}

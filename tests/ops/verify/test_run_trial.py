"""The trial of a Service on real sessions: what nodes see of it, and that nothing is left of it however it ends."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.verify import trial, trial_api
from ops.verify.checks.services_keeps_answering import CHECKS, TRIAL
from ops.verify.model import Finding, Said, Seen, Status
from ops.verify.on_node import below
from ops.verify.reach import Fleet, Limits
from ops.verify.run import Request, verify
from ops.verify.trial_sessions import finished
from tests.ops.verify.node_servers import Nodes, serving
from tests.ops.verify.trial_cluster import Cluster, running
from tests.plugins.native_cluster import NativeCluster, native_cluster

SHORT_S = 3.0


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds in place of many."""
    for name, value in {
        "ALLOWANCE_S": SHORT_S - 1,
        "LONGEST_SYNC_S": 0,
        "QUIET_S": 0.4,
        "SETTLED": 4,
        "STEADY": 3,
        "LEAST_INTERVAL_S": 0.05,
        "STRAGGLERS_S": 8.0,
    }.items():
        monkeypatch.setattr(trial, name, value)


@contextmanager
def world(folder: Path, monkeypatch: pytest.MonkeyPatch, count: int = 2, manners: dict[str, str] | None = None) -> Generator[tuple[Fleet, Cluster]]:
    """Nodes and a cluster, and that both are as before when it ends."""
    cluster_folder, nodes_folder = folder / "cluster", folder / "nodes"
    cluster_folder.mkdir()
    nodes_folder.mkdir()
    with running(cluster_folder) as cluster, serving(nodes_folder, count, manners) as nodes:
        monkeypatch.setattr(trial, "PORT", cluster.port)
        yield _fleet(nodes, cluster), cluster
        assert ended(nodes.pid), "something of the trial still runs on a node"


def _fleet(nodes: Nodes, cluster: Cluster) -> Fleet:
    return Fleet(plan=nodes.plan, access=replace(nodes.access, kubeconfig=cluster.kubeconfig))


def ended(pid: int) -> bool:
    """Whether the nodes' servers have nothing left that they started."""
    deadline = time.monotonic() + 20
    while list(below(pid)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def tried(fleet: Fleet, within_s: float = 60) -> dict[str, Said]:
    return asyncio.run(trial.try_service(fleet, within_s))


def found(fleet: Fleet, said: dict[str, Said]) -> dict[str, Finding]:
    """The check's findings, by place."""
    seen = Seen(plan=fleet.plan, nodes={name: {TRIAL.key: one} for name, one in said.items()}, api={}, api_errors={})
    return {finding.where: finding for finding in CHECKS[0].judge(seen)}


def test_every_node_is_answered_through_two_changes_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, 3) as (fleet, cluster):
        said = tried(fleet)
        findings = found(fleet, said)
    assert {finding.status for finding in findings.values()} == {Status.PASSED}, findings
    assert set(findings) == {"n-000", "n-001", "n-002"}
    for one in said.values():
        account = json.loads(one.output)
        assert account["service"] == f"127.82.0.1:{cluster.port}"
        assert set(account["node"]["answers"]) == set(account["endpoints"]) == {"n-000", "n-001"}
        assert [change["endpoint"] for change in account["node"]["changes"]] == account["withdrawn"]
    assert cluster.objects == {}
    made = [asked.split("/")[-1] for asked in cluster.asked]
    assert cluster.asked[0].startswith(f"POST {trial_api.JOBS}")
    assert cluster.asked[-1].startswith(f"DELETE {trial_api.JOBS}/underlay-verify-")
    assert len([one for one in made if one.startswith("underlay-verify-")]) == len(cluster.asked) - 4


@pytest.mark.engine
def test_one_node_alone_has_both_endpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, 1) as (fleet, _):
        said = tried(fleet)
        assert found(fleet, said)["n-000"].status is Status.PASSED
    assert json.loads(said["n-000"].output)["endpoints"] == ["n-000 (1)", "n-000 (2)"]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("behaves", "words"),
    [
        ({"dead": True}, "did not answer n-000 within 3 s"),
        ({"follows_after_s": 3.4}, "still asked"),
        ({"goes_on": "127.81.0.1"}, "n-000 was withdrawn"),
        ({"drops_from": "PATCH"}, "connections failed (closed without an answer)"),
    ],
)
def test_a_kube_proxy_that_does_not_do_its_work_is_found(
    behaves: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path, monkeypatch) as (fleet, cluster):
        for name, value in behaves.items():
            setattr(cluster, name, value)
        monkeypatch.setattr(trial, "QUIET_S", 0.6)
        finding = found(fleet, tried(fleet))["n-000"]
    assert finding.status is Status.FAILED, finding
    assert words in finding.found
    assert cluster.objects == {}


@pytest.mark.engine
def test_a_node_that_takes_no_part_is_not_checked_and_the_others_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manners = {"n-000": "closed", "n-002": "silent", "n-003": "garbage", "n-004": "no-python"}
    with world(tmp_path, monkeypatch, 6, manners) as (fleet, cluster):
        findings = found(fleet, tried(fleet))
    assert {name for name, finding in findings.items() if finding.status is Status.PASSED} == {"n-001", "n-005"}
    assert {findings[name].status for name in manners} == {Status.NOT_CHECKED}
    assert cluster.objects == {}


@pytest.mark.engine
def test_more_nodes_than_connections_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, 5) as (fleet, cluster):
        findings = found(fleet, tried(replace(fleet, limits=Limits(connections=2))))
    assert {finding.status for finding in findings.values()} == {Status.PASSED}
    assert len([asked for asked in cluster.asked if asked.startswith(f"POST {trial_api.JOBS}")]) == 3


PHASES = [
    f"POST {trial_api.JOBS}",
    f"POST {trial_api.SERVICES}",
    f"POST {trial_api.SLICES}",
    f"PATCH {trial_api.SLICES}",
]


@pytest.mark.engine
@pytest.mark.parametrize("phase", PHASES)
def test_what_the_api_refuses_is_the_reason_and_nothing_is_left(phase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as (fleet, cluster):
        cluster.refuse = {phase: [403], "DELETE": [503, 200]}
        findings = found(fleet, tried(fleet))
    assert {finding.status for finding in findings.values()} == {Status.NOT_CHECKED}
    assert all("403: you may not" in finding.found for finding in findings.values())
    assert cluster.objects == {}


@pytest.mark.engine
@pytest.mark.parametrize("phase", [*PHASES, f"PATCH {trial_api.SLICES}/late", "DELETE"])
def test_interrupted_in_any_phase_it_takes_everything_away(phase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(fleet: Fleet, cluster: Cluster) -> None:
        loop = asyncio.get_running_loop()
        running_trial = asyncio.create_task(trial.try_service(fleet, 60))
        begun = asyncio.Event()
        asked = 0

        def when(what: str) -> None:
            nonlocal asked
            start, _, late = phase.partition("/late")
            if what.startswith(start):
                asked += 1
                if asked == (3 if late or phase.endswith("/late") else 1):
                    # It is done after the trial was broken off.
                    loop.call_soon_threadsafe(begun.set)
                    time.sleep(0.3)

        cluster.when = when
        await begun.wait()
        running_trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running_trial

    with world(tmp_path, monkeypatch) as (fleet, cluster):
        asyncio.run(interrupted(fleet, cluster))
        assert cluster.objects == {}
        assert cluster.asked[-1].startswith(f"DELETE {trial_api.JOBS}")


@pytest.mark.engine
def test_what_cannot_be_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_api, "REMOVE_S", 1.0)
    with world(tmp_path, monkeypatch) as (fleet, cluster):
        cluster.refuse = {"DELETE": [503]}
        findings = found(fleet, tried(fleet))
    assert findings["n-000"].status is Status.PASSED
    assert findings["cluster"].status is Status.NOT_CHECKED
    assert "503: you may not" in findings["cluster"].found


def test_without_an_api_or_time_nothing_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as (fleet, cluster):
        late = found(fleet, tried(fleet, within_s=1))
        blind = found(fleet, tried(replace(fleet, access=replace(fleet.access, kubeconfig="{}"))))
    assert {finding.status for finding in [*late.values(), *blind.values()]} == {Status.NOT_CHECKED}
    assert "raise --time-limit" in late["n-000"].found
    assert "no server" in blind["n-000"].found
    assert cluster.asked == []


@pytest.mark.engine
def test_a_killed_run_leaves_objects_that_disturb_nobody_and_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as (fleet, cluster):
        changing, child = threading.Event(), 0
        cluster.when = lambda what: changing.set() if what.startswith("PATCH") else None
        child = os.fork()
        if child == 0:
            try:
                tried(fleet)
            finally:
                os._exit(0)
        assert changing.wait(30)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left = set(cluster.objects)
        assert len(left) == 4
        owners = {owner["uid"] for one in cluster.objects.values() for owner in one["metadata"].get("ownerReferences", ())}
        (job,) = (one for one in cluster.objects.values() if one["kind"] == "Job")
        assert owners == {job["metadata"]["uid"]}
        for path in list(left):
            cluster.objects[path]["metadata"]["name"] = "of-the-killed-run"
        assert {finding.status for finding in found(fleet, tried(fleet)).values()} == {Status.PASSED}
        assert set(cluster.objects) == left


@pytest.mark.engine
def test_a_run_does_it_after_everything_else_and_a_signal_takes_it_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    with world(tmp_path, monkeypatch) as (fleet, cluster):
        request = Request(stack="s", plan=fleet.plan, access=fleet.access, checks=CHECKS, say=lines.append)
        report = verify(request)
        assert {finding.status for finding in report.findings} == {Status.PASSED}
        assert any(CHECKS[0].id in line for line in lines)
        cluster.when = lambda what: os.kill(os.getpid(), signal.SIGTERM) if what.startswith("PATCH") else None
        with pytest.raises(KeyboardInterrupt):
            verify(request)
        assert cluster.objects == {}
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_was_begun_is_finished_before_the_cancellation_goes_on() -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.2)
        done.append("work")

    async def main() -> None:
        task = asyncio.create_task(finished(work()))
        for _ in range(3):
            await asyncio.sleep(0.01)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == ["work"]

    asyncio.run(main())


@pytest.mark.engine
def test_a_real_cluster_takes_the_objects_and_ends_them_by_itself() -> None:
    endpoints = tuple(trial_api.Endpoint(name=f"n-{number}", node=f"n-{number}", address=f"192.0.2.{number}", port=20_001) for number in (1, 2))

    async def use(cluster: NativeCluster) -> None:
        async with trial_api.client(cluster.kubeconfig) as client:
            objects = trial_api.Objects(client, "underlay-verify-used", endpoints)
            address = await objects.make(600)
            assert address.startswith("10.96.")
            await objects.withdraw(0)
            await objects.restore(0)
            await objects.withdraw(1)
            assert ready(cluster) == {"192.0.2.1"}
            assert await objects.remove() == ""
            assert names(cluster) == []
            left = trial_api.Objects(client, "underlay-verify-left", endpoints)
            await left.make(5)
            assert len(names(cluster)) == 4

    with native_cluster() as cluster:
        asyncio.run(use(cluster))
        deadline = time.monotonic() + 120
        while left := names(cluster):
            assert time.monotonic() < deadline, left
            time.sleep(0.5)


def names(cluster: NativeCluster) -> list[str]:
    """Objects of trials, and pods."""
    listed = cluster.kubectl("get", "jobs,services,endpointslices,pods", "--namespace", trial_api.NAMESPACE, "--output", "name").split()
    return [name for name in listed if "underlay-verify" in name]


def ready(cluster: NativeCluster) -> set[str]:
    """Addresses of the trial's endpoints."""
    items = cluster.get("endpointslices", "--namespace", trial_api.NAMESPACE, "--selector", "endpointslice.kubernetes.io/managed-by=underlay-verify")
    return {address for item in items["items"] for entry in item["endpoints"] or () for address in entry["addresses"]}

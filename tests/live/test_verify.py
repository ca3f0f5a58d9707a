"""`ops verify` on a running lab: everything passes while it is well, each fault is named where it is and nothing else, and nothing of it stays behind.

Faults that have nothing to do with each other are broken in one round: what is found must then be theirs, each at its place, and nothing more.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from environment import ROOT, Live

from lab.places import Lab
from lab.process import in_namespace
from ops.verify import registry
from tests.ops.verify import sabotage_nodes, sabotage_pods, sabotage_services
from tests.ops.verify.sabotage import Sabotage, filled, unit

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a machine is held to two CPUs"),
]

WORKER, CONTROL_PLANE, HYPERVISOR = "lab-worker-1", "lab-cp-1", "local"
ADDRESSES = {WORKER: "10.77.0.21", CONTROL_PLANE: "10.77.0.11"}
BLOCKS = {WORKER: "192.168.21.0/24", CONTROL_PLANE: "192.168.11.0/24"}
GATEWAY = "10.77.0.1"
WITHIN_S = 90.0
"""A whole run on two emulated nodes."""
HEAVY = tuple(check.id for check in registry.checks() if check.trial or any(probe.heavy for probe in check.probes))
"""Take longer than all others together: asked for their own faults, and where all is well."""
AT_ONCE = 6
"""Faults in one round: a verification takes long where machines are emulated."""
FAULTS = (*sabotage_services.SABOTAGES, *sabotage_nodes.SABOTAGES, *sabotage_pods.SABOTAGES)
DECLARED = {path: value for fault in FAULTS for path, value in fault.settings}


@pytest.fixture(scope="module")
def lab(proof: Live) -> Generator[Live]:
    """The lab that is up, beside the dependency that answers on its bridge."""
    proof.settings.update(DECLARED)
    proof.up("`up` from nothing")
    words = in_namespace(Lab(name=proof.name).namespace, ["python3", "-m", "http.server", "--bind", GATEWAY, "7"])
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield proof
        process.kill()


def verified(lab: Live, *words: str, timeout_s: float = 300) -> dict[str, Any]:
    """The document of one verification."""
    done = lab.attempt("verify", "--", "--json", *words, timeout_s=timeout_s)
    assert done.returncode in (0, 10, 20, 30), f"{done.returncode}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout)


def bad(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Findings that did not pass."""
    return [finding for finding in document["findings"] if finding["status"] not in ("passed", "does not apply")]


def short(findings: Iterable[dict[str, Any]]) -> str:
    """Findings as lines."""
    return "\n".join(f"{one['check']} at {one['where']}: {one['status']}: {one['found']}" for one in findings)


def healthy(lab: Live, *words: str, within_s: float = 240) -> None:
    """Wait until a verification finds nothing bad: kube-proxy and BIRD take their time to put right what was broken."""
    start = time.monotonic()
    while left := bad(verified(lab, *words)):
        assert time.monotonic() - start < within_s, f"not well again after {within_s:.0f} s:\n{short(left)}"


def place(fault: Sabotage) -> str:
    """Where the finding must be."""
    if fault.at in ("cluster", "hypervisor"):
        return "cluster" if fault.at == "cluster" else HYPERVISOR
    return CONTROL_PLANE if "control plane" in (fault.at, fault.where) else WORKER


def rounds() -> list[tuple[Sabotage, ...]]:
    """Faults that are broken together: no two that the same check could name at the same place, and none that hides others."""
    found: list[list[Sabotage]] = []
    for fault in FAULTS:
        fits = [each for each in found if len(each) < AT_ONCE and not any(_meet(fault, other) for other in each)]
        if not fits:
            found.append([])
        (fits or found)[-1 if not fits else 0].append(fault)
    return [tuple(each) for each in found]


def _meet(one: Sabotage, other: Sabotage) -> bool:
    if one.alone or other.alone or one.only or other.only:
        return True
    return bool((one.names | one.may) & (other.names | other.may))


def asked(faults: Iterable[Sabotage]) -> tuple[str, ...]:
    """Words that choose the checks to ask: all, less the heavy ones that these faults are not about."""
    only = [name for fault in faults for name in fault.only]
    if only:
        return ("--only", ",".join(only))
    names = {name for fault in faults for name in fault.names}
    return ("--skip", ",".join(name for name in HEAVY if name not in names))


def ran(lab: Live, fault: Sabotage, script: str) -> None:
    """Run a fault's commands where they belong."""
    node = CONTROL_PLANE if place(fault) == CONTROL_PLANE else WORKER
    peer = WORKER if node == CONTROL_PLANE else CONTROL_PLANE
    state = lab.state / "sabotage"
    text = filled(
        script,
        node=node,
        peer=peer,
        address=ADDRESSES[node],
        peer_address=ADDRESSES[peer],
        own_block=BLOCKS[node],
        peer_block=BLOCKS[peer],
        peer_session=f"node_{peer.replace('-', '_')}",
        machine=node,
        state=str(state),
        gateway=GATEWAY,
        namespace=lab.namespace,
        unit=unit(fault),
    )
    if fault.where in ("node", "control plane"):
        lab.shell(node.removeprefix("lab-"), text, timeout_s=240)
        return
    own = {**os.environ, **_host(lab)}
    done = subprocess.run(["bash", "-c", text], env=own, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def _host(lab: Live) -> dict[str, str]:
    """`virsh` and `kubectl` of this lab as plain words."""
    folder = lab.state / "words"
    folder.mkdir(exist_ok=True)
    kubectl = " ".join(lab.words("kubectl", "--"))
    for name, line in (("kubectl", f'cd {ROOT} && exec {kubectl} "$@"'), ("virsh", 'exec /usr/bin/virsh -c "$LIBVIRT" "$@"')):
        (folder / name).write_text(f"#!/bin/bash\n{line}\n")
        (folder / name).chmod(0o755)
    socket = f"qemu+unix:///system?socket=/run/underlay/{lab.name}/libvirt/libvirt-sock"
    return {"PATH": f"{folder}:{os.environ['PATH']}", "LIBVIRT": socket}


@contextmanager
def broken(lab: Live, faults: Sequence[Sabotage]) -> Generator[None]:
    """The lab with these faults, all put right whatever comes of it."""
    with ExitStack() as mended:
        for fault in faults:
            mended.callback(ran, lab, fault, fault.mends)
            ran(lab, fault, fault.breaks)
        yield


def test_everything_that_applies_passes_on_a_healthy_lab(lab: Live, tmp_path: Path) -> None:
    # kube-proxy and BIRD have just begun; what a person would do is ask again.
    healthy(lab, "--skip", ",".join(HEAVY))
    document = verified(lab, "--html", str(tmp_path / "page.html"), "--junit", str(tmp_path / "junit.xml"))
    assert bad(document) == [], short(bad(document))
    assert document["seconds"] <= WITHIN_S
    lab.note("a whole verification", document["seconds"])
    passed = {finding["check"] for finding in document["findings"] if finding["status"] == "passed"}
    assert {name for fault in FAULTS for name in fault.names} <= passed, "a fault of what does not apply here"
    assert all((tmp_path / name).stat().st_size for name in ("page.html", "junit.xml"))


@pytest.mark.parametrize("faults", rounds(), ids=lambda faults: " + ".join(fault.name for fault in faults))
def test_each_fault_is_named_where_it_is_and_nothing_else_is(lab: Live, faults: tuple[Sabotage, ...]) -> None:
    words = asked(faults)
    with broken(lab, faults):
        found = bad(verified(lab, *words))
    healthy(lab, *words)
    left = list(found)
    for fault in faults:
        where = place(fault)
        own = [one for one in found if one["check"] in fault.names | fault.may and (fault.both_ends or where in one["where"])]
        named = {one["check"] for one in own if one["status"] != "not checked"}
        assert fault.names <= named, f"{fault.name}: not named: {sorted(fault.names - named)}; found:\n{short(found)}"
        said = " ".join(one["found"] for one in own if one["check"] in fault.names)
        assert filled(fault.says, state=str(lab.state / "sabotage"), unit=unit(fault)) in said, f"{fault.name}: {said}"
        silenced = [one for one in found if fault.silences and one["status"] == "not checked" and where in one["where"]]
        left = [one for one in left if one not in own and one not in silenced]
    assert not left, f"named besides:\n{short(left)}"


def left_on(lab: Live, node: str) -> str:
    """What a verification may have left on a node: processes, devices, namespaces, rules."""
    return lab.shell(
        node,
        "pgrep -af 'on_node|tcpdump|os.read|timeout --kill-after' | grep -v pgrep; ls /run/netns | grep -v ^cni-; "
        "ip -o link | grep -Ev ' (lo|eth0|kube-ipvs0|veth[0-9a-f]+)@?[^ ]*:'; true",
    )


@pytest.mark.parametrize(
    ("number", "after_s"), [(signal.SIGINT, 1), (signal.SIGINT, 6), (signal.SIGINT, 20), (signal.SIGTERM, 40), (signal.SIGKILL, 30)]
)
def test_an_interrupted_verification_leaves_no_probe_behind(lab: Live, number: signal.Signals, after_s: float) -> None:
    before = {node: left_on(lab, node.removeprefix("lab-")) for node in ADDRESSES}
    with subprocess.Popen(
        lab.words("verify", "--", "--json"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, start_new_session=True
    ) as process:
        time.sleep(after_s)
        assert process.poll() is None, "it had ended already"
        os.killpg(process.pid, number)
        process.wait(timeout=60)
    deadline = time.monotonic() + 60
    while (left := {node: left_on(lab, node.removeprefix("lab-")) for node in ADDRESSES}) != before:
        assert time.monotonic() < deadline, f"left behind: {left}, before: {before}"
        time.sleep(1)
    assert process.returncode != 0


def test_the_lab_goes(lab: Live) -> None:
    if os.environ.get("UNDERLAY_KEEP"):
        pytest.skip("UNDERLAY_KEEP is set")
    lab.run("down")

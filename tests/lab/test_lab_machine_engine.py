"""One control plane alone, declared by the product, made by the real engine on real libvirt, booted, and asked what its kernel has."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import down, hypervisor, stackfile
from lab.places import CHECKOUT, Lab
from lab.process import run
from lab.progress import Progress
from plan import Plan, make
from render.node_files import required_modules, sysctls
from settings import load

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]
ALONE = ("workers.worker.count", 0)


def lab_command(lab: Lab, *words: str) -> list[str]:
    return [sys.executable, "-m", "lab", words[0], "--name", lab.name, *words[1:]]


def up(*settings: str) -> list[str]:
    return ["up", *(word for setting in (f"{ALONE[0]}={ALONE[1]}", *settings) for word in ("--set", setting))]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with one control plane, whose `up` was killed while the machine booted, and then run again."""
    lab = Lab(name="test")
    assert down.down(lab, Progress.quiet()) == 0
    try:
        kill_while_booting(lab)
        done = subprocess.run(lab_command(lab, *up()), cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=1500)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        yield lab
    finally:
        assert down.down(lab, Progress.quiet()) == 0
        assert down.remains(lab) == []


def kill_while_booting(lab: Lab) -> None:
    with subprocess.Popen(lab_command(lab, *up()), cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        wait_for(lambda: first.poll() is not None or bool(guests(lab)), "the first machine")
        engines = [pid for pid in hypervisor.processes(lab) if Path(f"/proc/{pid}/comm").read_text().strip() == "pulumi"]
        assert engines, first.stdout.read() if first.stdout else ""
        subprocess.run(["kill", "-KILL", *map(str, engines)], check=True)
        first.communicate()
    assert first.returncode != 0


def guests(lab: Lab) -> list[str]:
    listed = subprocess.run(["virsh", "-q", "-c", lab.libvirt_uri, "list", "--name"], capture_output=True, text=True, check=False)
    return listed.stdout.split()


def changes(said: str) -> dict[str, int]:
    """What the engine counts at the end of an `up`: created, updated, unchanged ..."""
    _, _, summary = said.partition("Resources:")
    return {word: int(count) for count, word in re.findall(r"(?m)^\s+(?:[^\d\s]+\s*)?(\d+) (unchanged|created|updated|replaced|deleted)$", summary)}


def wait_for(true: Callable[[], bool], what: str, timeout_s: float = 900) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come in {timeout_s} s"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def plan(lab: Lab) -> Plan:
    return make(load(stackfile.declared(lab, "lab", [ALONE])))


def ask(lab: Lab, question: str) -> str:
    return run(lab_command(lab, "ssh", "cp-1", "--", question), cwd=CHECKOUT, timeout_s=120)


def test_the_kernel_has_loaded_the_declared_modules(lab: Lab, plan: Plan) -> None:
    loaded = {line.split()[0] for line in ask(lab, "cat /proc/modules").splitlines()}
    assert set(required_modules(plan)) - loaded == set()


def test_the_kernel_has_the_declared_sysctls(lab: Lab, plan: Plan) -> None:
    wanted = {sysctl.path: sysctl.value.split() for sysctl in sysctls(plan)}
    said = ask(lab, f"cd /proc/sys && grep -H . {' '.join(wanted)}")
    found = {path: value.split() for path, _, value in (line.partition(":") for line in said.splitlines())}
    assert found == wanted


def test_connection_tracking_has_the_declared_size(lab: Lab, plan: Plan) -> None:
    maximum, buckets = ask(lab, "cat /proc/sys/net/netfilter/nf_conntrack_max /sys/module/nf_conntrack/parameters/hashsize").split()
    assert (int(maximum), int(buckets)) == (plan.conntrack.max_entries, plan.conntrack.buckets)


def test_the_killed_first_run_left_nothing_behind(lab: Lab, plan: Plan) -> None:
    assert guests(lab) == [node.name for node in plan.nodes]
    volumes = run(["virsh", "-q", "-c", lab.libvirt_uri, "vol-list", plan.settings.hypervisors["local"].pool.name]).splitlines()
    state = run(lab_command(lab, "pulumi", "--", "stack", "export"), cwd=CHECKOUT)
    assert all(f'"{line.split()[0]}"' in state for line in volumes)
    assert '"pending_operations"' not in state


def test_kube_proxy_says_ipvs_and_the_kernel_has_a_virtual_server(lab: Lab, plan: Plan) -> None:
    assert ask(lab, "curl -s http://127.0.0.1:10249/proxyMode") == "ipvs"
    assert f"TCP  {plan.api_service}:443 {plan.settings.kube_proxy.ipvs.scheduler}" in ask(lab, "ipvsadm -Ln")


def test_the_node_keeps_the_labs_time(lab: Lab) -> None:
    wait_for(lambda: "^*" in ask(lab, "chronyc -n sources"), "the lab's clock", 300)


def test_the_pod_network_is_the_labs_and_the_product_does_not_know_it(lab: Lab, plan: Plan) -> None:
    octet = str(plan.nodes[0].address).rsplit(".", 1)[1]
    subnet = f"{str(plan.settings.pod_network.cidr).rsplit('.', 2)[0]}.{octet}.0/24"
    assert subnet in ask(lab, "cat /etc/cni/net.d/10-lab.conflist")


def test_a_second_up_changes_nothing_and_one_number_changes_one_resource_and_its_fact(lab: Lab, plan: Plan) -> None:
    again = run(lab_command(lab, *up()), cwd=CHECKOUT, timeout_s=600)
    assert set(changes(again)) == {"unchanged"}, again
    more = plan.conntrack.max_entries * 2
    changed = run(lab_command(lab, *up(f"node.conntrack.max_entries={more}")), cwd=CHECKOUT, timeout_s=600)
    # the node's preparation, and the fact of it that policies read of the environment
    assert {**changes(changed), "unchanged": 0} == {"updated": 2, "unchanged": 0}, changed
    said = ask(lab, "cat /proc/sys/net/netfilter/nf_conntrack_max /sys/module/nf_conntrack/parameters/hashsize")
    wanted = make(load(stackfile.declared(lab, "lab", [ALONE, ("node.conntrack.max_entries", more)]))).conntrack
    assert [int(number) for number in said.split()] == [wanted.max_entries, wanted.buckets]

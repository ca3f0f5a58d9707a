"""CPUs of dedicated machines are kept from the host's own processes."""

import subprocess
from pathlib import Path

import pytest

from ops.doctor import script
from ops.verify.model import Said, Status
from tests.ops.doctor.made_hosts import UNCOUNTED, only, plan_with, said, seen, wrong

PLAN = plan_with()
OWN = sorted(cpu for node in PLAN.nodes for cpus in node.vcpu_pins for cpu in cpus)
LAST = OWN[-1]


def held(isolated: str = "", init: str = "0-63", slices: str = "0-63", scope: str = "0-63") -> Said:
    return said(f"isolated {isolated}\ninit {init}\nsystem.slice {slices}\nuser.slice {slices}\ninit.scope {scope}")


@pytest.mark.parametrize("told", [held(isolated=f"1-{LAST}"), held(init="0"), held(slices="0", scope="0")])
def test_each_way_to_keep_them_is_enough(told: Said) -> None:
    assert not wrong(seen(PLAN, told={"isolation": told}))


@pytest.mark.parametrize("told", [held(), held(slices="0"), said("isolated \ninit 0-63"), held(isolated="40-63")])
def test_a_host_whose_processes_run_anywhere_is_a_warning(told: Said) -> None:
    finding = only(seen(PLAN, told={"isolation": told}), "host.isolation")
    assert finding.severity == "warning"
    assert finding.found.endswith(f"on {OWN[0]}-{LAST}")
    assert f"isolcpus=managed_irq,domain,{OWN[0]}-{LAST}" in finding.remedy


def test_only_the_cpus_that_are_open_are_named() -> None:
    finding = only(seen(PLAN, told={"isolation": held(isolated=f"{OWN[0]}-{LAST - 1}")}), "host.isolation")
    assert finding.found.endswith(f"on {LAST}")


def test_without_a_shell_it_is_not_checked() -> None:
    finding = only(seen(PLAN, told={"isolation": Said(output="", exit_code=1, error="cut off")}), "host.isolation")
    assert finding.status is Status.NOT_CHECKED


def test_nobody_asks_where_no_machine_is_dedicated() -> None:
    plan = plan_with(**UNCOUNTED)
    host = plan.settings.hypervisors["kvm1"]
    assert "cpu/isolated" not in script.whole(plan, host, plan.nodes, places={}, emulator="")
    assert "cpu/isolated" in script.whole(PLAN, PLAN.settings.hypervisors["kvm1"], PLAN.nodes, places={}, emulator="")


def test_the_question_is_answered_by_this_machine() -> None:
    asked = subprocess.run(["sh"], input=script.asking({"isolation": script.ISOLATION}), capture_output=True, text=True, timeout=10, check=True)
    answer = script.split(Said(output=asked.stdout, exit_code=0))["isolation"]
    allowed = next(line.split()[1] for line in Path("/proc/1/status").read_text().splitlines() if line.startswith("Cpus_allowed_list"))
    assert answer.exit_code == 0
    assert answer.output.splitlines()[:2] == [f"isolated {Path('/sys/devices/system/cpu/isolated').read_text().strip()}", f"init {allowed}"]

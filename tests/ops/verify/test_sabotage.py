"""The tables of faults: every one names checks that there are, every check has one or a reason, and the commands are shell."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from ops.verify import registry
from ops.verify.checks import nodes_kernel
from render.domain import io_threads
from tests.ops.verify import sabotage_nodes, sabotage_pods, sabotage_services
from tests.ops.verify.made_seen import CP, WORKER, lab_plan
from tests.ops.verify.sabotage import FILLED

FAULTS = (*sabotage_services.SABOTAGES, *sabotage_nodes.SABOTAGES, *sabotage_pods.SABOTAGES)
BEYOND_A_LAB = {
    "pods.pools": "Calico's images cannot be had there",
    "pods.calico": "Calico's images cannot be had there",
    "ingress.effective": "no controller runs there",
    "ingress.temporary-files": "no controller runs there",
    "ingress.clients": "no controller runs there",
    "residency.machines": "there is one hypervisor",
    "residency.dependencies": "settings refuse it before",
}
"""Checks that do not apply to the lab, or that nothing there can break; their judges' tests have answers of real programs."""


def test_every_check_has_a_fault_or_a_reason() -> None:
    known = {check.id for check in registry.checks()}
    broken = {name for fault in FAULTS for name in fault.names}
    assert broken <= known
    assert {name for fault in FAULTS for name in fault.may} <= known
    assert known - broken == BEYOND_A_LAB.keys()


def test_names_are_unique_and_each_says_what_is_found() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert all(fault.breaks != fault.mends for fault in FAULTS)


def test_commands_are_shell_and_leave_nothing_open() -> None:
    for fault in FAULTS:
        for script in (fault.breaks, fault.mends):
            assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr == "", fault.name
            left = set(re.findall(r"(?<![$%{])\{(\w+)\}(?!\})", script)) - FILLED
            assert not left, f"{fault.name}: {left}"


def test_what_is_put_right_is_what_the_lab_declares() -> None:
    plan = lab_plan()
    mends = json.dumps([fault.mends for fault in FAULTS])
    assert f"nf_conntrack_max={plan.conntrack.max_entries}" in mends
    assert f"echo {plan.conntrack.buckets} >" in mends
    values = {sysctl.name: sysctl.value for sysctl in nodes_kernel.watched_sysctls(plan)}
    assert f"net.core.somaxconn={values['net.core.somaxconn']}" in mends
    assert f"-s {plan.settings.kube_proxy.ipvs.scheduler}" in mends


def test_what_the_lab_declares_for_faults_is_what_their_checks_need() -> None:
    declared = {path.replace(".", "__"): json.loads(value) for fault in FAULTS for path, value in fault.settings}
    plan = lab_plan(**declared)
    applied = {check.id for check in registry.checks() if check.applies(plan)}
    assert {name for fault in FAULTS for name in fault.names} <= applied
    assert [node.vcpu_pins for node in plan.workers] == [((0, 1),)], "what a vCPU is put back to"
    assert {node.name: io_threads(node) for node in plan.nodes} == dict.fromkeys((CP, WORKER), 0)


def test_the_lab_declares_no_dependency_of_its_own() -> None:
    """The live test declares those it breaks."""
    stack: Any = yaml.safe_load((Path(__file__).resolve().parents[3] / "stacks" / "Pulumi.lab.yaml").read_text())
    assert "dependencies" not in stack["config"]["underlay:environment"]

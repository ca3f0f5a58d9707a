"""Faults of machines on a real libvirtd: what each changes is what its checks look at, and it is put right."""

import json
import os
import shutil
import subprocess
from collections.abc import Generator

import pytest

from ops.verify.checks import machines_pins
from ops.verify.model import Said, Seen, Status
from ops.verify.reading.definition import machine_of
from ops.verify.reading.domains import HOST, VCPUS, affinity
from ops.verify.reading.drift import differences
from tests.ops.verify.made_seen import WORKER, lab_plan
from tests.ops.verify.sabotage import Sabotage, filled, unit
from tests.ops.verify.sabotage_pods import SABOTAGES, SHARED
from tests.plugins.private_libvirt import private_libvirt, virsh

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("libvirtd") is None, reason="no libvirtd"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a machine is held to two CPUs"),
]
WORDS = ("iothreadadd", "vcpupin", "virsh create")
"""Of the faults that need no guest behind the machine."""
FAULTS = [fault for fault in SABOTAGES if any(word in fault.breaks for word in WORDS)]
MACHINE = f"""\
<domain type='qemu'>
  <name>{WORKER}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <cputune><vcpupin vcpu='0' cpuset='0-1'/></cputune>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><source file='{{disk}}'/><target dev='vda' bus='virtio'/></disk>
    <memballoon model='none'/>
  </devices>
</domain>
"""


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A libvirtd with a machine of the lab's worker's name, which stands still."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "disk").write_bytes(bytes(1 << 20))
    (folder / "machine.xml").write_text(MACHINE.format(disk=folder / "disk"))
    with private_libvirt(folder) as found:
        virsh(found, "create", "--paused", str(folder / "machine.xml"))
        yield found


def run(script: str, fault: Sabotage, uri: str) -> None:
    """A fault's commands, as the live test runs them."""
    words = f'virsh() {{ command virsh -c "{uri}" "$@"; }}\n{filled(script, machine=WORKER, unit=unit(fault))}'
    subprocess.run(["bash", "-c", words], check=True, capture_output=True, timeout=60)


def looked(uri: str) -> dict[str, set[str]]:
    """What checks find, by id."""
    plan = lab_plan(**{path.replace(".", "__"): json.loads(value) for path, value in SHARED})
    answers = {words: Said(output=virsh(uri, *words.split()) + "\n", exit_code=0) for words in (affinity(WORKER), VCPUS, HOST)}
    seen = Seen(plan=plan, nodes={}, api={}, api_errors={}, hypervisors={"local": answers})
    machine, why = machine_of(virsh(uri, "dumpxml", WORKER))
    assert why == ""
    return {
        "machines.drift": set(differences(plan, plan.workers[0], machine)),
        **{check.id: {finding.found for finding in check.judge(seen) if finding.status is Status.FAILED} for check in machines_pins.CHECKS},
    }


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_what_its_checks_name_and_is_put_right(fault: Sabotage, uri: str) -> None:
    before = looked(uri)
    run(fault.mends, fault, uri)
    assert looked(uri) == before, "nothing was broken"
    run(fault.breaks, fault, uri)
    broken = looked(uri)
    run(fault.mends, fault, uri)
    assert looked(uri) == before
    assert {check for check in before if broken[check] != before[check]} == fault.names
    assert filled(fault.says, unit=unit(fault)) in "; ".join(found for check in fault.names for found in broken[check] - before[check])

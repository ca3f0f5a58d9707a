"""`ops hypervisor describe` on a real libvirtd: what it prints is this machine, can be declared, and nothing was changed."""

import shutil
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ops import __main__ as command_line
from settings.hypervisor import Hypervisor
from tests.ops.doctor.made_hosts import recorded
from tests.ops.hypervisor import made_devices
from tests.ops.hypervisor.made_devices import Domain
from tests.plugins.private_libvirt import private_libvirt, virsh

pytestmark = [pytest.mark.engine, pytest.mark.skipif(shutil.which("libvirtd") is None, reason="no libvirtd")]
OWN = {"location": {"country": "NO", "site": "osl1"}, "network": {"bridge": "br0"}, "pool": {"name": "nodes", "kind": "dir"}}
SYSTEM = Path("/sys/devices/system/cpu")


def describe(uri: str, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert command_line.main(["hypervisor", "describe", uri, *words]) == 0
    return cast("dict[str, Any]", yaml.safe_load(capsys.readouterr().out))


def cpus(text: str) -> list[int]:
    ends = [part.split("-") for part in text.strip().split(",")]
    return [cpu for each in ends for cpu in range(int(each[0]), int(each[-1]) + 1)]


def cores() -> set[tuple[int, ...]]:
    """This machine's cores as its kernel says them."""
    found = (SYSTEM / f"cpu{cpu}" / "topology" / "thread_siblings_list" for cpu in cpus((SYSTEM / "online").read_text()))
    return {tuple(cpus(path.read_text())) for path in found}


def test_it_prints_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with private_libvirt(tmp_path) as uri:
        (tmp_path / "pool").mkdir()
        virsh(uri, "pool-define-as", "nodes", "dir", "--target", str(tmp_path / "pool"))
        definition = recorded("second")["domain other"].output.replace("b90d7c2a", "b90d7c2b")
        own = made_devices.domain("oslo-cp-1", Domain(vcpus=1, mib=256, pins={0: "0"}, environment="oslo")).replace("type='kvm'", "type='qemu'")
        for name, text in (("other", definition), ("own", own.replace("cpuset='0-1'", "cpuset='0'"))):
            (tmp_path / f"{name}.xml").write_text(text)
            virsh(uri, "define", str(tmp_path / f"{name}.xml"))
        before = [virsh(uri, *words.split()) for words in ("list --all", "pool-list --all", "dumpxml oslo-cp-1", "dumpxml other")]
        everybody, others = describe(uri, capsys), describe(uri, capsys, "--environment", "oslo")
        assert [virsh(uri, *words.split()) for words in ("list --all", "pool-list --all", "dumpxml oslo-cp-1", "dumpxml other")] == before
    declared = Hypervisor.model_validate({**others, **OWN})
    assert declared.topology is not None
    assert set(declared.topology.cores) == cores()
    mib = sum(node.memory_mib for node in declared.topology.numa)
    total = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    assert mib == pytest.approx(total, rel=0.01)
    assert everybody["tenants"].keys() == {"other", "oslo-cp-1"}
    assert others["tenants"] == {"other": {"vcpus": 2, "cpus": "0-1", "memory_mib": 512}}
    assert command_line.main(["hypervisor", "describe", uri]) == 2
    assert capsys.readouterr().err.startswith(f"ops: {uri}: ")

"""docs/doctor.md: the table that it shows is what is printed, and every finding's id is explained."""

import re
from dataclasses import replace

from ops.doctor import judges, report
from ops.doctor.judges import versions
from tests.ops.doctor.made_hosts import capabilities, cores, operator, plan_with, pool_state, recorded, said, seen
from tests.settings.documents import ROOT

PAGE = (ROOT / "docs" / "doctor.md").read_text()


def test_the_table_is_what_is_printed() -> None:
    """The seven troubles that doctor is there for, at once."""
    old = said(recorded("first")["version"].output.replace("daemon: 9.0.0", "daemon: 3.0.0"))
    answers = {"version": old, **recorded("emulator-no-kvm"), "capabilities": capabilities(cores(0, 7)), "pool-state": pool_state(1.5)}
    told = {
        "kvm": said("no /dev/kvm", 3),
        "bridge": said("1500\nport enp1s0 9000"),
        "addresses": said("10.20.0.21 00:11:22:33:44:55"),
        "pool-block": said('NAME="/dev/nvme0n1" TYPE="disk" TRAN="nvme" ROTA="0"'),
    }
    here = replace(operator(), tools={**operator().tools, "xsltproc": ""})
    printed = report.as_text(judges.findings(seen(plan_with(network={"mtu": 9000}), virsh=answers, told=told, here=here)), every=False, colour=False)
    assert f"```text page\n{printed}```" in PAGE, f"docs/doctor.md: put this in place of its table\n{printed}"


def test_every_finding_is_explained() -> None:
    pattern = r'"((?:python|pulumi|state|image|host|kvm|cpu|memory|pool|link|running|address|clock|manifests)\.[a-z-]+)"'
    sources = "".join(path.read_text() for path in (ROOT / "ops" / "doctor" / "judges").glob("*.py"))
    known = set(re.findall(pattern, sources)) - {"image.source", "image.kernel", "image.initrd"}  # settings
    known |= {"tool.mkisofs", "tool.xsltproc", "tool.pulumi", "host.libvirt-version", "host.qemu-version"}
    known |= {"pool.state", "pool.space", "files-pool.state", "files-pool.space"}
    listed = set(re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE))
    assert listed == known


def test_least_versions_are_said_with_their_source() -> None:
    for need in (*versions.ALWAYS, versions.MAXIMUM, *versions.URING, *versions.QUEUE_SIZE, *versions.SEVERAL_THREADS, versions.NVME):
        assert f"| {need.program} | {'.'.join(map(str, need.version))} |" in PAGE

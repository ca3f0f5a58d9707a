"""The libvirt stand-in under the real engine, on a real libvirtd with guests that have nothing to boot."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.private_libvirt import VirshFailedError, private_libvirt, virsh
from tests.plugins.pulumi_project import Project, engine, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI")]

IDENTITY = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output omit-xml-declaration="yes"/>
<xsl:template match="node()|@*"><xsl:copy><xsl:apply-templates select="node()|@*"/></xsl:copy></xsl:template>
<xsl:template match="/domain/devices/disk[serial='cloudinit']/target"><target dev="vdz" bus="virtio"/></xsl:template>
<xsl:template match="/domain/devices/disk[serial='cloudinit']/@device"><xsl:attribute name="device">disk</xsl:attribute></xsl:template>
<xsl:template match="/domain/vcpu"><xsl:copy-of select="."/><cputune><shares>512</shares></cputune></xsl:template>
</xsl:stylesheet>"""

PROGRAM = """
import pulumi, pulumi_libvirt as libvirt
host = libvirt.Provider("host", uri={uri!r})
opts = pulumi.ResourceOptions(provider=host)
pool = libvirt.Pool("pool", name="pool", type="dir", target=libvirt.PoolTargetArgs(path={pool!r}), opts=opts)
base = libvirt.Volume("base", name="base", pool=pool.name, source={image!r}, opts=opts)
root = libvirt.Volume("root", name="root", pool=pool.name, base_volume_id=base.id, size={size}, format="qcow2", opts=opts)
seed = libvirt.CloudInitDisk("seed", name="seed.iso", pool=pool.name, user_data=pulumi.Output.secret({user_data!r}),
    meta_data="instance-id: one", opts=opts)
libvirt.Domain("node", name="node", type="qemu", vcpu={vcpu}, memory=32, disks=[libvirt.DomainDiskArgs(volume_id=root.id)],
    cloudinit=seed.id, autostart={autostart}, xml=libvirt.DomainXmlArgs(xslt={xslt!r}), opts=opts)
"""


class Bench:
    """A project beside its hypervisor."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.uri = uri
        self.pool = folder / "pool"
        self.image = folder / "image.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(self.image), "32M"], check=True)
        self.project = Project(folder / "project")

    def write(self, uri: str = "", vcpu: int = 1, size: int = 64 << 20, *, autostart: bool = False) -> None:
        """Sets the program."""
        text = PROGRAM.format(
            uri=uri or self.uri,
            pool=str(self.pool),
            image=str(self.image),
            vcpu=vcpu,
            size=size,
            user_data="#cloud-config\n# hush-hush\n",
            autostart=autostart,
            xslt=IDENTITY,
        )
        self.project.write(text)

    def virsh(self, *args: str) -> str:
        """What libvirt itself says."""
        return virsh(self.uri, *args)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with private_libvirt(tmp_path) as uri:
        yield Bench(tmp_path, uri)


def test_a_preview_connects_to_no_hypervisor(bench: Bench) -> None:
    bench.write(uri="qemu+unix:///system?socket=/nowhere/libvirt-sock")
    assert set(bench.project.planned()) >= {"pool", "base", "root", "seed", "node"}


def test_a_machine_lives_changes_and_goes(bench: Bench) -> None:
    project = bench.project
    bench.write()
    project.up()
    xml = bench.virsh("dumpxml", "node")
    assert "<shares>512</shares>" in xml
    assert re.search(r"<target dev='vdz' bus='virtio'/>", xml)
    assert "hush-hush" not in project.raw_state()
    state = project.state()
    assert (state["root"]["outputs"]["size"], state["base"]["outputs"]["size"]) == (64 << 20, 32 << 20)

    project.up("--refresh", "--expect-no-changes")

    bench.virsh("destroy", "node")
    bench.write(autostart=True)
    project.up("--refresh")
    assert bench.virsh("domstate", "node") == "running"
    assert "node" in bench.virsh("list", "--all", "--autostart", "--name")

    before = bench.virsh("domuuid", "node")
    bench.write(vcpu=2, autostart=True)
    assert project.planned() == {"node": "replace"}
    project.up()
    assert bench.virsh("domuuid", "node") != before
    assert "vcpu placement='static'>2<" in bench.virsh("dumpxml", "node")

    bench.virsh("destroy", "node")
    bench.virsh("undefine", "node")
    again = project.up("--refresh").text
    assert bench.virsh("domstate", "node") == "running", again

    gone = project.run("destroy", "--yes", "--skip-preview")
    assert gone.code == 0, gone.text
    assert bench.virsh("list", "--all", "--name") == ""
    assert bench.virsh("pool-list", "--all", "--name") == ""
    assert not bench.pool.exists()


def killed_when(bench: Bench, *ready: str) -> None:
    """Starts `up` and kills the engine, as by a power cut, once the hypervisor lists what `ready` asks for; then unlocks the stack."""
    process = bench.project.start("up", "--yes", "--skip-preview")

    def is_there() -> bool:
        assert process.poll() is None, process.communicate()[0]
        try:
            return ready[-1] in bench.virsh(*ready[:-1]).split()
        except VirshFailedError:
            return False

    wait_until(is_there)
    process.kill()
    process.communicate()
    assert bench.project.run("cancel", "--yes").code == 0


def test_an_up_killed_during_an_upload_is_finished_by_the_next(bench: Bench) -> None:
    with bench.image.open("wb") as file:
        file.truncate(1 << 29)
    bench.write(size=1 << 29)
    killed_when(bench, "vol-list", "pool", "base")
    assert "base" not in bench.project.state()
    bench.project.up()
    assert sorted(line.split()[0] for line in bench.virsh("vol-list", "pool").splitlines()) == ["base", "root", "seed.iso"]
    assert subprocess.run(["cmp", str(bench.image), str(bench.pool / "base")], check=False).returncode == 0
    assert bench.project.planned() == {}


def test_an_up_killed_while_a_machine_starts_is_finished_by_the_next(bench: Bench) -> None:
    bench.write()
    killed_when(bench, "list", "--all", "--name", "node")
    assert "node" not in bench.project.state()
    uuid = bench.virsh("domuuid", "node")
    text = bench.project.up().text
    assert "defined by an earlier run" in text
    assert bench.virsh("domuuid", "node") == uuid
    assert bench.virsh("domstate", "node") == "running"
    assert bench.project.planned() == {}


def test_a_machine_of_somebody_else_is_not_taken_and_one_that_does_not_start_leaves_nothing(bench: Bench) -> None:
    strange = "<domain type='qemu'><name>strange</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    subprocess.run(["virsh", "-c", bench.uri, "define", "/dev/stdin"], input=strange, text=True, check=True, capture_output=True)
    bench.project.write(
        "import pulumi, pulumi_libvirt as libvirt\n"
        f"opts = pulumi.ResourceOptions(provider=libvirt.Provider('host', uri={bench.uri!r}))\n"
        "libvirt.Domain('strange', name='strange', type='qemu', memory=32, opts=opts)\n"
        "libvirt.Domain('broken', name='broken', type='qemu', memory=32, kernel='/nowhere/vmlinuz', opts=opts)\n"
    )
    outcome = bench.project.run("up", "--yes", "--skip-preview", "--continue-on-error")
    assert outcome.code != 0
    assert "domain 'strange' already exists with uuid" in outcome.text
    assert "/nowhere/vmlinuz" in outcome.text
    assert bench.virsh("list", "--all", "--name").split() == ["strange"]
    assert bench.virsh("domstate", "strange") == "shut off"

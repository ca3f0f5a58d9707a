"""Hypervisors as virsh and a shell showed them: recordings of a real libvirt 9.0, with what a test wants different put in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ops.doctor import judges, questions
from ops.doctor.model import Finding, HostSeen, OperatorSeen, Part, Seen
from ops.doctor.script import probed
from ops.verify.model import Said, Status
from plan import NodePlan, Plan, make
from settings import load
from tests.settings.documents import minimal

RECORDED = Path(__file__).parent / "recorded"
GIB = 2**30


def said(output: str, exit_code: int = 0) -> Said:
    return Said(output=output, exit_code=exit_code)


def refused(words: str) -> Said:
    return Said(output=f"error: {words}\n", exit_code=1)


def recorded(name: str) -> dict[str, Said]:
    """A batch of virsh as it was recorded, by the keys that it holds."""
    text = (RECORDED / f"libvirt-9.0-{name}.txt").read_text()
    return questions.split(text, dict.fromkeys(questions.MARK.findall(text), ""))


def capabilities(*cells: Sequence[Sequence[int]], pages: Mapping[int, int] | None = None, mib: int = 262144) -> Said:
    """The recorded capabilities with other NUMA nodes: each a list of cores, each core a list of its threads.

    All memory, and pages (number by size in KiB), are parted evenly.
    """
    document = recorded("first")["capabilities"].output
    head, _, rest = document.partition("<cells num='1'>")
    tail = rest.partition("</cells>")[2]
    reserved = "".join(f"<pages unit='KiB' size='{size}'>{count // len(cells)}</pages>" for size, count in (pages or {}).items())
    made = "".join(
        f"<cell id='{number}'><memory unit='KiB'>{mib * 1024 // len(cells)}</memory>{reserved}<cpus num='{sum(map(len, cores))}'>"
        + "".join(
            f"<cpu id='{cpu}' socket_id='{number}' die_id='0' core_id='{core[0]}' siblings='{','.join(map(str, core))}'/>"
            for core in cores
            for cpu in core
        )
        + "</cpus></cell>"
        for number, cores in enumerate(cells)
    )
    return said(f"{head}<cells num='{len(cells)}'>{made}</cells>{tail}")


def cores(first: int, last: int) -> list[list[int]]:
    """Cores of one thread each."""
    return [[cpu] for cpu in range(first, last + 1)]


def domain(name: str, mac: str = "52:54:00:99:99:99", *, vcpus: int = 2, mib: int = 2048, pins: Mapping[int, str] | None = None) -> Said:
    """The recorded domain as another one."""
    text = recorded("second")["domain other"].output
    held = "".join(f"<vcpupin vcpu='{vcpu}' cpuset='{cpus}'/>" for vcpu, cpus in (pins or {}).items())
    head, _, rest = text.partition("<cputune>")
    text = f"{head}<cputune>{held}{rest[rest.index('</cputune>') :]}"
    text = text.replace("<name>other<", f"<name>{name}<").replace("52:54:00:aa:bb:cc", mac)
    return said(text.replace("'static'>2<", f"'static'>{vcpus}<").replace(">524288<", f">{mib * 1024}<"))


def having(domains: Mapping[str, Said], *stopped: str) -> dict[str, Said]:
    """Answers of a hypervisor with these domains; all run but the ones named."""
    names, running = "\n".join(domains), "\n".join(name for name in domains if name not in stopped)
    return {"domains": said(f"{names}\n"), "running": said(f"{running}\n"), **{f"domain {name}": text for name, text in domains.items()}}


def made(node: NodePlan) -> Said:
    """The plan's own machine, as it is defined."""
    return domain(node.name, node.mac, vcpus=node.vcpus, mib=node.memory_mib)


def pool_state(available_gib: float, state: str = "running") -> Said:
    size = int(available_gib * GIB)
    return said(f"Name:           default\nState:          {state}\nCapacity:       999999999999\nAllocation:     0\nAvailable:      {size}\n")


def healthy(plan: Plan, name: str) -> HostSeen:
    """A hypervisor on which all is well: the recording, and more CPUs, memory and room than this machine had."""
    answers = {
        **recorded("first"),
        **recorded("emulator-kvm"),
        **recorded("features"),
        "capabilities": capabilities(cores(0, 63)),
        "memory": said(
            "total  :            268435456 KiB\nfree   :            200000000 KiB\nbuffers:                0 KiB\ncached :        1000000 KiB\n"
        ),
        "pages": said("Node 0:\n4KiB: 4127885\n2048KiB: 0\n1048576KiB: 100\n\nNode 1:\n4KiB: 4127885\n2048KiB: 0\n1048576KiB: 100\n"),
        "devices": said(""),
        "pools": said(""),
        "domains": said(""),
        "running": said(""),
        "pool-state": pool_state(900),
        "pool-volumes": said(""),
    }
    shell = {
        "pool-block": said(
            'available 966367641600\nNAME="/dev/nvme0n1p2" TYPE="part" TRAN="nvme" ROTA="0"\nNAME="/dev/nvme0n1" TYPE="disk" TRAN="nvme" ROTA="0"'
        ),
        "time": said("clock 1.0\nNTPSynchronized=yes\nSystem time     : 0.000012 seconds fast of NTP time\nLeap status     : Normal"),
        "bridge": said("1500\nport enp1s0 1500\nport vnet0 1500"),
        "addresses": said("\n".join(f"{address} silent" for address in probed(plan))),
        "kvm": said("booted"),
        "isolation": said("isolated 0-63\ninit 0-63\nsystem.slice 0-63\nuser.slice 0-63\ninit.scope 0-63"),
    }
    return HostSeen(name=name, settings=plan.settings.hypervisors[name], virsh=answers, by_shell=shell, clock_s=(0.5, 1.5))


PINNED = {f"pulumi{end}": version for end, version in (("", "3.259.0"), ("-libvirt", "0.5.4"), ("-tls", "5.5.1"))}


def operator() -> OperatorSeen:
    """A machine that has everything."""
    plugins = '[{"name": "libvirt", "version": "0.5.4"}, {"name": "tls", "version": "5.5.1"}]'
    return OperatorSeen(
        tools={name: f"/usr/bin/{name}" for name in ("pulumi", "mkisofs", "xsltproc", "virsh", "ssh", "ping")},
        commands={
            "packages": said('["3.11.2", {"pulumi": "3.259.0", "pulumi_libvirt": "0.5.4", "Pulumi.TLS": "5.5.1", "more": "1"}]'),
            "engine": said("v3.259.0\n"),
            "plugins": said(plugins),
            "backend": said('{"user": "root", "url": "s3://states?region=eu-north-1"}'),
            "stacks": said('[{"name": "small", "current": false}]'),
            "secrets": said(""),
        },
        pinned=PINNED,
        stack_file={"encryptionsalt": "there"},
        parts=(
            Part(setting="image.source", source="images/node-1.36.3/node.qcow2", size=2 * GIB, virtual_size=3 * GIB),
            Part(setting="image.kernel", source="images/node-1.36.3/vmlinuz", size=9 * 2**20),
        ),
        image_kubernetes="1.36.3",
        pings=dict.fromkeys(probed(plan_with()), said("1 packets transmitted, 0 received", 1)),
    )


UNCOUNTED: dict[str, Any] = {
    "hypervisors": {"kvm1": {"topology": None, "reserved_cpus": None}},
    "control_plane": {"cpu_policy": {"kind": "emulated"}},
    "workers": {"worker": {"cpu_policy": {"kind": "emulated"}}},
}
"""An environment whose hypervisor's topology nobody declared, so that the planner counts nothing there."""


def paged(nodes: int = 1) -> dict[str, Any]:
    """An environment whose machines are made of huge pages: 100 of them on each NUMA node of 64 cores in all."""
    size = 64 // nodes
    numa = [{"threads": [f"{node * size}-{(node + 1) * size - 1}"], "memory_mib": 262144 // nodes, "hugepages": {"1G": 100}} for node in range(nodes)]
    huge = {"hugepages": "1G"}
    return {"hypervisors": {"kvm1": {"topology": {"numa": numa}}}, "control_plane": huge, "workers": {"worker": huge}}


def plan_with(**areas: Any) -> Plan:
    return make(load(minimal(**areas)))


def seen(
    plan: Plan | None = None, *, virsh: Mapping[str, Said] | None = None, told: Mapping[str, Said] | None = None, here: OperatorSeen | None = None
) -> Seen:
    """One healthy hypervisor and operator, with some answers different."""
    plan = plan or plan_with()
    host = healthy(plan, "kvm1")
    host = replace(host, virsh={**host.virsh, **(virsh or {})}, by_shell={**host.by_shell, **(told or {})})
    return Seen(plan=plan, stack="small", hosts={"kvm1": host}, operator=here or operator())


def wrong(what: Seen) -> dict[str, Finding]:
    """What is not well, by id."""
    return {finding.id: finding for finding in judges.findings(what) if finding.status is not Status.PASSED}


def only(what: Seen, finding_id: str) -> Finding:
    """The one thing that is wrong; it says what was found and what to do."""
    found = wrong(what)
    assert list(found) == [finding_id], found
    assert found[finding_id].found
    assert found[finding_id].remedy
    return found[finding_id]

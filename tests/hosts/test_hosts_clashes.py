"""Who has what of a host: definitions as libvirt writes them, against what a machine is to have."""

import pytest

from hosts.clashes import Wanted, clashes
from hosts.domains import METADATA, Machine, machine
from hosts.xml import cpu_set, kib_of

NONE = set[int]()


def domain(body: str, *, name: str = "db-1", vcpus: int = 2, environment: str = "", policy: str = "", running: bool = True) -> Machine:
    mark = (
        f'<metadata><u:machine xmlns:u="{METADATA}" environment="{environment}" node="{name}" cpu-policy="{policy}"/></metadata>'
        if environment
        else ""
    )
    text = f'<domain type="kvm"><name>{name}</name><vcpu>{vcpus}</vcpu><memory unit="GiB">2</memory>{mark}{body}</domain>'
    found = machine(name, text, running=running)
    assert found is not None
    return found


def pins(*cpus: str, emulator: str = "") -> str:
    own = "".join(f'<vcpupin vcpu="{number}" cpuset="{each}"/>' for number, each in enumerate(cpus))
    return f"<cputune>{own}{f'<emulatorpin cpuset={emulator!r}/>' if emulator else ''}</cputune>"


def wanted(policy: str = "dedicated", cpus: str = "4-7", pci: str = "", block: str = "") -> Wanted:
    return Wanted(
        name="oslo-cp-1",
        environment="oslo",
        policy=policy,
        cpus=cpu_set(cpus),
        pci=frozenset({pci} - {""}),
        blocks=frozenset({block} - {""}),
    )


def said(want: Wanted, *found: Machine, own: frozenset[str] = frozenset()) -> str:
    return "; ".join(clashes(want, found, own))


@pytest.mark.parametrize(
    ("want", "found", "says"),
    [
        (wanted(), domain(pins("6", "7")), "CPUs 6-7 are of domain db-1, which underlay does not know"),
        (wanted(), domain(pins("7", "8"), environment="bergen", policy="dedicated"), "CPUs 7 are of domain db-1, of environment bergen"),
        (wanted(), domain(pins("7-9", "7-9"), environment="bergen", policy="shared"), "CPUs 7 are of domain db-1, of environment bergen"),
        (wanted(), domain(pins("6", "7"), running=False), "CPUs 6-7 are"),
        (wanted(), domain(pins("8", "9", emulator="4-5")), "CPUs 4-5 are"),
        (wanted(), domain("", vcpus=2), ""),
        (wanted("shared"), domain(pins("6", "7"), environment="bergen", policy="dedicated"), "CPUs 6-7 are of domain db-1, of environment bergen"),
        (wanted("shared"), domain(pins("4-7", "4-7"), environment="bergen", policy="shared"), ""),
        (wanted("shared"), domain(pins("6", "7")), "CPUs 6-7 are of domain db-1, which underlay does not know"),
        (wanted("shared"), domain(pins("4-7", "4-7")), ""),
        (wanted("emulated", ""), domain(pins("6", "7")), ""),
    ],
)
def test_cpus_are_refused_where_somebody_would_wait_for_them(want: Wanted, found: Machine, says: str) -> None:
    assert said(want, found).startswith(says) if says else said(want, found) == ""


def test_the_environments_own_domains_are_no_strangers_by_mark_or_by_name() -> None:
    taken = pins("4", "5")
    assert said(wanted(), domain(taken, name="oslo-cp-9", environment="oslo", policy="dedicated")) == ""
    assert said(wanted(), domain(taken, name="oslo-cp-2"), own=frozenset({"oslo-cp-2"})) == ""
    assert said(wanted(), domain(taken, name="oslo-cp-2")) != ""


def test_a_drive_that_another_domain_has_is_refused_whichever_way_it_has_it() -> None:
    address = '<address domain="0x0000" bus="0x41" slot="0x00" function="0x0"/>'
    given = domain(f'<devices><hostdev mode="subsystem" type="pci"><source>{address}</source></hostdev></devices>')
    driven = domain(f'<devices><disk type="nvme" device="disk"><source type="pci" namespace="1">{address}</source></disk></devices>')
    block = domain('<devices><disk type="block" device="disk"><source dev="/dev/disk/by-id/nvme-x"/></disk></devices>')
    for found in (given, driven):
        assert said(wanted(pci="0000:41:00.0"), found) == "PCI device 0000:41:00.0 is of domain db-1, which underlay does not know"
        assert said(wanted(pci="0000:42:00.0"), found) == ""
    assert said(wanted(block="/dev/disk/by-id/nvme-x"), block).startswith("device /dev/disk/by-id/nvme-x is of domain db-1")


def test_every_stranger_is_named_in_the_order_of_names() -> None:
    found = [domain(pins("5", "6"), name=name) for name in ("web", "db")]
    assert said(wanted(), *found).index("domain db,") < said(wanted(), *found).index("domain web,")


def test_a_definition_that_cannot_be_read_is_no_machine() -> None:
    assert machine("x", "error: Domain not found", running=False) is None
    assert machine("x", "<domain", running=False) is None


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-3,^2,8", {0, 1, 3, 8}), (" 4 , 6-7", {4, 6, 7}), ("7-4", NONE), ("x", NONE), (None, NONE), ("1-99999", NONE)]
)
def test_cpu_sets_are_read_as_libvirt_writes_them(text: str | None, cpus: set[int]) -> None:
    assert cpu_set(text) == cpus


def test_amounts_have_units() -> None:
    assert [kib_of("2", unit) for unit in ("GiB", "MiB", None, "bytes")] == [2 * 2**20, 2 * 2**10, 2, 0]

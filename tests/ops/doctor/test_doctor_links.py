"""Links, addresses, clocks and neighbours on hypervisors with one thing wrong each."""

from dataclasses import replace

from ops.doctor.script import probed
from ops.verify.model import Said, Status
from tests.ops.doctor.made_hosts import (
    domain,
    having,
    made,
    only,
    operator,
    plan_with,
    recorded,
    refused,
    said,
    seen,
    wrong,
)


def test_a_bridge_mtu_that_is_too_small() -> None:
    plan = plan_with(network={"mtu": 9000})
    found = only(seen(plan, told={"bridge": said("1500\nport enp1s0 9000")}), "link.mtu")
    assert "limit" not in found.found
    assert found.limit == "1500"
    assert "ip link set br0 mtu 9000" in found.remedy
    assert "network.mtu: 1500" in found.remedy
    port = only(seen(plan, told={"bridge": said("9000\nport enp1s0 1500\nport vnet0 1500")}), "link.port-mtu")
    assert "enp1s0" in port.remedy


def test_without_a_shell_libvirt_tells_the_mtu() -> None:
    what = seen(plan_with(network={"mtu": 1501}))
    host = what.hosts["kvm1"]
    host = replace(host, virsh={**host.virsh, **recorded("second")}, by_shell={"": Said(output="", exit_code=1, error="no way")})
    found = wrong(replace(what, hosts={"kvm1": host}))
    assert found["link.mtu"].limit == "1500"
    assert {name for name, finding in found.items() if finding.status is Status.NOT_CHECKED} == {
        "host.shell",
        "host.isolation",
        "kvm.boots",
        "clock.synchronised",
    }
    assert found["pool.nvme"].found == "/dev/vda (transport unknown)"


def test_a_bridge_that_is_not_there() -> None:
    gone = refused("Interface not found: couldn't find interface named 'br0'")
    assert "ip link add br0" in only(seen(virsh={"bridge": gone}, told={"bridge": said("cat: no such file", 1)}), "link.there").remedy


def test_a_device_that_is_no_bridge() -> None:
    answers = {"bridge": Said(output="error: this function is not supported by the connection driver", exit_code=1)}
    found = only(seen(virsh=answers, told={"bridge": said("1500\nno bridge")}), "link.there")
    assert found.found == "br0 is no bridge"


def test_a_network_of_libvirt() -> None:
    plan = plan_with(hypervisors={"kvm1": {"network": {"bridge": None, "libvirt_network": "nodes"}}})
    there = {
        "network": said("<network><name>nodes</name><bridge name='virbr0'/><mtu size='1500'/></network>"),
        "network-state": said("Name: nodes\nActive: yes\n"),
    }
    assert not wrong(seen(plan, virsh=there))
    assert "net-start nodes" in only(seen(plan, virsh={**there, "network-state": said("Name: nodes\nActive: no\n")}), "link.there").remedy
    assert (
        "net-define" in only(seen(plan, virsh={"network": refused("Network not found: no network with matching name 'nodes'")}), "link.there").remedy
    )


def test_a_name_and_a_mac_that_somebody_has() -> None:
    assert "domrename" in only(seen(virsh=having({"small-cp-1": domain("small-cp-1")})), "running.name").remedy
    mac = plan_with().nodes[0].mac
    found = wrong(seen(virsh=having({"db": domain("db", mac)})))
    assert "domain db has it" in found["running.mac"].found
    assert found.keys() == {"running.mac", "host.tenants"}


def test_an_address_that_is_taken() -> None:
    found = only(seen(told={"addresses": said("10.20.0.21 00:11:22:33:44:55")}), "address.free")
    assert (found.where, found.declared) == ("kvm1", "10.20.0.21 for small-worker-1")
    assert "00:11:22:33:44:55" in found.found
    assert "first_host" in found.remedy
    from_here = only(seen(here=replace(operator(), pings={"10.20.0.10": said("")})), "address.free")
    assert from_here.declared == "10.20.0.10 for the API"
    assert "cluster.endpoint.address" in from_here.remedy


def test_an_address_in_a_lease_of_libvirts() -> None:
    lease = " 2026-01-01 00:00:00   52:54:00:77:77:77   ipv4   10.20.0.11/24   guest   -\n"
    assert "52:54:00:77:77:77" in only(seen(virsh={"leases default": said(lease)}), "address.free").found


def test_the_plans_own_machines_hold_their_addresses() -> None:
    nodes = plan_with().nodes
    lines = [f"{node.address} {node.mac}" for node in nodes] + [f"10.20.0.10 {nodes[0].mac}"]
    own = having({node.name: made(node) for node in nodes})
    asked = {str(node.address): said("") for node in nodes}
    assert not wrong(seen(virsh=own, told={"addresses": said("\n".join(lines))}, here=replace(operator(), pings=asked)))
    stranger = said("\n".join([*lines[1:], f"{nodes[0].address} 00:11:22:33:44:55"]))
    assert only(seen(virsh=own, told={"addresses": stranger}), "address.free").declared == f"{nodes[0].address} for small-cp-1"


def test_nobody_could_ask_who_has_an_address() -> None:
    unreachable = said("ping: connect: Network is unreachable\n", 2)
    what = seen(told={"addresses": said("no ping here", 1)}, here=replace(operator(), pings=dict.fromkeys(probed(plan_with()), unreachable)))
    found = only(what, "address.free")
    assert found.status is Status.NOT_CHECKED
    assert "Network is unreachable" in found.found
    some = said("\n".join(f"{address} silent" for address in probed(plan_with())[1:]))
    assert "nobody could ask for 10.20.0.11:" in only(replace(what, hosts=seen(told={"addresses": some}).hosts), "address.free").found


def test_an_address_that_answers_where_its_machine_cannot_be_seen_is_not_called_taken() -> None:
    what = seen(
        here=replace(operator(), pings={"10.20.0.11": said("")}), virsh={"domains": Said(output="", exit_code=124, error="no answer in 30 s")}
    )
    assert wrong(what)["address.free"].status is Status.NOT_CHECKED
    heard = what.hosts["kvm1"].by_shell["addresses"].output.replace("10.20.0.11 silent", "10.20.0.11 00:11:22:33:44:55")
    stranger = replace(what, hosts={"kvm1": replace(what.hosts["kvm1"], by_shell={"addresses": said(heard)})})
    assert wrong(stranger)["address.free"].status is Status.FAILED


def test_a_clock_that_nobody_keeps() -> None:
    assert "chrony" in only(seen(told={"time": said("clock 1.0\nNTPSynchronized=no")}), "clock.synchronised").remedy
    what = seen()
    late = replace(what, hosts={"kvm1": replace(what.hosts["kvm1"], clock_s=(4.5, 6.0))})
    assert only(late, "clock.synchronised").found == "3.5 s or more away from this machine's clock"
    off = said("clock 1.0\nSystem time     : 3.200000012 seconds slow of NTP time\nLeap status     : Normal")
    assert "3.200 s off" in only(seen(told={"time": off}), "clock.synchronised").found
    assert only(seen(told={"time": said("clock 1.0")}), "clock.synchronised").status is Status.NOT_CHECKED


def test_vhost_is_asked_for_and_not_there() -> None:
    plan = plan_with(workers={"worker": {"nic": {"driver": "vhost"}}})
    assert not wrong(seen(plan, told={"vhost": said("there")}))
    assert "modprobe vhost_net" in only(seen(plan, told={"vhost": said("", 1)}), "link.vhost").remedy

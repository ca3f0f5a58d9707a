"""services.tables, .leftovers, .addresses and .sets: tables that agree, and each way in which they do not."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from ops.verify.checks import services_addresses, services_leftovers, services_tables
from ops.verify.model import Seen
from ops.verify.reading.services import SERVICES, SLICES
from tests.ops.verify.made_ipvs import DUMMY, SERVERS, SETS, WEB, addresses, ip_vs, ipset_save
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, named, recorded, recorded_json, seen_with, statuses, unreachable

TABLES, LEFTOVERS = services_tables.CHECKS[0], services_leftovers.CHECKS[0]
ADDRESSES, IPSETS = (named(f"services.{name}", services_addresses.CHECKS) for name in ("addresses", "sets"))
OWN_CHAINS = ":KUBE-KUBELET-CANARY - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-POSTROUTING - [0:0]\n:KUBE-SERVICES - [0:0]"
EMPTY_IPVS = ip_vs({})


def api(services: Any = None, slices: Any = None) -> dict[str, Any]:
    return {SERVICES: services or recorded_json("services.json"), SLICES: slices or recorded_json("slices.json")}


def parts(mode: str, /, **changes: str | None) -> dict[str, str | None]:
    own: dict[str, dict[str, str | None]] = {
        "ipvs": {
            "servers": ip_vs(SERVERS),
            "addresses": addresses(),
            "tables": "table ip nat\ntable ip filter",
            "chains": f"{OWN_CHAINS}\n:KUBE-LOAD-BALANCER - [0:0]\n:KUBE-NODE-PORT - [0:0]",
            "sets": ipset_save(SETS),
        },
        "nftables": {
            "servers": EMPTY_IPVS,
            "addresses": addresses(()),
            "tables": "table ip kube-proxy\ntable ip6 kube-proxy\ntable ip nat",
            "chains": ":KUBE-KUBELET-CANARY - [0:0]",
            "sets": "",
            "nft": recorded("nftables.txt"),
        },
        "iptables": {
            "servers": EMPTY_IPVS,
            "addresses": addresses(()),
            "tables": "table ip nat\ntable ip filter",
            "chains": OWN_CHAINS + "\n:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]\n:KUBE-SEP-2466C6V3L2R3SORF - [0:0]",
            "sets": "",
            "nat": recorded("iptables-nat.txt"),
        },
    }
    return {**own[mode], **changes}


def seen(mode: str = "ipvs", given: dict[str, Any] | None = None, /, **changes: str | None) -> Seen:
    """One node, so that the recorded local endpoints are its own."""
    plan = lab_plan(kube_proxy__mode=mode)
    plan = replace(plan, nodes=plan.nodes[:1])
    return seen_with(plan, "service-tables", parts(mode, **changes), api=given or api())


@pytest.mark.parametrize("mode", ["ipvs", "nftables", "iptables"])
def test_tables_that_agree_pass_with_all_that_was_recorded(mode: str) -> None:
    said = findings(TABLES, seen(mode))[CP]
    assert said.status == "passed", said.found
    entries = {"ipvs": len(SERVERS), "nftables": 12 + 3, "iptables": 12 + 3}[mode]
    assert said.figures[0].value == entries
    assert findings(LEFTOVERS, seen(mode))[CP].status == "passed"


def test_in_ipvs_mode_a_service_without_endpoints_is_there_and_in_the_others_it_is_not() -> None:
    servers = {name: reals for name, reals in SERVERS.items() if name != "TCP 10.96.1.3:80"}
    assert found(TABLES, seen(servers=ip_vs(servers)), CP) == "tcp 10.96.1.3:80 (default/empty:80) is not in the kernel"
    assert "10.96.1.3" not in recorded("nftables.txt").partition("map service-ips")[2].partition("}\n")[0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"TCP 10.96.0.1:443": None}, "tcp 10.96.0.1:443 (default/kubernetes:https) is not in the kernel"),
        ({"TCP 10.96.1.1:80": WEB[:1]}, "tcp 10.96.1.1:80 (default/web:http) lacks 10.32.1.6:8080"),
        ({"TCP 10.96.1.1:80": (*WEB, "10.32.1.7:8080")}, "tcp 10.96.1.1:80 (default/web:http) sends to 10.32.1.7:8080, which is no ready endpoint"),
        ({"TCP 10.96.200.1:80": ()}, "tcp 10.96.200.1:80 is in the kernel and no Service's"),
        ({"TCP 10.77.0.11:32000": WEB}, "tcp 10.77.0.11:32000 is in the kernel and no Service's"),
        ({"TCP 10.77.0.11:30080": None}, "tcp 10.77.0.11:30080 (default/local:80) is not in the kernel"),
        ({"UDP 10.96.0.10:53": ()}, "udp 10.96.0.10:53 (default/dns:dns) lacks 10.32.0.9:8080"),
    ],
)
def test_what_the_virtual_servers_have_otherwise_is_named(changes: dict[str, tuple[str, ...] | None], says: str) -> None:
    servers = {name: reals for name, reals in {**SERVERS, **changes}.items() if reals is not None}
    assert found(TABLES, seen(servers=ip_vs(servers)), CP) == says


def test_another_scheduler_is_named_once_for_each_server_and_the_rest_counted() -> None:
    said = found(TABLES, seen(servers=ip_vs(SERVERS, "wlc")), CP)
    assert said.startswith("tcp 10.77.0.10:30080 (default/local:80) has scheduler wlc, declared rr; ")
    assert said.endswith(f"and {len(SERVERS) - 4} more")


def test_a_ready_endpoint_with_weight_0_is_named_and_a_leaving_one_is_not() -> None:
    quiet = ip_vs(SERVERS, weights={"10.32.0.9:8080": 0})
    assert "tcp 10.96.0.10:53 (default/dns:dns-tcp) gives 10.32.0.9:8080 weight 0, though ready" in found(TABLES, seen(servers=quiet), CP)
    leaving = ip_vs({**SERVERS, "TCP 10.96.1.1:80": (*WEB, "10.32.9.9:8080")}, weights={"10.32.9.9:8080": 0})
    assert statuses(TABLES, seen(servers=leaving)) == {CP: "passed"}
    assert "weight 3, kube-proxy gives 1" in found(TABLES, seen(servers=ip_vs(SERVERS, weights={"10.32.0.9:8080": 3})), CP)


def test_affinity_is_compared_whatever_ticks_the_kernel_counts() -> None:
    table = ip_vs(SERVERS)
    for ticks in ("1080000", "10800000"):
        assert statuses(TABLES, seen(servers=table.replace("2700000", ticks))) == {CP: "passed"}
    assert "(default/sticky:80) keeps clients for 1 ticks, declared 10800 s" in found(TABLES, seen(servers=table.replace("2700000", "1")), CP)
    assert "(default/sticky:80) keeps clients for 0 ticks" in found(TABLES, seen(servers=table.replace("persistent 2700000 FFFFFFFF", "")), CP)


def test_virtual_servers_that_kube_proxy_leaves_alone_are_left_alone() -> None:
    table = ip_vs({**SERVERS, "TCP 10.77.0.99:80": ()})
    assert "10.77.0.99:80" in found(TABLES, seen(servers=table), CP)
    plan = lab_plan(kube_proxy__ipvs={"exclude_cidrs": ["10.77.0.99/32"]})
    plan = replace(plan, nodes=plan.nodes[:1])
    assert statuses(TABLES, seen_with(plan, "service-tables", parts("ipvs", servers=table), api=api())) == {CP: "passed"}


def test_one_of_ipv6_and_a_firewall_mark_are_stale_too() -> None:
    strange = ip_vs(SERVERS) + "TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 rr \nFWM  00000007 rr \n"
    said = found(TABLES, seen(servers=strange), CP)
    assert "tcp [2001:0db8:0000:0000:0000:0000:0000:0001]:80 is in the kernel and no Service's" in said
    assert "fwm 00000007:0 is in the kernel and no Service's" in said


@pytest.mark.parametrize(("mode", "section"), [("nftables", "nft"), ("iptables", "nat")])
def test_rules_that_differ_are_named(mode: str, section: str) -> None:
    text = parts(mode)[section] or ""
    gone = (
        "10.96.1.2 . 6 . 80 :"
        if mode == "nftables"
        else '-d 10.96.1.2/32 -p tcp -m comment --comment "default/sticky cluster IP" -m tcp --dport 80 -j'
    )
    assert gone in text
    said = found(TABLES, seen(mode, **{section: text.replace(gone, gone.replace("10.96.1.2", "10.96.250.2"))}), CP)
    assert "tcp 10.96.1.2:80 (default/sticky:80) is not in the kernel" in said
    assert "tcp 10.96.250.2:80 is in the kernel and no Service's" in said
    moved = found(
        TABLES, seen(mode, **{section: text.replace("10.77.0.11:6443", "10.77.0.12:6443").replace("10.77.0.11 . 6443", "10.77.0.12 . 6443")}), CP
    )
    assert moved == (
        "tcp 10.96.0.1:443 (default/kubernetes:https) lacks 10.77.0.11:6443; "
        "tcp 10.96.0.1:443 (default/kubernetes:https) sends to 10.77.0.12:6443, which is no ready endpoint"
    )


@pytest.mark.parametrize("mode", ["ipvs", "nftables", "iptables"])
def test_the_api_decides_what_is_ready(mode: str) -> None:
    slices = copy.deepcopy(recorded_json("slices.json"))
    web = next(one for one in slices["items"] if one["metadata"]["name"] == "web-x")
    web["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    assert "sends to 10.32.0.5:8080, which is no ready endpoint" in found(TABLES, seen(mode, api(slices=slices)), CP)
    web["endpoints"][1]["conditions"] = {"ready": False, "serving": False}
    # nothing is ready: what still serves while it goes is used
    assert "lacks" not in found(TABLES, seen(mode, api(slices=slices)), CP)
    assert "sends to 10.32.1.6:8080" in found(TABLES, seen(mode, api(slices=slices)), CP)


def test_hints_keep_a_node_to_its_zone_where_all_endpoints_have_them() -> None:
    slices = copy.deepcopy(recorded_json("slices.json"))
    web = next(one for one in slices["items"] if one["metadata"]["name"] == "web-x")
    near = {**SERVERS, **{name: reals[:1] for name, reals in SERVERS.items() if reals == WEB and "10.96.1.2" not in name}}
    web["endpoints"][0]["hints"] = {"forZones": [{"name": "lab"}]}
    assert "lacks" not in str(findings(TABLES, seen("ipvs", api(slices=slices))))
    web["endpoints"][1]["hints"] = {"forZones": [{"name": "elsewhere"}]}
    assert statuses(TABLES, seen("ipvs", api(slices=slices), servers=ip_vs(near))) == {CP: "passed"}
    assert "sends to 10.32.1.6:8080" in found(TABLES, seen("ipvs", api(slices=slices)), CP)


def test_services_that_kube_proxy_leaves_to_others_are_not_looked_for() -> None:
    services = recorded_json("services.json")
    services["items"] += [
        {"metadata": {"namespace": "a", "name": "headless"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}},
        {"metadata": {"namespace": "a", "name": "name"}, "spec": {"type": "ExternalName", "externalName": "x.example", "ports": [{"port": 1}]}},
        {
            "metadata": {"namespace": "a", "name": "other", "labels": {"service.kubernetes.io/service-proxy-name": "cilium"}},
            "spec": {"clusterIP": "10.96.9.9", "ports": [{"port": 1}]},
        },
    ]
    assert statuses(TABLES, seen("ipvs", api(services))) == {CP: "passed"}


@pytest.mark.parametrize(
    ("mode", "changes", "says"),
    [
        ("ipvs", {"chains": f"{OWN_CHAINS}\n:KUBE-SVC-STALE - [0:0]"}, "iptables mode's chains in table nat: KUBE-SVC-STALE"),
        ("ipvs", {"tables": "table ip nat\ntable ip kube-proxy"}, "nftables mode's table ip kube-proxy"),
        ("nftables", {"servers": ip_vs({"TCP 10.96.0.1:443": ()})}, "virtual servers of IPVS: tcp 10.96.0.1:443"),
        ("nftables", {"addresses": addresses(("10.96.0.1",))}, "IPVS mode's device kube-ipvs0 with addresses"),
        ("nftables", {"sets": "KUBE-CLUSTER-IP\nother"}, "IPVS mode's sets: KUBE-CLUSTER-IP"),
        ("nftables", {"chains": ":KUBE-SEP-A - [0:0]\n:KUBE-NODE-PORT - [0:0]"}, "iptables mode's chains in table nat: KUBE-SEP-A; "),
        ("iptables", {"tables": "table ip kube-proxy"}, "nftables mode's table ip kube-proxy"),
        ("iptables", {"servers": ip_vs({"UDP 10.96.0.10:53": ()})}, "virtual servers of IPVS: udp 10.96.0.10:53"),
    ],
)
def test_what_another_mode_left_is_named(mode: str, changes: dict[str, str | None], says: str) -> None:
    assert says in found(LEFTOVERS, seen(mode, **changes), CP)


def test_the_device_has_the_services_addresses_and_no_other() -> None:
    assert statuses(ADDRESSES, seen()) == {CP: "passed"}
    assert found(ADDRESSES, seen(addresses=addresses(DUMMY[1:])), CP) == "10.96.0.10 is missing"
    assert found(ADDRESSES, seen(addresses=addresses((*DUMMY, "10.111.0.1"))), CP) == "10.111.0.1 is no Service's"
    # a load balancer's address that the node has itself is not bound once more
    services = recorded_json("services.json")
    web = next(one for one in services["items"] if one["metadata"]["name"] == "web")
    web["status"]["loadBalancer"]["ingress"][0]["ip"] = "10.77.0.10"
    without = tuple(address for address in DUMMY if address != "10.98.0.1")
    assert statuses(ADDRESSES, seen("ipvs", api(services), addresses=addresses(without))) == {CP: "passed"}


def test_sets_name_every_port_and_empty_ones_are_not_taken_for_good() -> None:
    assert statuses(IPSETS, seen()) == {CP: "passed"}
    empty: dict[str, tuple[str, ...]] = dict.fromkeys(SETS, ())
    said = findings(IPSETS, seen(sets=ipset_save(empty)))[CP]
    assert said.found.startswith("KUBE-CLUSTER-IP lacks 10.96.0.1,tcp:443; ")
    assert "/etc/protocols" in said.remedy
    extra = {**SETS, "KUBE-NODE-PORT-TCP": (*SETS["KUBE-NODE-PORT-TCP"], "32000")}
    assert found(IPSETS, seen(sets=ipset_save(extra)), CP) == "KUBE-NODE-PORT-TCP has 32000, which is no Service's"
    gone = {name: entries for name, entries in SETS.items() if name != "KUBE-LOAD-BALANCER"}
    assert found(IPSETS, seen(sets=ipset_save(gone)), CP) == "there is no set KUBE-LOAD-BALANCER"


@pytest.mark.parametrize("check", [TABLES, LEFTOVERS, ADDRESSES, IPSETS])
def test_who_cannot_be_asked_is_not_checked(check: Any) -> None:
    both = seen_with(lab_plan(), "service-tables", parts("ipvs"), api=api())
    said = findings(check, unreachable(both, WORKER))[WORKER]
    assert (said.status, said.found) == ("not checked", "no route to host")
    blind = replace(seen(), api={}, api_errors={SERVICES: "the API does not answer"})
    expected = "passed" if check is LEFTOVERS else "not checked"
    assert statuses(check, blind) == {CP: expected}
    without: dict[str, str | None] = dict.fromkeys(parts("ipvs"))
    assert statuses(check, seen(**without)) == {CP: "not checked"}
    assert "no such thing" in findings(check, seen(**without))[CP].found


def test_an_answer_that_is_no_table_is_not_checked() -> None:
    for mode, section in (("ipvs", "servers"), ("nftables", "nft"), ("iptables", "nat")):
        said = findings(TABLES, seen(mode, **{section: "Permission denied"}))[CP]
        assert said.status == "not checked"
        assert "something else than a table" in said.found
    assert statuses(TABLES, seen("ipvs", {SERVICES: {"kind": "Status"}, SLICES: []})) == {CP: "not checked"}

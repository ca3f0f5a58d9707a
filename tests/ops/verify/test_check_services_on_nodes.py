"""services.strict-arp, .ipvs_settings, .api_answers and .dns_answers."""

import subprocess

import pytest

from ops.verify.checks import services_answers, services_sysctls
from ops.verify.model import Check, Seen
from plan import Plan
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, named, seen_with, statuses, unreachable

ARP, IPVS = (named(f"services.{name}", services_sysctls.CHECKS) for name in ("strict-arp", "ipvs-settings"))
API, DNS = (named(f"services.{name}", services_answers.CHECKS) for name in ("api-answers", "dns-answers"))
VALUES = """\
net.ipv4.conf.all.arp_ignore 1
net.ipv4.conf.all.arp_announce 2
net.ipv4.vs.conntrack 1
net.ipv4.vs.expire_nodest_conn 1
net.ipv4.vs.expire_quiescent_template 1"""
TIMEOUTS = "Timeout (tcp tcpfin udp): 900 120 300"
PASSED = {CP: "passed", WORKER: "passed"}


def sysctls(plan: Plan | None = None, **changes: str | None) -> Seen:
    own: dict[str, str | None] = {"values": VALUES, "timeouts": TIMEOUTS}
    return seen_with(plan or lab_plan(), "service-sysctls", own, others={WORKER: {**own, **changes}})


def dns_answer(address: bytes = bytes((10, 96, 0, 1)), code: int = 0, query: bytes = b"\x75\x31") -> str:
    """What CoreDNS sends, as od prints it."""
    answers = bytes.fromhex("c00c 0001 0001 0000000b 0004") + address if not code else b""
    message = query + bytes((0x85, 0x80 | code)) + bytes.fromhex(f"0001 000{int(not code)} 0000 0000")
    message += services_answers.question(lab_plan())[12:] + answers
    words = [f"{byte:02x}" for byte in message]
    return "\n".join(" " + " ".join(words[place : place + 16]) for place in range(0, len(words), 16))


def answers(**changes: str | None) -> Seen:
    own: dict[str, str | None] = {"api": "200 0.0041 0.0802", "dns": dns_answer()}
    return seen_with(lab_plan(), "service-answers", own, others={WORKER: {**own, **changes}})


def test_kube_proxys_settings_pass() -> None:
    assert statuses(ARP, sysctls()) == PASSED
    assert statuses(IPVS, sysctls()) == PASSED


@pytest.mark.parametrize(
    ("check", "old", "new", "says"),
    [
        (ARP, "arp_ignore 1", "arp_ignore 0", "net.ipv4.conf.all.arp_ignore is 0, wanted 1"),
        (ARP, "arp_announce 2", "arp_announce absent", "net.ipv4.conf.all.arp_announce is absent, wanted 2"),
        (IPVS, "vs.conntrack 1", "vs.conntrack 0", "net.ipv4.vs.conntrack is 0, wanted 1"),
        (IPVS, "nodest_conn 1", "nodest_conn 0", "net.ipv4.vs.expire_nodest_conn is 0, wanted 1"),
    ],
)
def test_another_value_is_named_by_its_check_alone(check: Check, old: str, new: str, says: str) -> None:
    said = sysctls(values=VALUES.replace(old, new))
    assert found(check, said, WORKER) == says
    assert statuses(IPVS if check is ARP else ARP, said) == PASSED


def test_declared_timeouts_are_compared_and_others_are_the_kernels() -> None:
    plan = lab_plan(kube_proxy__ipvs={"tcp_timeout_s": 3600})
    assert found(IPVS, sysctls(plan), WORKER) == "timeout tcp is 900 s, declared 3600"
    assert statuses(IPVS, sysctls(plan, timeouts=TIMEOUTS.replace("900", "3600")))[WORKER] == "passed"
    assert statuses(IPVS, sysctls(plan, timeouts=None))[WORKER] == "not checked"
    assert statuses(IPVS, sysctls(timeouts=None)) == PASSED


def test_the_checks_are_about_ipvs_and_about_what_is_declared() -> None:
    assert ARP.applies(lab_plan())
    assert not ARP.applies(lab_plan(kube_proxy__ipvs={"strict_arp": False}))
    assert IPVS.applies(lab_plan(kube_proxy__ipvs={"strict_arp": False}))
    for mode in ("nftables", "iptables"):
        assert not ARP.applies(lab_plan(kube_proxy__mode=mode))
        assert not IPVS.applies(lab_plan(kube_proxy__mode=mode))


def test_services_that_answer_pass() -> None:
    assert statuses(API, answers()) == PASSED
    assert statuses(DNS, answers()) == PASSED
    figure = findings(API, answers())[CP].figures[0]
    assert (figure.name, round(figure.value, 3), figure.unit) == ("connect to a Service", 4.1, "ms")
    # an API that wants a name for every question has answered all the same
    assert statuses(API, answers(api="401 0.0041 0.0802")) == PASSED


def test_a_service_that_does_not_answer_is_a_failure_and_not_a_gap() -> None:
    said = found(API, answers(api=None), WORKER)
    assert said == "api ended with 1: no such thing"
    assert found(API, answers(api="000 0.000 0.000"), WORKER) == "no answer over HTTPS (000 0.000 0.000)"
    assert found(DNS, answers(dns=None), WORKER) == "dns ended with 1: no such thing"
    assert statuses(DNS, answers(api=None)) == PASSED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (dns_answer(bytes((10, 96, 0, 2))), "DNS answers without 10.96.0.1"),
        (dns_answer(code=2), "DNS answers with code 2 (SERVFAIL)"),
        (dns_answer(code=3), "DNS answers with code 3 (NXDOMAIN)"),
        (dns_answer(query=b"\x00\x01"), "what came is no answer to the question"),
        ("od: not found", "no DNS answer: od: not found"),
    ],
)
def test_a_wrong_dns_answer_is_named(text: str, says: str) -> None:
    assert found(DNS, answers(dns=text), WORKER) == says


def test_the_question_is_the_one_that_dns_servers_know() -> None:
    assert services_answers.question(lab_plan()).hex() == (
        "753101000001000000000000" + "0a" + b"kubernetes".hex() + "07" + b"default".hex() + "03" + b"svc".hex() + "07" + b"cluster".hex()
        + "05" + b"local".hex() + "00" + "00010001"
    )  # fmt: skip
    script = services_answers.PROBE.script(lab_plan(), lab_plan().nodes[0])
    # the words of bash's printf are the bytes of the question, its newline among them
    written = next(line for line in script.splitlines() if "printf '\\x75" in line).split("'")[1]
    printed = subprocess.run(["bash", "-c", f"printf '{written}'"], capture_output=True, check=True).stdout
    assert printed == services_answers.question(lab_plan())
    assert b"\n" in printed


@pytest.mark.parametrize("check", [ARP, IPVS, API, DNS])
def test_a_node_that_does_not_answer_is_not_checked(check: Check) -> None:
    for whole in (sysctls(), answers()):
        assert statuses(check, unreachable(whole, WORKER))[WORKER] == "not checked"
    assert statuses(check, sysctls(values=None) if check in (ARP, IPVS) else unreachable(answers(), WORKER))[WORKER] == "not checked"

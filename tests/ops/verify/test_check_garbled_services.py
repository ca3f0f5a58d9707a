"""No judge of services, connection tracking and nodes raises for what it is given, nor passes it."""

import json
import random
import string
from typing import Any

import pytest

from ops.verify.model import Check, Said, Seen, Status
from ops.verify.registry import checks
from tests.ops.verify.made_ipvs import SERVERS, ip_vs
from tests.ops.verify.made_seen import lab_plan, recorded, recorded_json

OWN = [check for check in checks() if check.area in ("services", "conntrack", "nodes") and check.id != "nodes.reachable"]
SECTIONS = (
    *("mode", "configz", "metrics", "now", "servers", "addresses", "tables", "chains", "sets", "nft", "nat", "values", "timeouts", "api", "dns"),
    *("before", "after", "release", "cmdline", "image", "modules", "listed", "sysctls", "swaps", "files", "units", "kubelet", "flags", "keys"),
    *("tracking", "end", "/etc/kubernetes/pki/ca.crt"),
)
STRANGE: tuple[Any, ...] = tuple(
    json.loads(text)
    for text in (
        *("null", "[]", "{}", '"text"', "7", '{"items": [null, 1, "x", [], {}]}', '{"items": [{"metadata": null, "spec": [], "status": 3}]}'),
        '{"items": [{"metadata": {"name": 3, "labels": []}, "spec": {"clusterIP": "10.96.0.1", "ports": [null, {"port": "x"}, {"port": true}]}}]}',
        '{"items": [{"addressType": "IPv4", "endpoints": [null, {"addresses": [3]}], "ports": [{"port": 1}], "metadata": {"labels": {}}}]}',
        *('{"data": {"config.conf": "a: &a [*a]"}}', '{"data": {"config.conf": "conntrack: 3, ipvs: []"}}', '{"data": 3}'),
    )
)


def everywhere(text: str, modes: tuple[str, ...] = ("ipvs", "nftables", "iptables"), api: Any = None, code: int = 0) -> list[Seen]:
    """Every probe of every node says this, and every path of the API is that."""
    made: list[Seen] = []
    for mode in modes:
        plan = lab_plan(kube_proxy__mode=mode)
        keys = {probe.key for check in OWN for probe in check.probes}
        nodes = {node.name: {key: Said(output=text, exit_code=code) for key in keys} for node in plan.nodes}
        paths = {path: api for check in OWN for path in check.api_paths}
        made.append(Seen(plan=plan, nodes=nodes, api=paths, api_errors={}, clock_s=1_800_000_000))
    return made


def in_sections(text: str) -> str:
    return "".join(f"\n@@ {name}\n{text}\n" for name in SECTIONS)


def judged(check: Check, seen: Seen) -> list[Status]:
    return [finding.status for finding in check.judge(seen)]


@pytest.mark.parametrize("check", OWN, ids=lambda check: check.id)
def test_an_empty_answer_is_not_checked_anywhere(check: Check) -> None:
    for seen in everywhere(""):
        statuses = judged(check, seen)
        assert len(statuses) >= len(seen.plan.nodes)
        assert Status.PASSED not in statuses
    assert Status.PASSED not in judged(check, Seen(plan=lab_plan(), nodes={}, api={}, api_errors={}))


@pytest.mark.parametrize("check", OWN, ids=lambda check: check.id)
def test_garbled_answers_raise_nothing(check: Check) -> None:
    words = random.Random(7)  # noqa: S311 - the same garbage every time
    real = [
        recorded("nftables.txt"),
        recorded("iptables-nat.txt"),
        recorded("metrics-nftables.txt"),
        recorded("configz-nftables.json"),
        ip_vs(SERVERS),
    ]
    texts = [
        "@@",
        "@@! ",
        "\0",
        "{",
        "a\tb\tc",
        "0\t/x\t1\n9999999\t/y\t2",
        "\ud800",
        "9" * 400,
        "1,2,3",
        "-",
        "= = =",
        "table ip kube-proxy {",
        "*nat",
    ]
    for whole in real:
        texts += [whole[: len(whole) // 2], whole[len(whole) // 3 :], "".join(words.sample(whole, len(whole) // 2))]
    texts += ["".join(words.choices(string.printable, k=300)) for _ in range(5)]
    for text in texts:
        for written in (text, in_sections(text)):
            for seen in everywhere(written, modes=("ipvs",)):
                judged(check, seen)
    for text in real:
        for seen in everywhere(in_sections(text)):
            judged(check, seen)


@pytest.mark.parametrize("check", [check for check in OWN if check.api_paths], ids=lambda check: check.id)
def test_strange_documents_raise_nothing(check: Check) -> None:
    good = {"servers": ip_vs({}), "addresses": "", "sets": "", "nft": "table ip kube-proxy {\n}\n", "nat": "*nat"}
    text = "".join(f"\n@@ {name}\n{part}\n" for name, part in good.items())
    for document in (*STRANGE, recorded_json("services.json"), recorded_json("slices.json")):
        for seen in everywhere(text, api=document):
            judged(check, seen)

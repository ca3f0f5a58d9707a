"""The scripts of checks: bash and shellcheck read them; those of services, connection tracking and nodes leave this machine alone, and each names all that its judge reads."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from ops.verify.checks import conntrack_table, nodes_clock, nodes_kernel, nodes_setup, services_answers
from ops.verify.model import Said, Seen
from ops.verify.reach import SCRIPT_BYTES
from ops.verify.reading.answers import sections
from ops.verify.reading.scripts import KUBE_PROXY, SERVICE_SYSCTLS, SERVICE_TABLES
from ops.verify.registry import checks, probes
from plan import Plan
from tests.ops.verify.made_seen import CP, findings, lab_plan

OWN = {probe.key: probe for check in checks() if check.area in ("services", "conntrack", "nodes") for probe in check.probes}
READERS = {
    KUBE_PROXY.key: {"mode", "configz", "metrics", "now"},
    SERVICE_TABLES.key: {"servers", "addresses", "tables", "chains", "sets"},
    SERVICE_SYSCTLS.key: {"values", "timeouts"},
    services_answers.PROBE.key: {"api", "dns"},
    conntrack_table.TABLE.key: {"values"},
    conntrack_table.STATISTICS.key: {"before", "after"},
    nodes_kernel.PROBE.key: {"release", "cmdline", "image", "modules", "listed", "sysctls", "swaps"},
    nodes_setup.PROBE.key: {"files", "units", "image", "kubelet", "flags", "keys"},
    nodes_clock.PROBE.key: {"servers", "tracking"},
    "node-certificates": {"end"},
}


MODES = ("ipvs", "nftables", "iptables")
ASKED = ("curl", "ipvsadm", "ipset", "nft", "iptables-save", "conntrack", "chronyc", "systemctl", "sleep", "python3", "ip", "timeout")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """What a script prints here, with programs that only say that they were asked; the same script runs once."""
    stand_in = tmp_path_factory.mktemp("bin")
    (stand_in / "each").write_text('#!/bin/bash\necho "${0##*/} $*"\n')
    (stand_in / "each").chmod(0o755)
    for name in ASKED:
        (stand_in / name).symlink_to("each")
    environment = {"PATH": f"{stand_in}:/usr/bin:/bin", "LC_ALL": "C"}

    @cache
    def said(script: str) -> str:
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=True, timeout=60).stdout

    return said


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Every different script of every check, in a file: probe and number to file."""
    folder = tmp_path_factory.mktemp("scripts")
    written: dict[str, Path] = {}
    for mode in MODES:
        plan = lab_plan(kube_proxy__mode=mode)
        for key, script in {(probe.key, probe.script(plan, node)) for probe in probes(checks()) for node in plan.nodes}:
            path = folder / f"{key}-{sha256(script.encode()).hexdigest()[:8]}.sh"
            path.write_text(script)
            written[path.stem] = path
    return written


def test_bash_reads_every_script(files: Mapping[str, Path]) -> None:
    words = 'for file; do bash -n "$file" || echo "$file"; done'
    assert subprocess.run(["bash", "-c", words, "bash", *files.values()], capture_output=True, text=True, check=False).stdout == ""
    assert {probe.key for probe in probes(checks())} == {name.rpartition("-")[0] for name in files}
    assert max(path.stat().st_size for path in files.values()) < SCRIPT_BYTES


def test_shellcheck_finds_nothing_in_any_script(files: Mapping[str, Path]) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not here")
    kinds = {name.rpartition("-")[0]: path for name, path in sorted(files.items())}
    # SC2012: what is listed are numbers, in /sys
    words = ["shellcheck", "--shell=bash", "--severity=style", "--exclude=SC2012", *map(str, kinds.values())]
    answer = subprocess.run(words, text=True, capture_output=True, check=False, timeout=100)
    assert answer.returncode == 0, answer.stdout[:4000]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("key", READERS)
def test_every_part_that_a_judge_reads_is_asked_for(key: str, mode: str, run: Callable[[str], str]) -> None:
    plan = lab_plan(kube_proxy__mode=mode)
    said = sections(run(OWN[key].script(plan, plan.nodes[0])))
    more = {"nftables": {"nft"}, "iptables": {"nat"}}.get(mode, set()) if key == SERVICE_TABLES.key else set[str]()
    assert READERS[key] | more <= said.texts.keys() | said.failures.keys()


def test_a_command_that_fails_says_why_in_its_own_part() -> None:
    script = OWN["conntrack"].script(lab_plan(), lab_plan().nodes[0]).split("values()", maxsplit=1)[0]
    script += "ask one bash -c 'echo half; echo why >&2; exit 3'\nask two printf whole\nask three printf ''\n"
    said = sections(subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout)
    assert said.why("one") == "one ended with 3: half why"
    assert (said.text("one"), said.text("two"), said.text("three"), said.text("four")) == (None, "whole", "", None)


def test_the_kernel_is_read_as_it_is(run: Callable[[str], str]) -> None:
    """On this machine: values that /proc has are those that are printed."""
    plan = lab_plan(node__sysctls={"net.ipv4.conf.*.send_redirects": "0"})
    said = sections(run(nodes_kernel.PROBE.script(plan, plan.nodes[0])))
    rows = {row[1]: row[2] for line in (said.text("sysctls") or "").splitlines() if len(row := line.split("\t")) == 3}
    for path in ("kernel/panic", "net/ipv4/ip_forward", "net/ipv4/conf/all/send_redirects", "net/ipv4/conf/lo/send_redirects"):
        assert rows[f"/proc/sys/{path}"] == Path(f"/proc/sys/{path}").read_text().strip()
    assert said.text("release") == Path("/proc/sys/kernel/osrelease").read_text().strip()
    states = {line.split()[0]: line.split()[1] for line in (said.text("modules") or "").splitlines()}
    assert states["ip_vs"] in ("loaded", "absent")
    assert (said.text("swaps") or "").startswith("Filename")


def judged_clock(plan: Plan, texts: str) -> str:
    seen = Seen(plan=plan, nodes={node.name: {nodes_clock.PROBE.key: Said(output=texts, exit_code=0)} for node in plan.nodes}, api={}, api_errors={})
    return findings(nodes_clock.CHECKS[0], seen)[CP].found


@pytest.mark.engine
def test_a_real_time_server_is_asked_and_a_shifted_one_noticed(tmp_path: Path) -> None:
    """The lab's own server on loopback of a network namespace; the shift is the server's, since no clock may be set here."""
    if shutil.which("unshare") is None:
        pytest.fail("unshare is not here")
    plan = lab_plan(hypervisors__local__domain_type="kvm")
    server_address = str(plan.settings.node.time.servers[0])
    script = nodes_clock.PROBE.script(plan, plan.nodes[0])
    root = Path(__file__).parents[3]
    for shift in (0, 5):
        server = f"import sys, time; sys.path.insert(0, {str(root)!r}); now = time.time; time.time = lambda: now() + {shift}\n"
        server += f"from lab.clock import serve; serve({server_address!r})\n"
        (tmp_path / "server.py").write_text(server)
        (tmp_path / "probe.sh").write_text(script)
        inside = (
            f"ip link set lo up; ip address add {server_address}/32 dev lo; {root}/.venv/bin/python {tmp_path}/server.py & trap 'kill $!' EXIT; "
            f"until ss -Hlun | grep -q {server_address}:123; do sleep 0.1; done; bash {tmp_path}/probe.sh"
        )
        said = subprocess.run(["unshare", "--net", "bash", "-c", inside], capture_output=True, text=True, timeout=60, check=False).stdout
        server_line = next(line for line in said.splitlines() if line.startswith(f"{server_address} "))
        assert re.fullmatch(r"\S+ -?[0-9.]+ [0-9.]+", server_line), said
        assert round(float(server_line.split()[1])) == shift
        assert ("limit 500 ms" in judged_clock(plan, said)) is bool(shift)

"""What of the engine's output reaches the person, and what the table says."""

from pathlib import Path

from rich.console import Console

from lab.display import Display, Quieter
from lab.progress import readable
from lab.report import NodeFacts, from_api, node_table, own_words, times_line

AMBIENT = "warning: using pulumi-resource-random from $PATH at /x/bin/pulumi-resource-random"
ENGINE = f"""\
{AMBIENT}
Updating (lab):
    pulumi:pulumi:Stack underlay-lab  {AMBIENT}

 +  pulumi:pulumi:Stack underlay-lab creating (0s) {AMBIENT}
 +  libvirt:index:Domain lab-cp-1-domain creating (0s) \n\
@ updating......
 +  libvirt:index:Domain lab-cp-1-domain created (3.20s) \n\
 +- command:remote:Command lab-cp-1-join replaced (61s)
 +  command:remote:Command lab-cp-1-ready creating (0s) error: it broke
 +  command:remote:Command lab-cp-1-ready **creating failed** error: it broke
Diagnostics:
  pulumi:pulumi:Stack (underlay-lab):
    {AMBIENT}

  command:remote:Command (lab-cp-1-ready):
    error: it broke
    and this is why

  command:remote:Command (lab-cp-1-join):
    [certs] all is well

Resources:
    + 3 created
"""


def quiet(text: str) -> list[str]:
    said: list[str] = []
    quieter = Quieter(said.append)
    for line in text.splitlines():
        quieter.line(line)
    return said


def test_remarks_on_plugins_go_and_headings_over_nothing_with_them() -> None:
    said = "\n".join(quiet(ENGINE))
    assert AMBIENT not in said
    assert "pulumi:pulumi:Stack (underlay-lab):" not in said
    assert "Diagnostics:\n  command:remote:Command (lab-cp-1-ready):\n    error: it broke" in said


def test_colours_hide_no_remark() -> None:
    coloured = f"\x1b[38;5;13m\x1b[1mDiagnostics:\x1b[0m\n  \x1b[38;5;13mpulumi:pulumi:Stack (underlay-lab):\x1b[0m\n    \x1b[38;5;11mwarning: \x1b[0m{AMBIENT[9:]}\n"
    assert quiet(coloured) == []


REFUSED = """\
 +  libvirt:index:Domain other-worker-1-domain create error: Preview failed: it is taken
    pulumi:providers:command default_1_2_1  error: failed to run remediation: context canceled
 +  libvirt:index:Domain other-worker-1-domain create 1 error
    pulumi:providers:command default_1_2_1  1 error
Diagnostics:
  libvirt:index:Domain (other-worker-1-domain):
    error: Preview failed: it is taken

  pulumi:providers:command (default_1_2_1):
    error: failed to run remediation: context canceled
"""


def test_rules_that_a_failure_kept_from_being_asked_are_no_failures_of_their_own() -> None:
    said = "\n".join(quiet(REFUSED))
    assert said.count("Preview failed: it is taken") == 2
    assert "context canceled" not in said
    assert "pulumi:providers" not in said


def test_diagnostics_with_nothing_but_remarks_vanish_whole() -> None:
    text = f"Diagnostics:\n  pulumi:pulumi:Stack (underlay-lab):\n    {AMBIENT}\n\nResources:\n    3 unchanged\n"
    assert [line for line in quiet(text) if line.strip()] == ["Resources:", "    3 unchanged"]


def test_the_short_form_shows_what_ended_and_the_log_has_all(tmp_path: Path) -> None:
    said: list[str] = []
    notes: list[str] = []
    display = Display(say=said.append, note=notes.append, log=tmp_path / "log" / "up.log", verbose=False)
    for line in ENGINE.splitlines():
        display.line(line)
    display.close()
    assert said[:2] == ["  + Domain lab-cp-1-domain created (3.20s)", "  +- Command lab-cp-1-join replaced (61s)"]
    assert said[-5:] == [
        "    command:remote:Command (lab-cp-1-ready):",
        "      error: it broke",
        "      and this is why",
        "  Resources:",
        "      + 3 created",
    ]
    assert notes[0] == "Domain lab-cp-1-domain"
    assert notes[-1] == "Command lab-cp-1-ready"
    assert (tmp_path / "log" / "up.log").read_text() == ENGINE


ANSWER = """\
proxy mode: ipvs
kernel: 6.1.0-56-cloud-amd64
conntrack max: 131072
virtual servers:
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:443 lc
  -> 10.77.0.11:6443              Masq    1      0          0
UDP  10.96.0.10:53 lc
"""


def test_a_nodes_own_words_are_read() -> None:
    assert own_words(ANSWER) == ("ipvs", "6.1.0-56-cloud-amd64", "131072", "2 (lc)")


def test_a_node_without_kube_proxy_or_virtual_servers_is_told_apart_from_one_that_does_not_answer() -> None:
    assert own_words("proxy mode: \nkernel: 6.1.0\nconntrack max: 1024\nvirtual servers:\nIP Virtual Server version 1.2.1 (size=4096)\n") == (
        "?",
        "6.1.0",
        "1024",
        "0",
    )
    assert own_words("") == ("?", "?", "?", "?")


def test_readiness_is_the_condition_and_nothing_else() -> None:
    node = {
        "status": {
            "conditions": [{"type": "MemoryPressure", "status": "True"}, {"type": "Ready", "status": "False"}],
            "nodeInfo": {"kubeletVersion": "v1"},
        }
    }
    assert from_api(node) == ("no", "v1")
    assert from_api({}) == ("unknown", "?")


def test_the_table_has_a_line_for_each_node_with_all_its_facts() -> None:
    facts = NodeFacts(
        name="lab-cp-1",
        ready="yes",
        kubernetes="v1.36.3",
        kernel="6.1.0-56-cloud-amd64",
        proxy_mode="ipvs",
        virtual_servers="3 (rr)",
        conntrack_max="131072",
    )
    console = Console(width=80, record=True, quiet=False, file=Path("/dev/null").open("w"))  # noqa: SIM115
    console.print(node_table([facts]))
    lines = console.export_text().splitlines()
    console.file.close()
    assert all(value in line for line in lines if "lab-cp-1" in line for value in vars(facts).values())
    assert sum("lab-cp-1" in line for line in lines) == 1


def test_times_add_up() -> None:
    assert times_line({"image": 61.0, "pulumi up": 30.5}) == "image 1 min 01 s · pulumi up 30.5 s · total 1 min 31 s"
    assert readable(59.94) == "59.9 s"

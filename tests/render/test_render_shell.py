"""Every script, read by bash and by shellcheck."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from render_plans import CA_HASH, KEY, TOKEN, full, lab, node

from plan import NodePlan, Plan
from render import node_files, scripts

FULL, LAB = full(), lab()
DISKS = full(control_plane__etcd_disk={"kind": "volume", "size_gib": 8}, control_plane__containerd_disk={"kind": "volume", "size_gib": 60})


def run(*command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, timeout=60)


def shell_texts() -> dict[str, str]:
    plans = (FULL, LAB, DISKS, full(kube_proxy__mode="nftables"), full(kube_proxy__mode="iptables"))
    return {f"{each.name}-{name}": text for plan in plans for each in plan.nodes for name, text in scripts_of(plan, each).items()}


def scripts_of(plan: Plan, each: NodePlan) -> dict[str, str]:
    first = each == plan.control_planes[0]
    texts = {
        "prepare": scripts.prepare(plan, each, authorized_key=KEY),
        "pki": scripts.pki(plan, each, files={"/etc/kubernetes/pki/ca.key": "KEY\n"}),
        "kubeadm": scripts.init(plan, each, token=TOKEN) if first else scripts.join(plan, each, token=TOKEN, ca_hash=CA_HASH),
        f"ready-{plan.settings.kube_proxy.mode}": scripts.ready(plan, each),
        "member": scripts.member(plan, each),
        "schedulable": scripts.schedulable(plan, each),
    }
    programs = {file.path.rsplit("/", 1)[1]: file.text for file in node_files.node_files(plan, each, authorized_key=KEY) if file.mode == "0755"}
    return texts | programs


def test_bash_reads_every_script() -> None:
    for name, text in shell_texts().items():
        answer = run("bash", "-n", stdin=text)
        assert answer.returncode == 0, f"{name}: {answer.stderr}"


def test_shellcheck_finds_nothing(program: Callable[[str], str], tmp_path: Path) -> None:
    # every kind of script once: a control plane's, a joining worker's, each mode's `ready`
    kinds = {**scripts_of(FULL, FULL.nodes[0]), "join": scripts_of(FULL, node(FULL, "web-1"))["kubeadm"]}
    kinds["prepare-disks"] = scripts_of(DISKS, DISKS.nodes[0])["prepare"]
    for mode in ("nftables", "iptables"):
        plan = full(kube_proxy__mode=mode)
        kinds |= {name: text for name, text in scripts_of(plan, plan.nodes[0]).items() if name.startswith("ready")}
    for name, text in kinds.items():
        (tmp_path / f"{name}.sh").write_text(text)
    # SC2317: it does not see that `trap` calls on_exit
    answer = run(program("shellcheck"), "--shell=bash", "--severity=style", "--exclude=SC2317", *map(str, tmp_path.glob("*.sh")))
    assert answer.returncode == 0, answer.stdout[:4000]

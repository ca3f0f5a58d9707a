"""kubeadm's script, really run with a recorded kubeadm: once, twice, broken off, finished later, and never with its token in sight."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from node_sandbox import Sandbox
from render_plans import CA_HASH, TOKEN, full, node

from render import kubeadm, scripts

FULL = full()
INIT = scripts.init(FULL, FULL.nodes[0], token=TOKEN)
JOIN = scripts.join(FULL, node(FULL, "web-1"), token=TOKEN, ca_hash=CA_HASH)
JOIN_CONTROL_PLANE = scripts.join(FULL, node(FULL, "cp-2"), token=TOKEN, ca_hash=CA_HASH)
CONFIG, STARTED, FINISHED = (f"etc/underlay/kubeadm.{end}" for end in ("yaml", "started", "finished"))


def kubeadm_calls(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("kubeadm ")]


@pytest.mark.parametrize(("script", "verb"), [(INIT, "init"), (JOIN, "join"), (JOIN_CONTROL_PLANE, "join")])
def test_a_first_run_ignores_no_preflight_error(sandbox: Sandbox, script: str, verb: str) -> None:
    run = sandbox.run(script)
    assert run.code == 0, run.err
    assert kubeadm_calls(run.calls) == [f"kubeadm {verb} --config /etc/underlay/kubeadm.yaml" + (" --skip-token-print" if verb == "init" else "")]
    assert f"[{verb}] kubeadm at work" in run.out
    assert "systemctl start kubelet" in run.calls


def test_the_configuration_with_the_token_goes_when_kubeadm_is_done(sandbox: Sandbox) -> None:
    run = sandbox.run(JOIN)
    assert (sandbox.root / FINISHED).exists()
    assert not (sandbox.root / CONFIG).exists()
    left = [path for path in sandbox.root.rglob("*") if path.is_file() and "usr" not in path.parts and TOKEN in path.read_text(errors="replace")]
    assert left == []
    assert TOKEN not in run.out + run.err + "".join(run.calls)


def test_a_second_run_does_not_call_kubeadm(sandbox: Sandbox) -> None:
    sandbox.run(INIT)
    (sandbox.root / "fake/active/kubelet").unlink()
    again = sandbox.run(INIT)
    assert again.code == 0
    assert again.calls == ["systemctl is-active --quiet kubelet", "systemctl start kubelet"]
    assert sandbox.run(INIT).calls == ["systemctl is-active --quiet kubelet"]


def test_a_failure_names_the_node_and_shows_the_end_of_the_logs(sandbox: Sandbox) -> None:
    sandbox.write("fake/kubeadm-fails", "")
    run = sandbox.run(INIT)
    assert run.code == 3
    assert "underlay: oslo-cp-1: step 'kubeadm init' failed (exit 3)" in run.err
    assert "error: preflight checks failed" in run.err
    assert run.err.count("journal line") == 20
    assert TOKEN not in run.out + run.err
    assert sandbox.mode(CONFIG) == "600"
    assert sandbox.mode("var/log/underlay-kubeadm.log") == "600"


def ignored(calls: list[str]) -> set[str]:
    (call,) = kubeadm_calls(calls)
    (flag,) = [word for word in call.split() if word.startswith("--ignore-preflight-errors=")]
    return set(flag.partition("=")[2].split(","))


def test_a_broken_off_init_ignores_what_it_left_and_nothing_else(sandbox: Sandbox) -> None:
    failing = sandbox.write("fake/kubeadm-fails", "")
    sandbox.run(INIT)
    failing.unlink()
    sandbox.write("etc/kubernetes/pki/apiserver.crt", "")
    kept = sandbox.write("etc/kubernetes/pki/ca.crt", "CA\n")
    run = sandbox.run(INIT)
    assert run.code == 0, run.err
    assert "finishing a kubeadm init that was broken off" in run.out
    assert not (sandbox.root / "etc/kubernetes/pki/apiserver.crt").exists()
    assert kept.read_text() == "CA\n"
    names = ignored(run.calls)
    assert {name for name in names if name.startswith("FileAvailable")} == {
        f"FileAvailable--etc-kubernetes-manifests-{component}.yaml" for component in kubeadm.COMPONENTS
    }
    assert names & {"NumCPU", "Mem", "Swap", "all", "CRI", "SystemVerification", "KubeletVersion"} == set()
    assert "DirAvailable--var-lib-etcd" in names


def test_a_broken_off_join_skips_what_kubelet_has_done(sandbox: Sandbox) -> None:
    failing = sandbox.write("fake/kubeadm-fails", "")
    sandbox.run(JOIN)
    again = sandbox.run(JOIN)
    assert "--skip-phases" not in kubeadm_calls(again.calls)[0]
    assert not any("etcd" in name for name in ignored(again.calls))
    sandbox.write("etc/kubernetes/kubelet.conf", "server: https://x\n")
    sandbox.write("var/lib/kubelet/pki/kubelet-client-current.pem", "PEM\n")
    failing.unlink()
    last = sandbox.run(JOIN)
    assert last.code == 0, last.err
    assert kubeadm_calls(last.calls)[0].endswith(" --skip-phases=kubelet-start")
    assert last.calls.index("systemctl start kubelet") < last.calls.index(kubeadm_calls(last.calls)[0])


def test_kubeadm_outlives_the_connection_and_the_next_run_waits_for_it(sandbox: Sandbox) -> None:
    sandbox.write("fake/kubeadm-seconds", "3\n")
    first = sandbox.start(INIT)
    until(lambda: bool(kubeadm_calls(sandbox.calls())))
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert not (sandbox.root / FINISHED).exists()
    run = sandbox.run(INIT)
    assert run.code == 0, run.err
    assert "an earlier run is still at work" in run.out
    assert len(kubeadm_calls(sandbox.calls())) == 1
    assert (sandbox.root / FINISHED).exists()


def test_kubeadm_killed_with_its_script_is_finished_by_the_next_run(sandbox: Sandbox) -> None:
    seconds = sandbox.write("fake/kubeadm-seconds", "30\n")
    sandbox.program("kubeadm", (sandbox.root / "local/sbin/kubeadm").read_text().replace("#!/bin/bash", "#!/bin/bash\necho $$ >/fake/kubeadm-pid", 1))
    first = sandbox.start(INIT)
    until(lambda: bool(kubeadm_calls(sandbox.calls())))
    os.kill(int(sandbox.read("fake/kubeadm-pid")), signal.SIGKILL)
    out, err = first.communicate(timeout=30)
    assert first.returncode == 137, out
    assert "step 'kubeadm init' failed (exit 137)" in err
    seconds.unlink()
    run = sandbox.run(INIT)
    assert run.code == 0, run.err
    assert "broken off" in run.out
    assert len(kubeadm_calls(sandbox.calls())) == 2


def test_pki_writes_its_files_for_root_alone(sandbox: Sandbox) -> None:
    files = {"/etc/kubernetes/pki/etcd/ca.key": "SECRET $(touch /pwned) `x` \\n 'q'\n", kubeadm.ENCRYPTION_FILE: kubeadm.encryption_config("a2V5")}
    script = scripts.pki(FULL, FULL.nodes[0], files=files)
    run = sandbox.run(script)
    assert run.code == 0, run.err
    for path, text in files.items():
        assert sandbox.read(path[1:]) == text
        assert sandbox.mode(path[1:]) == "600"
    assert sandbox.mode("etc/kubernetes/pki/etcd") == "700"
    assert not (sandbox.root / "pwned").exists()
    assert "SECRET" not in run.out + run.err
    assert [line for line in sandbox.run(script).out.splitlines() if "wrote" in line] == []


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Waits for something that another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)

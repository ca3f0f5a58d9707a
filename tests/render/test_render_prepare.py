"""The script `prepare`, really run: what it changes, that it changes nothing twice, and what it says when it cannot."""

import fcntl
import re
import time

import pytest
from node_sandbox import Run, Sandbox
from render_plans import KEY, full, lab, node

from plan import NodePlan, Plan
from render import node_files, scripts

FULL = full()
CP, WEB = node(FULL, "cp-1"), node(FULL, "web-1")


def script(plan: Plan = FULL, each: NodePlan = CP) -> str:
    return scripts.prepare(plan, each, authorized_key=KEY)


@pytest.fixture
def machine(sandbox: Sandbox) -> Sandbox:
    """A freshly booted node: every sysctl at a value that nobody declares."""
    paths = {sysctl.path: "77" for sysctl in node_files.sysctls(FULL)} | {"net/ipv4/conf/lo/send_redirects": "77"}
    paths.pop("net/ipv4/conf/*/send_redirects")
    sandbox.kernel(paths)
    return sandbox


def changes(run: Run) -> list[str]:
    return [line for line in run.out.splitlines() if "prepared in" not in line]


def test_a_fresh_node_gets_everything(machine: Sandbox) -> None:
    run = machine.run(script())
    assert (run.code, run.err) == (0, "")
    for file in node_files.node_files(FULL, CP, authorized_key=KEY):
        place = f"local/{file.path.removeprefix('/usr/local/')}" if file.path.startswith("/usr/local/") else file.path[1:]
        assert machine.read(place) == file.text, file.path
        assert machine.mode(place) == file.mode[1:], file.path
    for sysctl in node_files.sysctls(FULL):
        if "*" not in sysctl.name:
            assert machine.read(f"proc/sys/{sysctl.path}").split() == sysctl.value.split(), sysctl.name
    assert machine.read("proc/sys/net/ipv4/conf/lo/send_redirects").strip() == "0"
    assert machine.read("sys/module/nf_conntrack/parameters/hashsize").strip() == str(FULL.conntrack.buckets)
    assert machine.read("etc/modules-load.d/underlay.conf").split("\n")[1:-1] == list(node_files.modules(FULL))
    assert (machine.root / "etc/systemd/system/multi-user.target.wants/keepalived.service").is_symlink()
    for unit, verb in (("containerd", "restart"), ("chrony", "restart"), ("keepalived", "reload-or-restart")):
        assert f"systemctl {verb} {unit}" in run.calls


def test_the_second_run_changes_nothing(machine: Sandbox) -> None:
    machine.run(script())
    again = machine.run(script())
    assert again.code == 0
    assert changes(again) == []
    assert [call for call in again.calls if not call.startswith("systemctl is-active")] == []


def test_a_worker_gets_neither_keepalived_nor_leave(machine: Sandbox) -> None:
    run = machine.run(script(FULL, WEB))
    assert run.code == 0, run.err
    assert not (machine.root / "etc/keepalived/keepalived.conf").exists()
    assert not (machine.root / "local/lib/underlay").exists()
    assert [call for call in run.calls if "keepalived" in call] == []


def test_an_endpoint_that_moves_to_a_load_balancer_stops_keepalived(machine: Sandbox) -> None:
    machine.run(script())
    elsewhere = full(cluster__endpoint={"address": "10.20.0.10", "held_by": "external"})
    run = machine.run(script(elsewhere, node(elsewhere, "cp-1")))
    assert run.code == 0, run.err
    assert "systemctl stop keepalived" in run.calls
    assert not (machine.root / "etc/keepalived/keepalived.conf").exists()
    assert changes(machine.run(script(elsewhere, node(elsewhere, "cp-1")))) == []


def test_only_what_reads_a_changed_file_is_restarted(machine: Sandbox) -> None:
    machine.run(script())
    other_clock = full(node__time={"servers": ["10.20.0.9"]})
    run = machine.run(script(other_clock, node(other_clock, "cp-1")))
    assert [call for call in run.calls if "is-active" not in call] == ["systemctl restart chrony"]
    assert len(changes(run)) == 2


def test_a_restart_that_failed_is_made_up_for(machine: Sandbox) -> None:
    broken = machine.write("fake/broken/containerd", "")
    first = machine.run(script())
    assert first.code != 0
    assert "step 'start containerd' failed (exit 1)" in first.err
    assert "Job for containerd.service failed." in first.err
    assert first.err.count("journal line") == 20
    (machine.root / "fake/active/containerd").touch()  # it still runs with its old configuration
    broken.unlink()
    second = machine.run(script())
    assert second.code == 0, second.err
    assert "systemctl restart containerd" in second.calls
    assert not [call for call in machine.run(script()).calls if "restart containerd" in call]


def test_more_connections_change_the_running_kernel_and_restart_nothing(machine: Sandbox) -> None:
    machine.run(script())
    larger = full(node__conntrack={"max_entries": 2_097_152, "tcp_be_liberal": True})
    run = machine.run(script(larger, node(larger, "cp-1")))
    assert run.code == 0, run.err
    assert machine.read("proc/sys/net/netfilter/nf_conntrack_max").strip() == "2097152"
    assert machine.read("sys/module/nf_conntrack/parameters/hashsize").strip() == "524288"
    assert f"hashsize={larger.conntrack.buckets}" in machine.read("etc/modprobe.d/underlay.conf")
    assert [call for call in run.calls if "is-active" not in call] == []


def test_a_file_with_the_wrong_mode_is_put_right(machine: Sandbox) -> None:
    machine.run(script())
    (machine.root / "root/.ssh/authorized_keys").chmod(0o666)
    run = machine.run(script())
    assert changes(run) == ["underlay: oslo-cp-1: wrote /root/.ssh/authorized_keys"]
    assert machine.mode("root/.ssh/authorized_keys") == "600"


def test_an_image_of_another_kubernetes_is_refused(machine: Sandbox) -> None:
    machine.write("etc/underlay/image.json", '{\n  "kubernetes": "1.35.9",\n  "parts": []\n}\n')
    run = machine.run(script())
    assert run.code == 1
    assert "the image holds Kubernetes 1.35.9, cluster.kubernetes_version is 1.36.3" in run.err
    assert "step 'check the node image' failed" in run.err
    assert changes(run) == []


@pytest.mark.parametrize("name", ["ip_vs_sh", "vfio_pci"])
def test_a_required_module_that_the_kernel_lacks_is_an_error(machine: Sandbox, name: str) -> None:
    machine.write(f"fake/no-module/{name}", "")
    run = machine.run(script())
    assert run.code == 1
    assert f"kernel 6.1.0-test cannot load {name}" in run.err


def test_a_scheduler_that_the_kernel_lacks_is_left_out(machine: Sandbox) -> None:
    machine.write("fake/no-module/ip_vs_mh", "")
    run = machine.run(script())
    assert run.code == 0, run.err
    assert "does without ip_vs_mh" in run.out
    assert "ip_vs_mh" not in machine.read("etc/modules-load.d/underlay.conf").split()


def test_a_built_in_module_counts_as_loaded(machine: Sandbox) -> None:
    machine.kernel({}, builtin=("vfio-pci", "overlay"))
    run = machine.run(script())
    asked = next(call for call in run.calls if call.startswith("modprobe")).split()
    assert "overlay" not in asked
    assert "vfio_pci" not in asked
    assert "ip_vs" in asked


def test_an_old_kernel_gets_its_own_conntrack_module(machine: Sandbox) -> None:
    machine.write("proc/sys/kernel/osrelease", "4.18.0-5-amd64\n")
    run = machine.run(script())
    assert "nf_conntrack_ipv4" in next(call for call in run.calls if call.startswith("modprobe")).split()
    assert "nf_conntrack_ipv4" in machine.read("etc/modules-load.d/underlay.conf").split()


def test_a_sysctl_that_the_kernel_has_not_is_an_error(machine: Sandbox) -> None:
    plan = full(node__sysctls={"net.ipv4.no_such_thing": "1"})
    run = machine.run(script(plan, node(plan, "cp-1")))
    assert run.code == 1
    assert "sysctl net.ipv4.no_such_thing: this kernel has no net/ipv4/no_such_thing" in run.err


def test_a_sysctl_that_the_kernel_does_not_keep_is_an_error(machine: Sandbox) -> None:
    path = machine.root / "proc/sys/net/core/somaxconn"
    path.unlink()
    path.symlink_to("/dev/null")
    run = machine.run(script())
    assert run.code == 1
    assert "sysctl net.core.somaxconn: the kernel keeps , wanted 32768" in run.err


def test_a_sysctl_that_the_kernel_refuses_is_an_error(machine: Sandbox) -> None:
    # /dev/full refuses every byte; only the write goes there, since reading it never ends
    refusing = script().replace('2>/dev/null >"$path"', "2>/dev/null >/dev/full")
    assert refusing != script()
    run = machine.run(refusing)
    assert run.code == 1
    assert "sysctl net.ipv4.ip_forward: the kernel refuses 1" in run.err


def test_swap_is_turned_off_now_and_at_the_next_boot(machine: Sandbox) -> None:
    machine.write("proc/swaps", "Filename Type Size Used Priority\n/dev/vdc partition 1 0 -2\n")
    machine.write("etc/fstab", "LABEL=root / ext4 noatime 0 1\n# a comment\n/dev/vdc none swap sw 0 0")
    run = machine.run(script())
    assert "swapoff --all" in run.calls
    assert machine.read("etc/fstab") == (
        "LABEL=root / ext4 noatime 0 1\n# a comment\n# underlay: no swap on a Kubernetes node: /dev/vdc none swap sw 0 0\n"
    )
    assert changes(machine.run(script())) == []


def test_cloud_init_is_waited_for_within_bounds(machine: Sandbox) -> None:
    (machine.root / "run/cloud-init/result.json").unlink()
    machine.write("run/cloud-init/status.json", '{"v1": {"stage": "modules-final", "init-local": {"errors": [], "finished": 1.0}}}')
    hurried = script().replace(f"SECONDS < {FULL.settings.cluster.timeouts.boot_s}", "SECONDS < 0")
    assert hurried != script()
    run = machine.run(hurried)
    assert run.code == 1
    assert "cloud-init has not finished after 300 s (cluster.timeouts.boot_s)" in run.err


def test_cloud_init_of_one_stage_is_done_when_that_stage_is(machine: Sandbox) -> None:
    (machine.root / "run/cloud-init/result.json").unlink()
    (machine.root / "etc/systemd/system/cloud-final.service").symlink_to("/dev/null")
    machine.write("run/cloud-init/status.json", '{"v1": {"stage": null, "init-local": {"errors": [], "finished": 1700000000.5}}}')
    assert machine.run(script()).code == 0


def test_an_error_of_cloud_init_is_reported(machine: Sandbox) -> None:
    machine.write("run/cloud-init/status.json", '{"v1": {"stage": null, "init-local": {"errors": ["no seed found"], "finished": 1.0}}}')
    run = machine.run(script())
    assert run.code == 1
    assert 'cloud-init reports "no seed found"' in run.err


def test_containerd_without_its_socket_is_an_error(machine: Sandbox) -> None:
    (machine.root / "run/containerd/containerd.sock").unlink()
    run = machine.run(script())
    assert run.code == 1
    assert "without its socket" in run.err


def test_a_run_waits_for_an_earlier_one_and_not_for_ever(machine: Sandbox) -> None:
    lock = machine.write("run/lock/underlay", "")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        hurried = re.sub(r"lock underlay \d+", "lock underlay 1", script())
        run = machine.run(hurried)
        assert run.code == 1
        assert "an earlier run is still at work" in run.out
        assert "an earlier run still held /run/lock/underlay after 1 s" in run.err
        waiting = machine.start(script())
        time.sleep(1)
        assert waiting.poll() is None
        fcntl.flock(held, fcntl.LOCK_UN)
        out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert "prepared in" in out


def test_a_run_killed_anywhere_is_finished_by_the_next(machine: Sandbox) -> None:
    for delay in (0.02, 0.05, 0.1, 0.2, 0.3):
        process = machine.start(script())
        time.sleep(delay)
        process.kill()
        process.communicate()
    run = machine.run(script())
    assert run.code == 0, run.err
    for file in node_files.node_files(FULL, CP, authorized_key=KEY):
        if not file.path.startswith("/usr/local/"):
            assert machine.read(file.path[1:]) == file.text
    assert not list((machine.root / "run/underlay").glob("restart-*"))
    assert changes(machine.run(script())) == []


def test_the_lab_is_prepared_too(machine: Sandbox) -> None:
    plan = lab()
    machine.kernel({sysctl.path: "77" for sysctl in node_files.sysctls(plan)})
    for each in plan.nodes:
        run = machine.run(scripts.prepare(plan, each, authorized_key=KEY))
        assert run.code == 0, run.err

"""Data disks on a node: the script `prepare`, really run, on loop devices with real file systems."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_sandbox import Run, Sandbox
from render_plans import KEY, full, lab, node

from plan import Plan
from render import data_disks, node_files, scripts

VOLUME = {"kind": "volume", "size_gib": 8}
PLAN = full(control_plane__etcd_disk=VOLUME, control_plane__containerd_disk=VOLUME)
CP = node(PLAN, "cp-1")
ETCD, IMAGES = data_disks.data_disks(CP)
# what systemd does with the units that were written, and `reload` as what makes it know them
SYSTEMCTL = r"""#!/bin/bash
printf '%s\n' "systemctl $*" >>/calls
mounted() { [[ $(stat -c %d "$1") != "$(stat -c %d "${1%/*}")" ]]; }
needs() { sed -n 's/^RequiresMountsFor=//p' "/etc/systemd/system/$1.service.d/20-underlay-disks.conf" 2>/dev/null; }
up() {
  local unit=/etc/systemd/system/$1 place what device
  place=$(sed -n 's/^Where=//p' "$unit") what=$(sed -n 's/^What=//p' "$unit")
  mounted "$place" && return
  device=$(</fake/devices/$1)
  [[ /dev/disk/by-label/$(e2label "$device" 2>/dev/null) == "$what" ]] || { echo "Timed out waiting for device $what." >&2; return 1; }
  mount -t ext4 "$device" "$place"
}
case $1 in
  is-active) [[ -e /fake/active/${!#} ]];;
  start|restart|reload-or-restart)
    if [[ $2 == *.mount ]]; then up "$2"; exit; fi
    for place in $(needs "$2"); do name=${place#/}; up "${name//\//-}.mount" || { echo "Dependency failed for $2.service." >&2; exit 1; }; done
    : >"/fake/active/$2";;
  stop) shift; for name; do rm -f "/fake/active/$name"; done;;
esac
"""


class Node(Sandbox):
    """A node with two disks. Every run has a mount namespace of its own, so that each begins as after a boot without the disks' units."""

    devices: dict[str, str]
    """Loop device of each purpose."""

    def attach(self, folder: Path) -> None:
        """Two blank disks."""
        for disk in (ETCD, IMAGES):
            self.devices[disk.purpose] = loop_device(folder / disk.purpose)
        self.program("systemctl", SYSTEMCTL)
        for disk in (ETCD, IMAGES):
            self.write(f"fake/devices/{disk.unit}", self.devices[disk.purpose])

    def script(self, plan: Plan = PLAN, look: str = "") -> str:
        """`prepare` with the loop devices for the guest's disks, and at its end what is to be looked at."""
        text = scripts.prepare(plan, node(plan, "cp-1"), authorized_key=KEY)
        for disk in (ETCD, IMAGES):
            text = text.replace(disk.device, self.devices[disk.purpose])
        return text.replace('  say "prepared in', f'{look}\n  say "prepared in')

    def contents(self, purpose: str) -> dict[str, str]:
        """Files on a disk."""
        script = f'mount -t ext4 -o ro {self.devices[purpose]} /tmp && cd /tmp && find . -type f -printf "%P\\n"'
        names = self.run(script).out.split()
        return {name: self.run(f'mount -t ext4 -o ro {self.devices[purpose]} /tmp && cat "/tmp/{name}"').out for name in names}

    def label(self, purpose: str) -> str:
        """Label of the file system on a disk; empty: none."""
        return subprocess.run(["e2label", self.devices[purpose]], text=True, capture_output=True, check=False).stdout.strip()


def loop_device(path: Path) -> str:
    with path.open("wb") as file:
        file.truncate(24 * 2**20)
    made = subprocess.run(["losetup", "--find", "--show", str(path)], text=True, capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"a disk needs a loop device: {made.stderr.strip()}")
    return made.stdout.strip()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Node]:
    if os.geteuid() != 0:
        pytest.skip("a node's root folder needs root (unshare --mount, chroot)")
    made = Node(tmp_path)
    made.devices = {}
    try:
        made.attach(tmp_path)
        made.kernel({sysctl.path: "77" for sysctl in node_files.sysctls(PLAN)} | {"net/ipv4/conf/lo/send_redirects": "77"})
        made.write("fake/active/containerd", "")
        made.write("var/lib/containerd/images/one", "layers")
        yield made
    finally:
        for device in made.devices.values():
            subprocess.run(["losetup", "--detach", device], check=False)


def changes(run: Run) -> list[str]:
    return [line for line in run.out.splitlines() if "prepared in" not in line]


def joined(machine: Node) -> None:
    """Makes it a member with its data on the root disk, and kubelet running."""
    machine.write("etc/underlay/kubeadm.finished", "")
    machine.write("var/lib/kubelet/config.yaml", "")
    machine.write("fake/active/kubelet", "")
    machine.write("var/lib/etcd/member/snap/db", "all keys")


def test_blank_disks_become_file_systems_with_what_the_image_brought(machine: Node) -> None:
    run = machine.run(machine.script(look='stat -c "%a %n" /var/lib/etcd /var/lib/containerd'))
    assert (run.code, run.err) == (0, "")
    assert "700 /var/lib/etcd" in run.out
    assert machine.contents("containerd") == {"images/one": "layers"}
    assert machine.contents("etcd") == {}
    assert (machine.label("etcd"), machine.label("containerd")) == (ETCD.label, IMAGES.label)
    assert not (machine.root / "var/lib/containerd.before").exists()
    stopped, restarted = run.calls.index("systemctl stop kubelet containerd"), run.calls.index("systemctl restart containerd")
    assert run.calls.index("systemctl daemon-reload") < stopped < run.calls.index(f"systemctl start {IMAGES.unit}") < restarted
    assert "systemctl start kubelet" not in run.calls, "kubeadm has not run yet"


def test_an_empty_disk_for_etcd_is_empty_as_kubeadm_asks(machine: Node) -> None:
    run = machine.run(machine.script(look="ls -A /var/lib/etcd | sed 's/^/found /'"))
    assert run.code == 0, run.err
    assert "found" not in run.out


def test_after_a_boot_the_disks_are_mounted_and_nothing_else_changes(machine: Node) -> None:
    machine.run(machine.script())
    again = machine.run(machine.script())
    assert again.code == 0, again.err
    assert changes(again) == []
    assert [call for call in again.calls if "is-active" not in call] == [f"systemctl start {ETCD.unit}", f"systemctl start {IMAGES.unit}"]
    assert machine.contents("containerd") == {"images/one": "layers"}


def test_the_second_run_on_a_running_node_touches_no_disk(machine: Node) -> None:
    script = machine.script()
    both = f"bash -s <<'UNDERLAY_ONE'\n{script}\nUNDERLAY_ONE\n: >/calls\nbash -s <<'UNDERLAY_TWO'\n{script}\nUNDERLAY_TWO\n"
    run = machine.run(both)
    assert run.code == 0, run.err
    assert [call for call in machine.calls() if "is-active" not in call] == []


def test_a_member_gets_its_data_onto_the_new_disk_while_nothing_writes(machine: Node) -> None:
    joined(machine)
    group = machine.root / "sys/fs/cgroup/kubepods.slice"
    group.mkdir(parents=True)
    (group / "cgroup.kill").write_text("")
    (group / "cgroup.events").write_text("populated 0\nfrozen 0\n")
    run = machine.run(machine.script(look="cat /var/lib/etcd/member/snap/db; echo"))
    assert (run.code, run.err) == (0, "")
    assert "all keys" in run.out
    assert machine.contents("etcd") == {"member/snap/db": "all keys"}
    assert (group / "cgroup.kill").read_text() == "1\n"
    assert not list((machine.root / "var/lib/etcd").iterdir()), "no old member is left on the bare root directory"
    assert (
        run.calls.index("systemctl stop kubelet containerd")
        < run.calls.index("systemctl restart containerd")
        < run.calls.index("systemctl start kubelet")
    )


def test_a_disk_with_anything_on_it_is_refused_before_anything_stops(machine: Node) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-L", "payroll", machine.devices["containerd"]], check=True)
    joined(machine)
    run = machine.run(machine.script())
    assert run.code == 1
    assert "carries ext4" in run.err
    assert "payroll" in run.err
    assert f"wipefs --all {machine.devices['containerd']}" in run.err
    assert machine.label("containerd") == "payroll"
    assert machine.label("etcd") == "", "nothing is made on the other disk either"
    assert not [call for call in run.calls if "stop" in call]
    assert not (machine.root / "etc/systemd/system" / ETCD.unit).exists()


def test_another_nodes_disk_is_refused_though_underlay_made_it(machine: Node) -> None:
    other = data_disks.data_disks(node(PLAN, "cp-2"))[0]
    subprocess.run(["mkfs.ext4", "-q", "-U", other.uuid, "-L", other.label, machine.devices["etcd"]], check=True)
    run = machine.run(machine.script())
    assert run.code == 1
    assert f"{other.uuid} {other.label}, which is not this node's" in run.err


def test_a_partition_table_is_no_blank_disk(machine: Node) -> None:
    subprocess.run(["sfdisk", "--quiet", machine.devices["etcd"]], input="label: gpt\n", text=True, check=True)
    run = machine.run(machine.script())
    assert run.code == 1
    assert "carries gpt" in run.err


def test_a_member_whose_disk_was_swapped_for_a_blank_one_does_not_start_without_its_data(machine: Node) -> None:
    machine.run(machine.script())
    machine.write("etc/underlay/kubeadm.finished", "")
    subprocess.run(["wipefs", "--quiet", "--all", machine.devices["etcd"]], check=True)
    run = machine.run(machine.script())
    assert run.code == 1
    assert "is blank, and this node has its etcd elsewhere" in run.err
    assert machine.label("etcd") == ""


def test_what_an_earlier_root_volume_left_on_the_disk_is_not_taken_for_this_ones(machine: Node) -> None:
    joined(machine)
    machine.run(machine.script())
    assert machine.contents("etcd")
    for name in (ETCD.unit, IMAGES.unit, "kubelet.service.d/20-underlay-disks.conf", "containerd.service.d/20-underlay-disks.conf"):
        (machine.root / "etc/systemd/system" / name).unlink()
    (machine.root / "etc/underlay/kubeadm.finished").unlink()
    machine.write("var/lib/containerd/images/two", "newer layers")
    run = machine.run(machine.script())
    assert run.code == 0, run.err
    assert machine.contents("etcd") == {}
    assert machine.contents("containerd") == {"images/two": "newer layers"}


def test_kubelet_and_containerd_do_not_start_without_their_disks(machine: Node) -> None:
    machine.run(machine.script())
    subprocess.run(["wipefs", "--quiet", "--all", machine.devices["containerd"]], check=True)
    for service in ("kubelet", "containerd"):
        run = machine.run(f"systemctl start {service}")
        assert run.code == 1
        assert f"Dependency failed for {service}.service" in run.err


def test_a_disk_that_is_declared_no_longer_is_missed(machine: Node) -> None:
    machine.run(machine.script())
    without = full(control_plane__containerd_disk=VOLUME)
    run = machine.run(machine.script(without))
    assert run.code == 1
    assert "the data of etcd is on a disk that is declared no longer: declare etcd_disk again" in run.err


def test_a_disk_that_is_not_there_is_waited_for_within_bounds(machine: Node) -> None:
    hurried = machine.script().replace(machine.devices["etcd"], "/dev/disk/by-id/nothing")
    hurried = hurried.replace(f"SECONDS < {PLAN.settings.cluster.timeouts.boot_s}", "SECONDS < 1")
    run = machine.run(hurried)
    assert run.code == 1
    assert "the disk for /var/lib/etcd, /dev/disk/by-id/nothing, is not there" in run.err


@pytest.mark.parametrize(
    "where",
    [
        "systemctl daemon-reload",
        'mv "$place" "$before"',
        "mkfs.ext4 -q",
        'cp -a "$before/."',
        "tune2fs -L",
        'systemctl start "$unit"',
        'rm -rf "$before"',
    ],
)
def test_a_run_that_breaks_anywhere_loses_nothing_and_is_finished_by_the_next(machine: Node, where: str) -> None:
    joined(machine)
    script = machine.script()
    assert where in script
    broken = machine.run(script.replace(where, f"exit 7; {where}"))
    assert broken.code == 7
    # whatever starts kubelet meanwhile finds the data or does not start at all
    between = machine.run("systemctl start kubelet && cat /var/lib/etcd/member/snap/db")
    assert between.code != 0 or between.out == "all keys"
    run = machine.run(machine.script())
    assert run.code == 0, run.err
    assert machine.contents("etcd") == {"member/snap/db": "all keys"}
    assert machine.contents("containerd") == {"images/one": "layers"}
    assert not (machine.root / "var/lib/etcd.before").exists()


def test_a_run_killed_anywhere_loses_nothing(machine: Node) -> None:
    joined(machine)
    for delay in (0.1, 0.3, 0.6):
        process = machine.start(machine.script())
        time.sleep(delay)
        process.kill()
        process.communicate()
    run = machine.run(machine.script())
    assert run.code == 0, run.err
    assert machine.contents("etcd") == {"member/snap/db": "all keys"}


def test_a_node_without_data_disks_gets_nothing_of_this() -> None:
    for plan in (full(), lab()):
        for each in plan.nodes:
            script = scripts.prepare(plan, each, authorized_key=KEY)
            assert "mkfs" not in script
            assert "daemon-reload" not in script

"""What render/ writes, read by the programs that it is written for."""

import dataclasses
import itertools
import os
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from render_plans import CA_HASH, KEY, TOKEN, full, lab, node

from lab.plugins.libvirt.domain_xml import Surroundings, VolumeSource, domain_xml
from plan import NodePlan, Plan
from render import domain, kube_proxy, kubeadm, node_files, scripts, seed
from settings.hypervisor import Hypervisor
from settings.machine import Cpu, Disk, Nic

Find = Callable[[str], str]
FULL, LAB = full(), lab()
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")


def run(*command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, timeout=60)


def written(folder: Path, text: str, name: str = "file") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


# --- kubeadm


def kubeadm_documents() -> Iterator[tuple[str, str]]:
    modes = {mode: full(kube_proxy__mode=mode) for mode in ("ipvs", "nftables", "iptables")}
    for name, plan in {"lab": LAB, **modes}.items():
        yield f"init-{name}", kubeadm.init_config(plan, plan.nodes[0], token=TOKEN)
        for each in plan.nodes[1:]:
            yield f"join-{name}-{each.name}", kubeadm.join_config(plan, each, token=TOKEN, ca_hash=CA_HASH)


@pytest.mark.parametrize(("name", "text"), list(kubeadm_documents()), ids=[name for name, _ in kubeadm_documents()])
def test_kubeadm_takes_its_documents(name: str, text: str, program: Find, tmp_path: Path) -> None:
    answer = run(program("kubeadm"), "config", "validate", "--config", written(tmp_path, text))
    assert answer.returncode == 0, f"{name}: {answer.stderr}"
    assert "unknown field" not in answer.stderr


def test_kubeadm_refuses_a_field_it_does_not_know(program: Find, tmp_path: Path) -> None:
    text = kubeadm.init_config(LAB, LAB.nodes[0], token=TOKEN).replace("clusterName:", "clusterTitle:")
    answer = run(program("kubeadm"), "config", "validate", "--config", written(tmp_path, text))
    assert 'unknown field "clusterTitle"' in answer.stderr


def test_kubeadm_makes_the_certificates_and_static_pods_that_are_declared(program: Find, tmp_path: Path) -> None:
    text = kubeadm.init_config(FULL, FULL.nodes[0], token=TOKEN)
    text = text.replace("dataDir: /var/lib/etcd", f"dataDir: {tmp_path}/etcd").replace(
        "kubernetesVersion:", f"certificatesDir: {tmp_path}/pki\nkubernetesVersion:"
    )
    config = written(tmp_path, text)
    answer = run(program("kubeadm"), "init", "phase", "certs", "all", "--config", config)
    assert answer.returncode == 0, answer.stderr
    shown = run("openssl", "x509", "-in", str(tmp_path / "pki" / "apiserver.crt"), "-noout", "-ext", "subjectAltName", "-text").stdout
    for name in (
        "DNS:api.oslo.example.net",
        "IP Address:10.20.0.10",
        "IP Address:10.20.0.11",
        "IP Address:10.20.0.13",
        "IP Address:127.0.0.1",
        "IP Address:10.96.0.1",
    ):
        assert name in shown
    assert "prime256v1" in shown


# --- kube-proxy


@pytest.mark.parametrize("mode", ["ipvs", "nftables", "iptables"])
def test_kube_proxy_decodes_its_configuration_strictly(mode: str, program: Find, tmp_path: Path) -> None:
    text = kube_proxy.config(full(kube_proxy__mode=mode))
    answer = run(program("kube-proxy"), "--config", written(tmp_path, text), "--write-config-to", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    assert "lenient" not in answer.stderr
    assert f"mode: {mode}" in (tmp_path / "out").read_text()


def test_kube_proxy_says_so_when_a_field_is_unknown(program: Find, tmp_path: Path) -> None:
    text = kube_proxy.config(LAB).replace("strictARP:", "strictArp:")
    answer = run(program("kube-proxy"), "--config", written(tmp_path, text), "--write-config-to", str(tmp_path / "out"))
    # v1alpha1: it goes on leniently after saying so; `lenient` is what the test above looks for
    assert 'lenient decoding as strict decoding failed" err="strict decoding error: unknown field \\"ipvs.strictArp' in answer.stderr


def test_kube_proxy_keeps_the_zeros_that_make_it_leave_connection_tracking_alone(program: Find, tmp_path: Path) -> None:
    run(program("kube-proxy"), "--config", written(tmp_path, kube_proxy.config(LAB)), "--write-config-to", str(tmp_path / "out"))
    conntrack = yaml.safe_load((tmp_path / "out").read_text())["conntrack"]
    assert (conntrack["maxPerCore"], conntrack["min"], conntrack["tcpEstablishedTimeout"], conntrack["tcpCloseWaitTimeout"]) == (0, 0, "0s", "0s")


# --- cloud-init


def user_data(plan: Plan) -> str:
    return seed.user_data(
        plan.nodes[0], host_key="-----BEGIN KEY-----\nx\n-----END KEY-----\n", host_key_public="ssh-ed25519 AAAA h", authorized_key=KEY
    )


@pytest.mark.parametrize("plan", [FULL, LAB], ids=["full", "lab"])
def test_cloud_init_takes_the_user_data(plan: Plan, program: Find, tmp_path: Path) -> None:
    answer = run(program("cloud-init"), "schema", "--config-file", written(tmp_path, user_data(plan)))
    assert answer.returncode == 0, answer.stderr
    assert "Valid cloud-config" in answer.stdout + answer.stderr


def test_cloud_init_refuses_user_data_of_another_shape(program: Find, tmp_path: Path) -> None:
    answer = run(
        program("cloud-init"), "schema", "--config-file", written(tmp_path, user_data(LAB).replace("disable_root: false", "disable_root: [1]"))
    )
    assert answer.returncode != 0


@pytest.mark.parametrize("plan", [FULL, LAB], ids=["full", "lab"])
def test_cloud_init_makes_networkd_files_of_the_network_config(plan: Plan, program: Find, tmp_path: Path) -> None:
    first = plan.nodes[0]
    source = written(tmp_path, seed.network_config(plan, first))
    command = (
        program("cloud-init"),
        "devel",
        "net-convert",
        "-k",
        "yaml",
        "-p",
        source,
        "-d",
        str(tmp_path / "out"),
        "-D",
        "debian",
        "-O",
        "networkd",
    )
    answer = run(*command, "-m", f"eth0,{first.mac}")
    assert answer.returncode == 0, answer.stderr
    made = "\n".join(path.read_text() for path in (tmp_path / "out").rglob("*.network"))
    for line in (
        f"Address={first.address}/{first.prefix}",
        f"Gateway={plan.settings.network.gateway}",
        f"MTUBytes={plan.settings.network.mtu}",
        "DHCP=no",
    ):
        assert line in made
    for server in plan.settings.network.dns:
        assert f"DNS={server}" in made or f" {server}" in made


# --- libvirt


def provider_xml(each: NodePlan, domain_type: str) -> str:
    inputs = {
        "name": each.name, "type": domain_type, "memory": each.memory_mib, "vcpu": each.vcpus, "machine": "q35",
        "kernel": "/k", "initrd": "/i", "cmdlines": [{"_": "ro"}], "cpu": {"mode": each.cpu.mode},
        "disks": [{"volumeId": "v"}], "networkInterfaces": [{"bridge": "br0", "mac": each.mac}],
        "consoles": [{"type": "pty", "targetPort": "0", "targetType": "serial"}], "graphics": {"type": "spice"}, "video": {"type": "qxl"},
    }  # fmt: skip
    around = Surroundings(volumes={"v": VolumeSource("pool", "root", "qcow2")}, seed_path="/p/seed.iso", identity="x")
    return domain_xml(inputs, around)


def machines() -> Iterator[tuple[NodePlan, Hypervisor]]:
    base, host = node(FULL, "cp-1"), FULL.settings.hypervisors["kvm-a"]
    cpus = (Cpu(), Cpu(mode="custom", model="qemu64"), Cpu(mode="host-model"))
    plain = Disk(size_gib=10, io_threads=0, io="threads")
    disks = (plain, Disk(size_gib=10, io_threads=2, queues=4), Disk(size_gib=10, io="io_uring", cache="writeback", discard="ignore"))
    nics = (Nic(), Nic(queues=4, driver="vhost", rx_queue_size=1024))
    for cpu, disk, nic, domain_type, hugepages, pinned in itertools.product(cpus, disks, nics, ("kvm", "qemu"), (None, "2M", "1G"), (True, False)):
        pins = base.cpu_pins if pinned else ()
        changes = {"domain_type": domain_type, "hugepages": hugepages, **({} if pinned else {"machine_cpus": None, "emulator_cpus": None})}
        yield dataclasses.replace(base, cpu=cpu, disk=disk, nic=nic, cpu_pins=pins), host.model_copy(update=changes)


def transformed(each: NodePlan, host: Hypervisor, find: Find, folder: Path, name: str = "domain") -> Path:
    """The domain that libvirt gets: the provider's definition through the stylesheet."""
    sheet = written(folder, domain.domain_xslt(each, host), f"{name}.xslt")
    source = written(folder, provider_xml(each, host.domain_type), f"{name}.in.xml")
    answer = run(find("xsltproc"), "--nonet", "--output", str(folder / f"{name}.xml"), sheet, source)
    assert answer.returncode == 0, answer.stderr
    return folder / f"{name}.xml"


def test_libvirts_schema_takes_every_machine(program: Find, tmp_path: Path) -> None:
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is not here (Debian's libvirt0)")
    made = [transformed(each, host, program, tmp_path, f"m{number}") for number, (each, host) in enumerate(machines())]
    assert len(made) == 216
    answer = run(program("xmllint"), "--noout", "--relaxng", str(SCHEMA), *map(str, made))
    assert answer.returncode == 0, answer.stderr[:2000]
    assert answer.stderr.count("validates") == len(made)


def test_libvirts_schema_refuses_a_machine_that_is_wrong(program: Find, tmp_path: Path) -> None:
    made = transformed(*next(machines()), program, tmp_path)
    made.write_text(made.read_text().replace('name="hpet"', 'name="hpat"'))
    assert run(program("xmllint"), "--noout", "--relaxng", str(SCHEMA), str(made)).returncode != 0


def element(each: NodePlan, host: Hypervisor, find: Find, folder: Path) -> ElementTree.Element:
    return ElementTree.parse(transformed(each, host, find, folder)).getroot()  # noqa: S314 - made here


def test_the_seed_is_a_read_only_virtio_disk_behind_the_root_disk(program: Find, tmp_path: Path) -> None:
    root, seed_disk = element(LAB.nodes[0], LAB.settings.hypervisors["local"], program, tmp_path).findall("devices/disk")
    assert [disk.get("device") for disk in (root, seed_disk)] == ["disk", "disk"]
    assert [disk.find("target").attrib for disk in (root, seed_disk)] == [{"dev": "vda", "bus": "virtio"}, {"dev": "vdb", "bus": "virtio"}]  # pyright: ignore[reportOptionalMemberAccess]
    assert (root.find("readonly") is None, seed_disk.find("readonly") is not None) == (True, True)
    assert root.find("driver").get("cache") == "unsafe"  # pyright: ignore[reportOptionalMemberAccess]
    assert seed_disk.find("driver").get("cache") is None  # pyright: ignore[reportOptionalMemberAccess]


def test_a_pinned_machine_has_a_host_cpu_for_each_vcpu_and_threads_apart_from_them(program: Find, tmp_path: Path) -> None:
    each, host = node(FULL, "cp-1"), FULL.settings.hypervisors["kvm-a"]
    domain_element = element(each, host, program, tmp_path)
    pins = {int(pin.get("vcpu", "")): int(pin.get("cpuset", "")) for pin in domain_element.findall("cputune/vcpupin")}
    assert pins == dict(enumerate(each.cpu_pins))
    assert len(set(pins.values())) == each.vcpus
    assert {pin.get("cpuset") for pin in domain_element.findall("cputune/iothreadpin")} == {host.emulator_cpus}
    assert len(domain_element.findall("cputune/iothreadpin")) == each.disk.io_threads == int(domain_element.findtext("iothreads", ""))
    assert domain_element.findtext("cpu/model") is None


def test_a_headless_machine_has_no_screen_no_usb_and_no_balloon(program: Find, tmp_path: Path) -> None:
    made = element(LAB.nodes[0], LAB.settings.hypervisors["local"], program, tmp_path)
    for gone in ("graphics", "video", "sound", "input"):
        assert made.find(f"devices/{gone}") is None
    assert [device.get("model") for device in made.findall("devices/memballoon")] == ["none"]
    assert [device.get("model") for device in made.findall("devices/controller[@type='usb']")] == ["none"]
    assert [device.findtext("backend") for device in made.findall("devices/rng")] == ["/dev/urandom"]
    assert made.find("clock/timer[@name='kvmclock']") is None


# --- the node's own programs


def keepalived_reads(text: str, find: Find, folder: Path) -> subprocess.CompletedProcess[str]:
    """keepalived's own test of a configuration, in a network namespace that has an eth0."""
    check = written(folder, "#!/bin/sh\n", "check-api")
    Path(check).chmod(0o755)
    config = written(folder, text.replace(f"{node_files.LIBRARY}/check-api", check))
    namespace = (find("unshare"), *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net", "--", "sh", "-c")
    if run(*namespace, "ip link add eth0 type veth peer name p0").returncode != 0:
        pytest.skip("no network namespace can be made here")
    inside = (
        f"ip link add eth0 type veth peer name p0; ip link set p0 up; ip link set eth0 up; {find('keepalived')} --config-test --use-file {config}"
    )
    return run(*namespace, inside)


@pytest.mark.parametrize("each", [*FULL.control_planes, LAB.nodes[0]], ids=lambda each: each.name)
def test_keepalived_takes_its_configuration(each: NodePlan, program: Find, tmp_path: Path) -> None:
    answer = keepalived_reads(node_files.keepalived_config(FULL if each in FULL.nodes else LAB, each), program, tmp_path)
    assert answer.returncode == 0, answer.stderr


def test_keepalived_refuses_a_word_it_does_not_know(program: Find, tmp_path: Path) -> None:
    answer = keepalived_reads(node_files.keepalived_config(LAB, LAB.nodes[0]).replace("advert_int", "advert_integer"), program, tmp_path)
    assert answer.returncode != 0
    assert "advert_integer" in answer.stderr


@pytest.mark.parametrize("plan", [FULL, LAB], ids=["full", "lab"])
def test_chrony_takes_its_configuration(plan: Plan, program: Find, tmp_path: Path) -> None:
    answer = run(program("chronyd"), "-p", "-f", written(tmp_path, node_files.chrony_config(plan)))
    assert answer.returncode == 0, answer.stderr
    servers = [line.split()[1] for line in answer.stdout.splitlines() if line.startswith(("server", "pool"))]
    assert servers == list(plan.settings.node.time.servers)


def test_containerd_understands_every_line_of_its_configuration(program: Find, tmp_path: Path) -> None:
    config = written(
        tmp_path, node_files.containerd_config(LAB).replace("version = 3", f"version = 3\nroot = '{tmp_path}/root'\nstate = '{tmp_path}/state'")
    )
    answer = run(program("containerd"), "--config", config, "config", "dump")
    assert answer.returncode == 0, answer.stderr
    dumped = tomllib.loads(answer.stdout)["plugins"]
    runtime = dumped["io.containerd.cri.v1.runtime"]
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    assert runtime["stats_collect_period"] == "60s"
    assert dumped["io.containerd.transfer.v1.local"]["max_concurrent_downloads"] == 10


def test_containerd_keeps_the_sandbox_image_that_kubeadm_wants(program: Find, tmp_path: Path) -> None:
    wanted = run(program("kubeadm"), "config", "images", "list", "--kubernetes-version", f"v{LAB.settings.cluster.kubernetes_version}").stdout.split()
    answer = run(program("containerd"), "--config", written(tmp_path, node_files.containerd_config(LAB)), "config", "dump")
    assert tomllib.loads(answer.stdout)["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] in wanted


def test_the_kernel_has_every_sysctl_that_needs_no_module() -> None:
    for sysctl in node_files.sysctls(LAB):
        if sysctl.name.startswith(("net.netfilter.", "net.ipv4.neigh.", f"net.ipv4.conf.{seed.INTERFACE}")):
            continue  # there with the module, in the first network namespace, with the device
        assert (Path("/proc/sys") / sysctl.path).exists(), sysctl.name


# --- bash


def shell_texts() -> dict[str, str]:
    plans = (FULL, LAB, full(kube_proxy__mode="nftables"), full(kube_proxy__mode="iptables"))
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


def test_shellcheck_finds_nothing(program: Find, tmp_path: Path) -> None:
    # every kind of script once: a control plane's, a joining worker's, each mode's `ready`
    kinds = {**scripts_of(FULL, FULL.nodes[0]), "join": scripts_of(FULL, node(FULL, "web-1"))["kubeadm"]}
    for mode in ("nftables", "iptables"):
        plan = full(kube_proxy__mode=mode)
        kinds |= {name: text for name, text in scripts_of(plan, plan.nodes[0]).items() if name.startswith("ready")}
    files = [written(tmp_path, text, f"{name}.sh") for name, text in kinds.items()]
    answer = run(program("shellcheck"), "--shell=bash", "--severity=style", "--exclude=SC2317", *files)
    assert answer.returncode == 0, answer.stdout[:4000]

"""What render/ writes, read by the programs that it is written for."""

import os
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from render_plans import CA_HASH, KEY, TOKEN, full, lab

from plan import NodePlan, Plan
from render import kube_proxy, kubeadm, node_files, seed

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

"""Every renderer's text, as a reviewer sees it change."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from render_plans import CA_HASH, KEY, TOKEN, full, lab, node

from render import data_disks, domain, kube_proxy, kubeadm, node_files, scripts, seed

Golden = Callable[[str, str], None]
FULL = full()
CP = node(FULL, "cp-2")
WEB = node(FULL, "web-1")
LAB = lab()
DRIVES = {"fast": {"kind": "nvme", "address": "0000:41:00.0", "size_gib": 894}}
DISKS = full(
    control_plane__etcd_disk={"kind": "drive", "of": "nvme", "queues": 4},
    control_plane__containerd_disk={"kind": "volume", "size_gib": 60, "io": "io_uring", "queue_size": 512},
    control_plane__lock_memory=True,
    **{f"hypervisors__{name}__drives": DRIVES for name in ("kvm-a", "kvm-b", "kvm-c")},
)

TEXTS: dict[str, Callable[[], str]] = {
    "seed-user-data.yaml": lambda: seed.user_data(CP, host_key="PRIVATE\nHOST\nKEY\n", host_key_public="ssh-ed25519 HOSTKEY\n", authorized_key=KEY),
    "seed-meta-data.yaml": lambda: seed.meta_data(CP),
    "seed-network-config.yaml": lambda: seed.network_config(FULL, CP),
    "domain-kvm-pinned.xslt": lambda: domain.domain_xslt(CP, FULL.settings.hypervisors[CP.hypervisor], environment="oslo"),
    "domain-emulated.xslt": lambda: domain.domain_xslt(LAB.nodes[0], LAB.settings.hypervisors["local"], environment="lab"),
    "domain-data-disks.xslt": lambda: domain.domain_xslt(DISKS.nodes[0], DISKS.settings.hypervisors[DISKS.nodes[0].hypervisor], environment="oslo"),
    "node-mount-etcd.mount": lambda: next(data_disks.unit_files(DISKS.nodes[0])).text,
    "node-kubelet-disks.conf": lambda: list(data_disks.unit_files(DISKS.nodes[0]))[2].text,
    "script-prepare-data-disks.sh": lambda: scripts.prepare(DISKS, DISKS.nodes[0], authorized_key=KEY),
    "kubeadm-init.yaml": lambda: kubeadm.init_config(FULL, FULL.nodes[0], token=TOKEN),
    "kubeadm-init-lab.yaml": lambda: kubeadm.init_config(LAB, LAB.nodes[0], token=TOKEN),
    "kubeadm-join-control-plane.yaml": lambda: kubeadm.join_config(FULL, CP, token=TOKEN, ca_hash=CA_HASH),
    "kubeadm-join-worker.yaml": lambda: kubeadm.join_config(FULL, WEB, token=TOKEN, ca_hash=CA_HASH),
    "kubeadm-encryption.yaml": lambda: kubeadm.encryption_config("a2V5" * 10 + "a2U="),
    "kubeadm-patch-kube-apiserver.yaml": lambda: kubeadm.static_pod_patches(LAB)["kube-apiserver+strategic.yaml"],
    "kube-proxy-ipvs.yaml": lambda: kube_proxy.config(FULL),
    "kube-proxy-nftables.yaml": lambda: kube_proxy.config(full(kube_proxy__mode="nftables")),
    "kube-proxy-iptables.yaml": lambda: kube_proxy.config(full(kube_proxy__mode="iptables")),
    "node-sysctl.conf": lambda: node_files.sysctl_file(FULL),
    "node-modprobe.conf": lambda: node_files.modprobe_file(FULL),
    "node-containerd.toml": lambda: node_files.containerd_config(FULL),
    "node-chrony.conf": lambda: node_files.chrony_config(FULL),
    "node-hosts": lambda: node_files.hosts_file(FULL, CP),
    "node-keepalived.conf": lambda: node_files.keepalived_config(FULL, CP),
    "node-authorized-keys": lambda: node_files.authorized_keys(FULL, KEY),
    "script-prepare-control-plane.sh": lambda: scripts.prepare(FULL, CP, authorized_key=KEY),
    "script-pki.sh": lambda: scripts.pki(FULL, CP, files={"/etc/kubernetes/pki/ca.key": "CA KEY\n", "/etc/kubernetes/pki/ca.crt": "CA\n"}),
    "script-init.sh": lambda: scripts.init(FULL, FULL.nodes[0], token=TOKEN),
    "script-join-worker.sh": lambda: scripts.join(FULL, WEB, token=TOKEN, ca_hash=CA_HASH),
    "script-ready-ipvs.sh": lambda: scripts.ready(FULL, WEB),
    "script-member.sh": lambda: scripts.member(FULL, WEB),
    "script-schedulable.sh": lambda: scripts.schedulable(FULL, WEB),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_the_golden_one(name: str, golden: Golden) -> None:
    golden(name, TEXTS[name]())


def test_no_golden_file_is_left_over() -> None:
    kept = {path.name for path in (Path(__file__).parent / "golden").iterdir()}
    elsewhere = ("calico-", "router-", "ingress-")
    assert {name for name in kept if not name.startswith(elsewhere)} == set(TEXTS), f"{', '.join(elsewhere)} have tests of their own"


@pytest.mark.parametrize("name", [name for name in TEXTS if name.endswith(".yaml")])
def test_yaml_has_neither_aliases_nor_python_tags(name: str) -> None:
    text = TEXTS[name]()
    assert list(yaml.safe_load_all(text))
    assert "&id" not in text
    assert "!!" not in text


def test_the_same_plan_gives_the_same_text() -> None:
    again = full()
    assert scripts.prepare(again, node(again, "cp-2"), authorized_key=KEY) == TEXTS["script-prepare-control-plane.sh"]()

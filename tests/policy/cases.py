"""More ways to break the rules, and ways to come near it without breaking one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.policy.defects import Defect, change, image, unprotected
from tests.policy.stacks import (
    COMMAND,
    DAEMON_SET,
    DIGEST,
    LIBVIRT,
    VOLUME,
    Program,
    Registration,
    command,
    connection,
    domain,
    network_config,
    proxy_config,
    thing,
    workload,
)

KEY = "-----BEGIN " + "PRIVATE KEY-----"


@dataclass(frozen=True)
class Right:
    """A change that no rule minds."""

    why: str
    change: Callable[[Program], None]


def add(*items: Registration) -> Callable[[Program], None]:
    """More resources."""

    def added(program: Program) -> None:
        program.update({item.name: item for item in items})

    return added


def several(*changes: Callable[[Program], None]) -> Callable[[Program], None]:
    """Changes one after the other."""

    def changed(program: Program) -> None:
        for each in changes:
            each(program)

    return changed


def seated(name: str, pins: dict[int, str], policy: str, own_threads: str = "0-1") -> Callable[[Program], None]:
    """Another seat for a machine that is there."""
    return several(
        change(f"{name}-domain/vcpu", len(pins)),
        change(f"{name}-domain/xml", domain(name, pins, policy, own_threads)["xml"]),
        change(f"{name}/cpuPolicy", policy),
    )


def without_facts(program: Program) -> None:
    """A machine that nobody declares anything of."""
    program["oslo-worker-3-domain"].inputs = {"name": "oslo-worker-3", "vcpu": 4, "memory": 4096}
    program["oslo-worker-3"].inputs.clear()


def elsewhere(program: Program) -> None:
    """A volume on a host that is no hypervisor of the environment."""
    program["other-libvirt"] = Registration(LIBVIRT, "other-libvirt", {"uri": "qemu+ssh://root@kvm9/system"})
    for number in (1, 2):
        program[f"other-{number}"] = Registration(VOLUME, f"other-{number}", {"name": f"other-{number}", "pool": "default"}, "", "other-libvirt")


def second_host(program: Program) -> None:
    """A second hypervisor with a machine on the CPUs that one of the first has."""
    program["oslo-kvm2"] = Registration(
        "underlay:compute:Hypervisor", "oslo-kvm2", {"hypervisor": "kvm2", "country": "NO", "uri": "qemu+ssh://root@kvm2/system"}, "oslo"
    )
    program["oslo-kvm2-libvirt"] = Registration(LIBVIRT, "oslo-kvm2-libvirt", {"uri": "qemu+ssh://root@kvm2/system"}, "oslo-kvm2")
    moved = program.pop("oslo-worker-3-domain")
    moved.inputs, moved.provider = domain("oslo-worker-3", {0: "4"}, "dedicated", "0-1"), "oslo-kvm2-libvirt"
    program[moved.name] = moved


ENCAPSULATED = several(change("oslo/encapsulation", {"protocol": "ipip"}), change("oslo-pods/spec/ipipMode", "Always"))
CALICO_VARIABLE = {"FELIX_VXLANENABLED": "true"}
PROXY = "oslo-kube-proxy-config"

REFUSED = (
    Defect(
        "no-encapsulation",
        "oslo",
        "pod_network.encapsulation.protocol is ipip, which adds 20 bytes to every packet, and no reason is declared",
        ENCAPSULATED,
    ),
    Defect(
        "no-encapsulation",
        "oslo-more",
        "oslo-more's variable FELIX_VXLANENABLED is true",
        add(thing(DAEMON_SET, "oslo-more", workload("oslo-more", f"registry.example/more@{DIGEST}", CALICO_VARIABLE))),
    ),
    Defect(
        "no-encapsulation",
        "oslo-felix",
        "FelixConfiguration default has ipipEnabled true",
        add(
            thing(
                "kubernetes:projectcalico.org/v3:FelixConfigurationPatch",
                "oslo-felix",
                {"metadata": {"name": "default"}, "spec": {"ipipEnabled": True}},
            )
        ),
    ),
    Defect(
        "no-encapsulation",
        "oslo-operator",
        "the Installation's pool 192.168.0.0/16 has encapsulation VXLANCrossSubnet",
        add(
            thing(
                "kubernetes:operator.tigera.io/v1:Installation",
                "oslo-operator",
                {"spec": {"calicoNetwork": {"ipPools": [{"cidr": "192.168.0.0/16", "encapsulation": "VXLANCrossSubnet"}]}}},
            )
        ),
    ),
    Defect(
        "no-encapsulation",
        "oslo-pods",
        "outer header (vxlan, 50 bytes each), which the environment does not declare",
        several(change("oslo/encapsulation", {"protocol": "ipip", "reason": "the provider's network"}), change("oslo-pods/spec/vxlanMode", "Always")),
    ),
    Defect("cpu-overcommit", "oslo-worker-3-domain", "is pinned to no CPU of kvm1, so nothing keeps others from its 4 vCPUs", without_facts),
    Defect(
        "cpu-overcommit",
        "oslo-worker-3-domain",
        "oslo-worker-3 has 2 vCPUs on CPU 6 of kvm1",
        seated("oslo-worker-3", {0: "6", 1: "6"}, "dedicated"),
    ),
    Defect(
        "cpu-overcommit", "oslo-worker-3-domain", "limit: one CPU of its own for each", seated("oslo-worker-3", {0: "6-7", 1: "6-7"}, "dedicated")
    ),
    Defect(
        "cpu-pins", "oslo-worker-3-domain", "holds CPU 14 of kvm1, which db-1 of others holds too", seated("oslo-worker-3", {0: "14"}, "dedicated")
    ),
    Defect("cpu-pins", "oslo-worker-3-domain", "which oslo-worker-1 holds too", seated("oslo-worker-3", {0: "3"}, "dedicated")),
    Defect(
        "cpu-pins",
        "oslo-worker-3-domain",
        "which oslo-cp-1 by its emulator or I/O threads holds too",
        seated("oslo-worker-3", {0: "1"}, "dedicated", "8"),
    ),
    Defect("cpu-pins", "oslo-worker-3-domain", "holds CPU 4 of kvm1, which oslo-cp-1", seated("oslo-worker-3", {0: "6"}, "dedicated", "4")),
    Defect("cpu-pins", "oslo-worker-3-domain", "its own emulator or I/O threads", seated("oslo-worker-3", {0: "6"}, "dedicated", "6-7")),
    Defect(
        "control-plane-nvme", "oslo-cp-1-domain", "of which nobody has said what it is", change("oslo-kvm1/pools", [{"name": "nvme", "kind": "dir"}])
    ),
    Defect(
        "control-plane-nvme",
        "oslo-cp-1-domain",
        "drive sata1 of kvm1, which is other",
        several(
            change("oslo-kvm1/drives/sata1", {"kind": "block", "device": "/dev/disk/by-id/ata-1", "media": "other"}),
            change("oslo-cp-1/disks", [{"purpose": "etcd", "kind": "block", "drive": "sata1"}]),
        ),
    ),
    Defect("control-plane-nvme", "oslo-cp-1-domain", "nothing says which disk etcd lies on", change("oslo-cp-1/disks", [])),
    Defect(
        "conntrack-load",
        "oslo-cp-1-prepare",
        "sets nf_conntrack_max to 65536",
        change("oslo-cp-1-prepare/stdin", "net.netfilter.nf_conntrack_max = 65536\n"),
    ),
    Defect(
        "conntrack-load",
        PROXY,
        "conntrack.maxPerCore is 32768",
        change(f"{PROXY}/data", proxy_config(per_core=32768)["data"]),
    ),
    Defect("proxy-mode", PROXY, "is 'userspace', allowed: iptables, ipvs, nftables", change(f"{PROXY}/data", proxy_config("userspace")["data"])),
    Defect(
        "proxy-mode",
        "oslo",
        "is nftables, which Kubernetes has from 1.31 on",
        several(change("oslo/proxyMode", "nftables"), change("oslo/kubernetesVersion", "1.30.2")),
    ),
    Defect("proxy-mode", "oslo", "nothing says which version of Kubernetes runs", change("oslo/kubernetesVersion", "")),
    Defect("residency-machines", "other-1", "stands on a hypervisor (kvm9) of which nobody says in which country it is", elsewhere),
    Defect(
        "residency-sources",
        "oslo",
        "image.source is files.example, which stands in US, allowed: NO (health data)",
        change("oslo/residency/places/files.example", "US"),
    ),
    Defect(
        "residency-sources",
        "oslo-base",
        "the source of volume oslo-base is cdn.example, of which nobody says where it stands",
        add(
            Registration(
                VOLUME, "oslo-base", {"name": "base", "pool": "nvme", "source": "https://cdn.example/base.qcow2"}, "oslo-kvm1", "oslo-kvm1-libvirt"
            )
        ),
    ),
    Defect(
        "residency-state",
        "oslo",
        "state_backend.url is s3.other, of which nobody says where it stands",
        change("oslo/stateBackend", "s3://state?endpoint=s3.other"),
    ),
    Defect(
        "public-address",
        "oslo-direct",
        "address 193.0.6.139 is one of the public internet",
        add(Registration(COMMAND, "oslo-direct", command("193.0.6.139"), "oslo")),
    ),
    Defect(
        "ssh-host-keys",
        "oslo-cp-1-prepare",
        "connection.proxy.hostKey is not set",
        change("oslo-cp-1-prepare/connection", {"secret": {**connection("10.20.0.11")["secret"], "proxy": {"host": "10.20.0.2", "user": "root"}}}),
    ),
    Defect(
        "ssh-host-keys", "oslo-kvm1-libvirt", "its URI has no_verify=1", change("oslo-kvm1-libvirt/uri", "qemu+ssh://root@kvm1/system?no_verify=1")
    ),
    Defect(
        "ssh-host-keys",
        "oslo-kvm1-libvirt",
        "known_hosts_verify=auto",
        change("oslo-kvm1-libvirt/uri", "qemu+ssh2://root@kvm1/system?known_hosts_verify=auto"),
    ),
    Defect("secrets", "oslo-cp-1-prepare", "input stdin is a private key and is not marked", change("oslo-cp-1-prepare/stdin", f"cat <<E\n{KEY}\nE")),
    Defect("secrets", "oslo-cp-1-prepare", "input stdin is a bootstrap token", change("oslo-cp-1-prepare/stdin", "token: abcdef.0123456789abcdef\n")),
    Defect("secrets", "oslo-kvm1-libvirt", "is a password in a URL", change("oslo-kvm1-libvirt/uri", "qemu+ssh://root:hunter2@kvm1/system")),
    Defect("secrets", "oslo-passwords", "input data.tor is secret by its name", change("oslo-passwords/data", {"tor": "aHVudGVyMg=="})),
    Defect("secrets", "oslo-kubernetes", "input kubeconfig is secret by its name", change("oslo-kubernetes/kubeconfig", "apiVersion: v1")),
    Defect("protection", "oslo-cluster-ca-key", "is of an authority that every node trusts", unprotected("oslo-cluster-ca-key")),
    Defect("protection", "oslo-kvm1-pool", "is a storage pool", unprotected("oslo-kvm1-pool")),
    Defect(
        "protection",
        "oslo-encryption-key",
        "the key without which etcd's Secrets cannot be read",
        add(Registration("random:index/randomBytes:RandomBytes", "oslo-encryption-key", {"length": 32}, "oslo")),
    ),
    Defect(
        "images-by-digest",
        "oslo-job",
        "oslo-job runs registry.example/job:2 by tag",
        add(thing("kubernetes:batch/v1:Job", "oslo-job", workload("job", "registry.example/job:2"))),
    ),
)
"""Each is refused by one rule with one message."""


RIGHT = (
    Right(
        "a disk whose protection is declared to be lifted",
        several(unprotected("oslo-cp-1-root"), change("oslo/protection", {"controlPlaneDisks": False})),
    ),
    Right("an encapsulation with its reason", several(ENCAPSULATED, change("oslo/encapsulation/reason", "the provider drops unknown sources"))),
    Right(
        "an overcommit that is declared",
        several(
            seated("oslo-worker-2", {0: "2-3", 1: "2-3"}, "shared"),
            change("oslo-worker-1/overcommit", 1.5),
            change("oslo-worker-2/overcommit", 1.5),
        ),
    ),
    Right("a machine that is emulated and floats", several(without_facts, change("oslo-worker-3/cpuPolicy", "emulated"))),
    Right("the same CPUs on another hypervisor", second_host),
    Right(
        "etcd on a drive of its own beside a slow root",
        change("oslo-cp-1/disks", [{"purpose": "root", "kind": "volume", "pool": "default"}, {"purpose": "etcd", "kind": "nvme", "drive": "nvme1"}]),
    ),
    Right("a table larger than declared", change("oslo-cp-1-prepare/stdin", "net.netfilter.nf_conntrack_max = 2097152\n")),
    Right("a mode before its end", change("oslo/kubernetesVersion", "1.42.9")),
    Right("state in a folder of this machine", change("oslo/stateBackend", "file:///srv/state")),
    Right("addresses of carriers' own networks", change("oslo-cp-1-seed/networkConfig", network_config("100.64.0.11"))),
    Right("a private key that is marked", change("oslo-cp-1-prepare/stdin", {"secret": f"{KEY}\n"})),
    Right(
        "a worker's volume without protection",
        add(Registration(VOLUME, "oslo-worker-3-root", {"name": "w3", "pool": "nvme"}, "oslo-worker-3", "oslo-kvm1-libvirt")),
    ),
    Right(
        "documentation of a definition that shows a URL with a password",
        add(
            thing(
                "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
                "oslo-crd",
                {"spec": {"description": "such as https://user:word@proxy.example"}},
            )
        ),
    ),
    Right("a name server of the public internet", change("oslo-cp-1-seed/networkConfig", network_config("10.20.0.12"))),
    Right("an image by digest and tag", image("oslo-web", f"registry.example/web:2@{DIGEST}")),
)
"""None of them is refused anything."""

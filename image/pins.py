"""What the image is made of: pinned versions, the Go packages they are built from, and the Debian packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "v1.36.3"
SUITE = "bookworm"
GO_MINIMUM = (1, 26)

SOURCE_DATE_EPOCH = 1767225600
"""Seconds since 1970 that every file made by the build carries (2026-01-01)."""

MODULES = Path(__file__).parent / "modules"
"""One folder with go.mod and go.sum for each part."""

UPSTREAM_URL = "https://dl.k8s.io/release"
"""Where the Kubernetes project publishes its binaries."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Programs that come from one Go module at one version."""

    name: str
    """The folder below `modules/`."""
    module: str
    version: str
    programs: dict[str, str]
    """Program name to Go package."""
    ldflags: str = "-s -w"
    tags: str = ""
    upstream: bool = False
    """True if the Kubernetes project publishes these programs at `UPSTREAM_URL`."""


@dataclass(frozen=True, kw_only=True)
class ContainerPin:
    """One container image of the control plane, named as kubeadm asks for it."""

    repository: str
    """The name without its tag; the tag is what `kubeadm config images list` prints."""
    program: str
    path: str
    """Where the program lies in the container."""
    entrypoint: tuple[str, ...] = ()
    debian_base: bool = False
    """True if the program needs Debian's packet filter tools beside it."""


def _kubernetes_ldflags() -> str:
    major, minor = KUBERNETES_VERSION.removeprefix("v").split(".")[:2]
    package = "k8s.io/component-base/version"
    return f"-s -w -X {package}.gitVersion={KUBERNETES_VERSION} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"


_KUBERNETES = "k8s.io/kubernetes"
_CONTAINERD = "github.com/containerd/containerd/v2"
_CNI = "github.com/containernetworking/plugins"

PARTS = (
    Part(
        name="kubernetes",
        module=_KUBERNETES,
        version=KUBERNETES_VERSION,
        programs={
            name: f"{_KUBERNETES}/cmd/{name}"
            for name in ("kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
        },
        ldflags=_kubernetes_ldflags(),
        upstream=True,
    ),
    Part(
        name="containerd",
        module=_CONTAINERD,
        version="v2.3.4",
        programs={name: f"{_CONTAINERD}/cmd/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
        ldflags=f"-s -w -X {_CONTAINERD}/version.Version=v2.3.4",
        tags="no_btrfs no_zfs no_devmapper no_tracing",
    ),
    Part(
        name="cni-plugins",
        module=_CNI,
        version="v1.9.1",
        programs={
            name: f"{_CNI}/plugins/{kind}/{name}"
            for kind, name in (("main", "bridge"), ("main", "loopback"), ("main", "ptp"), ("ipam", "host-local"), ("meta", "portmap"))
        },
    ),
    Part(name="etcd", module="go.etcd.io/etcd/server/v3", version="v3.7.3", programs={"etcd": "go.etcd.io/etcd/server/v3"}),
    Part(name="coredns", module="github.com/coredns/coredns", version="v1.14.7", programs={"coredns": "github.com/coredns/coredns"}),
    Part(name="pause", module="underlay/image/pause", version="v1.0.0", programs={"pause": "underlay/image/pause"}),
)

NODE_PROGRAMS = {
    "/usr/bin": ("kubeadm", "kubelet", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr"),
    "/opt/cni/bin": ("bridge", "loopback", "ptp", "host-local", "portmap"),
}
"""Folder on the node to the programs in it."""

CONTAINERS = (
    *(
        ContainerPin(repository=f"registry.k8s.io/{name}", program=name, path=f"/usr/local/bin/{name}")
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
    ),
    ContainerPin(repository="registry.k8s.io/kube-proxy", program="kube-proxy", path="/usr/local/bin/kube-proxy", debian_base=True),
    ContainerPin(repository="registry.k8s.io/coredns/coredns", program="coredns", path="/coredns", entrypoint=("/coredns",)),
    ContainerPin(repository="registry.k8s.io/pause", program="pause", path="/pause", entrypoint=("/pause",)),
)


NODE_PACKAGES = (
    "linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "systemd-resolved", "dbus", "udev", "kmod", "openssh-server", "cloud-init",
    "chrony", "keepalived", "iproute2", "iptables", "nftables", "ipset", "ipvsadm", "conntrack", "ethtool", "socat", "ca-certificates",
    "runc", "apparmor", "curl", "procps", "iputils-ping", "e2fsprogs", "jq", "tcpdump", "less", "python3",
)  # fmt: skip
"""Debian packages of the node, without what they merely recommend."""

PROXY_PACKAGES = ("iptables", "nftables", "ipset", "kmod", "conntrack", "dash", "coreutils", "libc-bin")
"""Those of them whose programs kube-proxy runs: they lie beside it in its container image."""

EXCLUDED_PATHS = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
"""Paths that dpkg leaves out."""

MASKED_UNITS = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "getty@tty1.service", "serial-getty@ttyS0.service", "systemd-pstore.service", "remote-fs.target", "ipvsadm.service",
    "systemd-repart.service", "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount", "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-network-generator.service",
    "modprobe@drm.service", "systemd-pcrphase.service", "systemd-pcrphase-sysinit.service",
    "cloud-init.service", "cloud-config.service", "cloud-final.service", "cloud-init-hotplugd.socket",
)  # fmt: skip
"""Units that only cost a node time. Of cloud-init, the local stage does all (files/etc/cloud/cloud.cfg)."""

ENABLED_UNITS = ("containerd.service", "kubelet.service", "chrony.service", "ssh.service", "systemd-networkd.service", "systemd-resolved.service")
DISABLED_UNITS = ("keepalived.service",)
"""Off until the product has written its configuration."""

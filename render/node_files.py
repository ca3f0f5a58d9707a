"""The files that a node gets before Kubernetes, and the numbers in them."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from plan import NodePlan, Plan
from render.kubeadm import PATCHES_FOLDER, static_pod_patches
from render.seed import INTERFACE
from render.text import fill

LIBRARY = "/usr/local/lib/underlay"
"""Folder of the programs that underlay leaves on a node."""
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh")
"""All that kube-proxy may be told to use: loaded on every node, so that a change of the scheduler touches none."""
REQUIRED_MODULES = ("overlay", "nf_conntrack", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh")
"""A kernel without one of these is refused."""
MODE_MODULES = {
    "ipvs": ("ip_set", "xt_set", "dummy"),  # kube-proxy's masquerading sets and its device kube-ipvs0
    "nftables": ("nf_tables", "nft_chain_nat", "nft_ct", "nft_fib_inet"),
    "iptables": ("nft_compat", "xt_conntrack", "xt_MASQUERADE", "xt_statistic"),
}
CONN_TAB_BITS = (8, 20)
"""What ip_vs takes for conn_tab_bits (net/netfilter/ipvs/ip_vs_conn.c)."""
MOST_CONTROL_PLANES = 3
"""What settings allow."""
PAUSE = {(1, 31): "3.10", (1, 32): "3.10", (1, 33): "3.10", (1, 34): "3.10.1", (1, 35): "3.10.1"}
PAUSE_NEWEST = "3.10.2"
"""Sandbox image of Kubernetes 1.36 and later (cmd/kubeadm/app/constants, PauseVersion); older ones in PAUSE."""


@dataclass(frozen=True, kw_only=True)
class NodeFile:
    """A file that `prepare` keeps as it is here."""

    path: str
    text: str
    mode: str = "0644"
    """Octal."""
    unit: str = ""
    """systemd unit that is restarted when the file changes."""


@dataclass(frozen=True, kw_only=True)
class Sysctl:
    """A kernel setting with the reason for it."""

    name: str
    value: str
    reason: str

    @property
    def path(self) -> str:
        """The file below /proc/sys; sysctl.d's rule: the first separator decides whether dots separate."""
        first = min((self.name.find(mark) for mark in "./" if mark in self.name), default=-1)
        dotted = first >= 0 and self.name[first] == "."
        return self.name.translate(str.maketrans("./", "/.")) if dotted else self.name


def modules(plan: Plan) -> tuple[str, ...]:
    """Kernel modules that are loaded at boot; those not in `required_modules` only where the kernel has them."""
    schedulers = tuple(f"ip_vs_{name}" for name in SCHEDULERS)
    wanted = (*required_modules(plan), *schedulers, *MODE_MODULES[plan.settings.kube_proxy.mode])
    return tuple(dict.fromkeys(wanted))


def required_modules(plan: Plan) -> tuple[str, ...]:
    """Kernel modules without which a node is refused: underlay's own and those declared."""
    declared = tuple(name.replace("-", "_") for name in plan.settings.node.modules)
    return tuple(dict.fromkeys((*REQUIRED_MODULES, *declared)))


def sysctls(plan: Plan) -> tuple[Sysctl, ...]:
    """Kernel settings in the order in which they are written; the declared ones last."""
    conntrack = plan.conntrack
    own = [Sysctl(name=name, value=value, reason=reason) for name, value, reason in _SYSCTLS]
    tracking = [
        ("nf_conntrack_max", str(conntrack.max_entries), "conntrack.max_entries; kube-proxy is told to keep off"),
        *((name, str(seconds), "declared; kube-proxy is told to keep off") for name, seconds in conntrack.timeouts),
        ("nf_conntrack_tcp_be_liberal", str(int(conntrack.tcp_be_liberal)), "out-of-window packets: declared"),
    ]
    own += [Sysctl(name=f"net.netfilter.{name}", value=value, reason=reason) for name, value, reason in tracking]
    return (*own, *(Sysctl(name=name, value=value, reason="declared in node.sysctls") for name, value in plan.settings.node.sysctls.items()))


def sysctl_file(plan: Plan) -> str:
    """/etc/sysctl.d: what a boot sets; `prepare` sets the same on the running kernel."""
    lines = [f"# {sysctl.reason}\n{sysctl.name} = {sysctl.value}\n" for sysctl in sysctls(plan)]
    return "# Written by underlay.\n" + "".join(lines)


def conn_tab_bits(plan: Plan) -> int:
    """Size of IPVS's connection table, bits: a bucket for every bucket of connection tracking, whose entries it shares."""
    low, high = CONN_TAB_BITS
    return min(max((plan.conntrack.buckets - 1).bit_length(), low), high)


def modprobe_file(plan: Plan) -> str:
    """/etc/modprobe.d: sizes that the modules take when they are loaded."""
    return (
        "# Written by underlay.\n"
        f"options nf_conntrack hashsize={plan.conntrack.buckets}\n"
        f"options ip_vs conn_tab_bits={conn_tab_bits(plan)}\n"
    )  # fmt: skip


def containerd_config(plan: Plan) -> str:
    """containerd's configuration (version 3, containerd 2.x)."""
    return fill("containerd.toml.j2", pause=f"registry.k8s.io/pause:{PAUSE.get(plan.settings.cluster.minor, PAUSE_NEWEST)}")


def chrony_config(plan: Plan) -> str:
    """chrony's whole configuration: the declared servers and no other."""
    return fill("chrony.conf.j2", servers=plan.settings.node.time.servers)


def hosts_file(plan: Plan, node: NodePlan) -> str:
    """/etc/hosts: the node's own name at its address, and the API's name where it has one."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", f"{node.address} {node.name}"]
    endpoint = plan.settings.cluster.endpoint
    if endpoint.name:
        lines.append(f"{endpoint.address} {endpoint.name}")
    return "\n".join(lines) + "\n"


def keepalived_config(plan: Plan, node: NodePlan) -> str:
    """keepalived's configuration on a control plane that may hold the API's address."""
    endpoint = plan.settings.cluster.endpoint
    peers = [str(address) for address in _possible_holders(plan) if address != node.address]
    return fill("keepalived.conf.j2", node=node, peers=peers, endpoint=endpoint, vrrp=endpoint.vrrp, interface=INTERFACE, library=LIBRARY)


def _possible_holders(plan: Plan) -> list[IPv4Address]:
    """The control planes there are and, beside a lone one, those it may grow to: then nothing changes on it, and the address stays.

    A lone keepalived without unicast peers would speak multicast, and give the address up for some seconds when it changes over.
    """
    network, first = plan.settings.network.cidr, plan.settings.control_plane.first_host
    return [network[host] for host in range(first, first + MOST_CONTROL_PLANES) if host < network.num_addresses - 1]


def holds_endpoint(plan: Plan, node: NodePlan) -> bool:
    """Whether keepalived runs on the node."""
    return node.is_control_plane and plan.settings.cluster.endpoint.held_by == "keepalived"


def authorized_keys(plan: Plan, authorized_key: str) -> str:
    """Who may log in as root: the environment's own key and the declared ones."""
    keys = dict.fromkeys(key.strip() for key in (authorized_key, *plan.settings.node.access.authorized_keys))
    return "".join(f"{key}\n" for key in keys)


def node_files(plan: Plan, node: NodePlan, *, authorized_key: str) -> tuple[NodeFile, ...]:
    """Everything that `prepare` writes, sorted by path; no secret in it."""
    files = [
        NodeFile(path="/etc/sysctl.d/90-underlay.conf", text=sysctl_file(plan)),
        NodeFile(path="/etc/modprobe.d/underlay.conf", text=modprobe_file(plan)),
        NodeFile(path="/etc/containerd/config.toml", text=containerd_config(plan), unit="containerd"),
        NodeFile(path="/etc/chrony/chrony.conf", text=chrony_config(plan), unit="chrony"),
        NodeFile(path="/etc/hosts", text=hosts_file(plan, node)),
        NodeFile(path="/root/.ssh/authorized_keys", text=authorized_keys(plan, authorized_key), mode="0600"),
    ]
    if node.is_control_plane:
        files.append(NodeFile(path=f"{LIBRARY}/leave", text=fill("leave.sh.j2"), mode="0755"))
        files += [NodeFile(path=f"{PATCHES_FOLDER}/{name}", text=text) for name, text in static_pod_patches(plan).items()]
    if holds_endpoint(plan, node):
        check = fill("check-api.sh.j2", port=plan.settings.cluster.endpoint.port, timeout_s=plan.settings.cluster.endpoint.vrrp.check_timeout_s)
        files.append(NodeFile(path=f"{LIBRARY}/check-api", text=check, mode="0755"))
        files.append(NodeFile(path="/etc/keepalived/keepalived.conf", text=keepalived_config(plan, node), unit="keepalived"))
    return tuple(sorted(files, key=lambda file: file.path))


_SYSCTLS = (
    ("net.ipv4.ip_forward", "1", "pods are behind the node (kubeadm's preflight asks for it)"),
    ("net.ipv4.conf.all.rp_filter", "0", "each device's own value counts; Calico's Felix refuses to run with 2 here"),
    ("net.ipv4.conf.default.rp_filter", "2", "loose: packets may come back another way (RFC 3704)"),
    (f"net.ipv4.conf.{INTERFACE}.rp_filter", "2", "the same for the node's own link"),
    ("net.core.somaxconn", "32768", "accept queue of busy servers; programs ask for less themselves"),
    ("net.ipv4.neigh.default.gc_thresh1", "4096", "neighbours kept: pods and nodes of a large layer-3 network"),
    ("net.ipv4.neigh.default.gc_thresh2", "8192", "soft limit of neighbours"),
    ("net.ipv4.neigh.default.gc_thresh3", "16384", "hard limit of neighbours (the kernel's 1024 loses packets beyond)"),
    ("fs.inotify.max_user_instances", "8192", "kubelet, containerd and pods of one user share them (default 128)"),
    ("fs.inotify.max_user_watches", "524288", "the same for watches"),
    ("vm.overcommit_memory", "1", "kubelet's own value (pkg/kubelet/cm, protectKernelDefaults)"),
    ("vm.panic_on_oom", "0", "kubelet's own value"),
    ("kernel.panic", "10", "kubelet's own value: restart 10 s after a panic"),
    ("kernel.panic_on_oops", "1", "kubelet's own value"),
    ("kernel.keys.root_maxkeys", "1000000", "kubelet's own value: runc takes a key for each container"),
    ("kernel.keys.root_maxbytes", "25000000", "kubelet's own value"),
)

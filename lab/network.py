"""The lab's network namespace: a bridge with the gateway's address in it, and no way out of it."""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from lab.places import Lab, LabError
from lab.process import attempt, in_namespace, run

MTU = 1500


@dataclass(frozen=True, kw_only=True)
class LabNetwork:
    """What the stack file says of the wire: the bridge's name, its own address on it, the pods' network."""

    bridge: str
    gateway: IPv4Interface
    pods: IPv4Network

    def __post_init__(self) -> None:
        if self.gateway.network.prefixlen != 24 or self.pods.prefixlen != 16:
            raise LabError(
                f"the lab gives one /24 of a /16 pod network to each node of a /24: "
                f"the stack file has nodes in {self.gateway.network} and pods in {self.pods}"
            )

    def node_pods(self, octet: int) -> IPv4Network:
        """The pods' addresses on the node whose address ends with the octet."""
        return IPv4Network((self.pods.network_address + (octet << 8), 24))


def namespace_path(lab: Lab) -> Path:
    """Where `ip netns` keeps the namespace."""
    return Path("/run/netns") / lab.namespace


def exists(lab: Lab) -> bool:
    """Whether the namespace is there and usable: a plain file is what a broken-off `ip netns add` leaves."""
    return attempt(in_namespace(lab.namespace, ["true"])).returncode == 0


def make(lab: Lab, network: LabNetwork) -> None:
    """Make the namespace as it has to be, whatever of it is there already."""
    if not exists(lab):
        remove(lab)
        run(["ip", "netns", "add", lab.namespace])
    ip = ["ip", "-n", lab.namespace]
    if attempt([*ip, "link", "show", network.bridge]).returncode != 0:
        run([*ip, "link", "add", network.bridge, "type", "bridge", "forward_delay", "0"])
    commands = [
        "link set lo up",
        f"link set {network.bridge} mtu {MTU} up",
        f"address replace {network.gateway} dev {network.bridge}",
    ]
    run([*ip, "-batch", "-"], stdin="".join(f"{command}\n" for command in commands))


def remove(lab: Lab) -> None:
    """Remove the namespace with all links in it; nothing to remove is fine."""
    if namespace_path(lab).exists():
        attempt(["ip", "netns", "delete", lab.namespace])
        namespace_path(lab).unlink(missing_ok=True)

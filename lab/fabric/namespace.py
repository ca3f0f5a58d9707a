"""A router's network namespace: its address of the node network on a cable into the lab's bridge."""

import hashlib
import shutil
from ipaddress import IPv4Address
from pathlib import Path

from lab import network as wire
from lab.network import MTU, LabNetwork
from lab.places import Lab, LabError
from lab.process import attempt, in_namespace, run

LINK = "eth0"
"""The router's own end of its cable."""


def routers_dir(lab: Lab) -> Path:
    """One folder for each router that the lab has: sockets, pid files, configuration."""
    return lab.run_dir / "routers"


def router_dir(lab: Lab, router: str) -> Path:
    """The router's own folder."""
    return routers_dir(lab) / router


def name(lab: Lab, router: str) -> str:
    """The router's namespace."""
    return f"{lab.namespace}-{router}"


def path(lab: Lab, router: str) -> Path:
    """Where `ip netns` keeps the router's namespace."""
    return wire.namespace_path(lab).with_name(name(lab, router))


def names(lab: Lab) -> list[str]:
    """Names of the routers that the lab has, whole or half made."""
    return sorted(folder.name for folder in routers_dir(lab).iterdir()) if routers_dir(lab).is_dir() else []


def paths(lab: Lab) -> list[Path]:
    """The namespaces of the lab's routers, those that are there."""
    return [place for router in names(lab) if (place := path(lab, router)).exists()]


def port(router: str) -> str:
    """The bridge's end of the cable: an interface's name has at most 15 characters."""
    plain = f"r-{router}"
    return plain if len(plain) <= 15 else f"r-{hashlib.sha256(router.encode()).hexdigest()[:12]}"


def exists(lab: Lab, router: str) -> bool:
    """Whether the namespace is there and usable."""
    return attempt(in_namespace(name(lab, router), ["true"])).returncode == 0


def make(lab: Lab, network: LabNetwork, router: str, address: IPv4Address) -> None:
    """Make the router's namespace and its cable as they have to be, whatever of them is there already."""
    folder, place = router_dir(lab, router), path(lab, router)
    if place.exists() and not folder.exists():
        raise LabError(f"namespace {place.name} of router {router!r} is there and not this lab's: run `make down` there, or rename one of the two")
    # Written first: what is half made is found by it.
    folder.mkdir(parents=True, exist_ok=True)
    if not exists(lab, router):
        _delete(place)
        run(["ip", "netns", "add", place.name])
    bridge_side, ip = ["ip", "-n", lab.namespace], ["ip", "-n", place.name]
    if attempt([*ip, "link", "show", LINK]).returncode != 0:
        attempt([*bridge_side, "link", "delete", port(router)])
        run([*bridge_side, "link", "add", port(router), "type", "veth", "peer", "name", LINK, "netns", place.name])
    run([*bridge_side, "link", "set", port(router), "mtu", str(MTU), "master", network.bridge, "up"])
    own = f"{address}/{network.gateway.network.prefixlen}"
    commands = ["link set lo up", f"link set {LINK} mtu {MTU} up", f"address replace {own} dev {LINK}"]
    run([*ip, "-batch", "-"], stdin="".join(f"{command}\n" for command in commands))
    run(in_namespace(place.name, ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]))


def remove(lab: Lab, router: str) -> None:
    """Remove the router's namespace, cable and folder; its processes have ended. Nothing to remove is fine."""
    attempt(["ip", "-n", lab.namespace, "link", "delete", port(router)])
    _delete(path(lab, router))
    shutil.rmtree(router_dir(lab, router), ignore_errors=True)


def _delete(place: Path) -> None:
    if place.exists():
        attempt(["ip", "netns", "delete", place.name])
        place.unlink(missing_ok=True)

"""A router with what router-config prints, and nodes with stock BIRD 2, each in a network namespace of its own on one link."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, Literal

from native_control_plane import until

from plan import Plan
from plan.bgp import RouterPlan, SpeakerPlan
from render import router_config

Daemon = Literal["bird", "frr"]
PASSWORD = "a-password-of-the-tests"
FRR_USER = "frr"
FRR_DAEMONS = Path("/usr/lib/frr")


@dataclass(frozen=True, kw_only=True)
class Announced:
    """A route that a node tells, with what is unusual about it."""

    prefix: str
    next_hop: str = ""
    """Another node's address, where the route claims to lead there."""
    behind_as: int | None = None
    """The autonomous system that it claims to come from."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a node speaks, where it differs from what is declared."""

    password: str = PASSWORD
    as_number: int | None = None
    ttl_security: bool | None = None


class Namespace:
    """A network namespace, the processes in it, and a folder for what they read and write."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._holder = subprocess.Popen(["unshare", "--net", "--", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        with self._holder.stdout as said:
            said.readline()  # it is in its namespace now
        self.path = f"/proc/{self._holder.pid}/ns/net"
        self.pid = self._holder.pid
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command: str) -> str:
        """Runs a program in the namespace; its output."""
        done = subprocess.run(["nsenter", f"--net={self.path}", "--", *command], capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str, *command: str) -> None:
        """Starts a daemon in the namespace."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.daemons[name] = subprocess.Popen(["nsenter", f"--net={self.path}", "--", *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def end(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends a daemon and waits for it."""
        daemon = self.daemons.pop(name)
        daemon.send_signal(signal.SIGCONT)
        daemon.send_signal(how)
        daemon.wait(timeout=20)

    def log(self, name: str) -> str:
        """What a daemon said."""
        return (self.folder / f"{name}.log").read_text()

    def routes(self) -> dict[str, set[str]]:
        """The routes that daemons put into the kernel: next hops by prefix."""
        found: dict[str, set[str]] = {}
        for route in json.loads(self.run("ip", "-json", "route", "show")):
            if route.get("protocol") in ("bird", "bgp"):
                hops: list[dict[str, Any]] = route.get("nexthops", [route])
                found[_network(route["dst"])] = {hop["gateway"] for hop in hops}
        return found

    def close(self) -> None:
        """Ends everything."""
        for name in list(self.daemons):
            with contextlib.suppress(ProcessLookupError):
                self.end(name)
        self._holder.kill()
        self._holder.wait()


@dataclass(kw_only=True)
class RouterLink:
    """The link of one router of a plan with its nodes."""

    plan: Plan
    name: str
    daemon: Daemon
    folder: Path
    namespaces: dict[str, Namespace] = field(default_factory=dict[str, Namespace])

    @property
    def router(self) -> RouterPlan:
        """The router's plan."""
        return next(router for router in self.plan.pod_network.bgp.routers if router.name == self.name)

    @property
    def text(self) -> str:
        """What is printed for the router, with the password in it."""
        printed = router_config.bird(self.plan, self.name) if self.daemon == "bird" else router_config.frr(self.plan, self.name)
        return printed.replace(router_config.placeholder("tor1"), PASSWORD)

    def speaker(self, node: str) -> SpeakerPlan:
        """A node by its name without the environment's."""
        return self.plan.pod_network.bgp.speaker(f"{self.plan.settings.name}-{node}")

    def address(self, node: str) -> str:
        """A node's address."""
        return str(self.speaker(node).address)

    def attach(self, name: str, address: IPv4Address) -> Namespace:
        """A namespace on the link with this address."""
        if "" not in self.namespaces:
            bridge = self.namespaces[""] = Namespace(self.folder / "bridge")
            bridge.run("ip", "link", "add", "br0", "type", "bridge")
            bridge.run("ip", "link", "set", "br0", "up")
        made = self.namespaces[name] = Namespace(self.folder / name)
        port = f"p{len(self.namespaces)}"
        self.namespaces[""].run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(made.pid))
        self.namespaces[""].run("ip", "link", "set", port, "master", "br0", "up")
        interface = IPv4Interface(f"{address}/{self.plan.settings.network.cidr.prefixlen}")
        made.run("ip", "addr", "add", str(interface), "dev", "eth0")
        made.run("ip", "link", "set", "eth0", "up")
        return made

    def start_router(self) -> Namespace:
        """The router with its daemon and what is printed for it."""
        made = self.namespaces.get("router") or self.attach("router", self.router.settings.address)
        if self.daemon == "bird":
            _start_bird(made, self.text)
        else:
            _start_frr(made, self.text)
        return made

    def start_node(self, node: str, routes: Iterable[Announced | str] = (), manner: Manner | None = None, *, again: bool = False) -> Namespace:
        """A node with stock BIRD, which announces these routes to the router as Calico's would; `again`: after it was killed."""
        speaker = self.speaker(node)
        made = self.namespaces.get(node) or self.attach(node, speaker.address)
        announced = [Announced(prefix=route) if isinstance(route, str) else route for route in routes]
        recovery = ("-R",) if again else ()  # Calico's runs with it: it says that the kernel has kept the routes
        _start_bird(made, node_text(speaker, self.router, announced, manner or Manner()), *recovery)
        return made

    def established(self, node: str) -> bool:
        """Whether the session is up at both ends: a router that refuses a far node's later packets has answered its first."""
        router, speaker = self.namespaces["router"], self.speaker(node)
        if self.daemon == "bird":
            up = "Established" in birdc(router, "show", "protocols", f'"{speaker.node}"')
        else:
            peers = json.loads(vtysh(router, "show bgp ipv4 unicast summary json"))["peers"]
            up = peers[str(speaker.address)]["state"] == "Established"
        return up and "Established" in birdc(self.namespaces[node], "show", "protocols", "tor")

    def of_session(self, node: str) -> str:
        """All that the router says of its session with the node."""
        router, speaker = self.namespaces["router"], self.speaker(node)
        if self.daemon == "bird":
            return birdc(router, "show", "protocols", "all", f'"{speaker.node}"')
        return vtysh(router, f"show bgp neighbors {speaker.address}")

    def learnt(self, node: str) -> dict[str, str]:
        """What the node learnt from the router: next hop by prefix."""
        said = birdc(self.namespaces[node], "show", "route", "all", "protocol", "tor")
        prefixes = re.findall(r"^(?:Table master4:\s+)?(\S+/\d+)\s.*?BGP\.next_hop: (\S+)", said, re.MULTILINE | re.DOTALL)
        return dict(prefixes)

    def close(self) -> None:
        """Ends everything."""
        for namespace in self.namespaces.values():
            namespace.close()


def node_text(speaker: SpeakerPlan, router: RouterPlan, routes: Sequence[Announced], manner: Manner) -> str:
    """A node's BIRD, as Calico configures its own towards a router: active, multihop, everything imported."""
    settings = router.settings
    secured = bool(settings.ttl_security_hops) if manner.ttl_security is None else manner.ttl_security
    odd = [
        f"if net = {route.prefix} then {{ "
        + (f"bgp_next_hop = {route.next_hop}; " if route.next_hop else "")
        + (f"bgp_path.prepend({route.behind_as}); " if route.behind_as else "")
        + "}"
        for route in routes
    ]
    return "\n".join(
        [
            f"log stderr all; router id {speaker.address};",
            "protocol device { }",
            "protocol direct { ipv4; }",
            "protocol static { ipv4; " + " ".join(f"route {route.prefix} blackhole;" for route in routes) + " }",
            "protocol kernel { ipv4 { export where source = RTS_BGP; }; }",
            f"protocol bgp tor {{ local {speaker.address} as {manner.as_number or speaker.as_number};",
            f"  neighbor {settings.address} as {settings.as_number};",
            f"  multihop{f' {settings.ttl_security_hops}; ttl security on' if secured else ''};",
            f'  password "{manner.password}";' if settings.password else "",
            "  graceful restart on; connect delay time 1; connect retry time 2; error wait time 1,2;",
            f"  ipv4 {{ gateway recursive; import all; export filter {{ {' '.join(odd)} if source = RTS_STATIC then accept; reject; }}; }};",
            "}",
        ]
    )


def birdc(namespace: Namespace, *question: str) -> str:
    """What the namespace's BIRD says."""
    return namespace.run("birdc", "-s", str(namespace.folder / "bird.ctl"), *question)


def vtysh(namespace: Namespace, question: str) -> str:
    """What the namespace's FRR says."""
    folder = str(namespace.folder)
    return namespace.run("vtysh", "--vty_socket", folder, "--config_dir", folder, "-c", question)


def _start_bird(namespace: Namespace, text: str, *options: str) -> None:
    (namespace.folder / "bird.conf").write_text(text)
    socket = namespace.folder / "bird.ctl"
    socket.unlink(missing_ok=True)
    files = ("-c", str(namespace.folder / "bird.conf"), "-s", str(socket), "-P", str(namespace.folder / "bird.pid"))
    namespace.start("bird", "bird", "-f", *files, *options)
    _until_there(namespace, "bird", socket)


def _start_frr(namespace: Namespace, text: str) -> None:
    folder = str(namespace.folder)
    (namespace.folder / "frr.conf").write_text(text)
    (namespace.folder / "vtysh.conf").write_text("")
    shutil.chown(folder, FRR_USER)  # FRR drops root before it opens its sockets
    for program in ("zebra", "bgpd"):
        files = ("-f", "/dev/null", "-i", f"{folder}/{program}.pid", "-z", f"{folder}/zserv.api", "--vty_socket", folder)
        namespace.start(program, str(FRR_DAEMONS / program), *files, "-P", "0", "-u", FRR_USER, "-g", FRR_USER, "--log", "stdout")
        _until_there(namespace, program, namespace.folder / f"{program}.vty")
    said = namespace.run("vtysh", "--vty_socket", folder, "--config_dir", folder, "-b")
    assert "%" not in said, said


def _until_there(namespace: Namespace, program: str, socket: Path) -> None:
    def there() -> bool:
        assert namespace.daemons[program].poll() is None, namespace.log(program)
        return socket.exists()

    until(f"{program} answers", there, 20)


def _network(destination: str) -> str:
    return "0.0.0.0/0" if destination == "default" else destination if "/" in destination else f"{destination}/32"


Start = Callable[[Plan, Daemon], RouterLink]

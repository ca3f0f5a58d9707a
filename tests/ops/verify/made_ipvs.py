"""/proc/net/ip_vs and its company, as a kernel with HZ=250 writes them for the recorded Services on lab-cp-1."""

from ipaddress import IPv4Address

WEB = ("10.32.0.5:8080", "10.32.1.6:8080")
SERVERS: dict[str, tuple[str, ...]] = {
    "UDP 10.96.0.10:53": ("10.32.0.9:8080",),
    "TCP 10.96.0.10:53": ("10.32.0.9:8080",),
    "TCP 10.96.0.1:443": ("10.77.0.11:6443",),
    "TCP 10.96.1.3:80": (),
    "TCP 10.96.1.5:80": ("10.32.0.5:8080",),
    "TCP 10.96.1.2:80": WEB,
    "TCP 10.96.1.4:80": ("10.32.1.6:8080",),
    **{f"TCP {address}:30080": ("10.32.1.6:8080",) for address in ("10.77.0.11", "10.77.0.10")},
    **{f"TCP {address}:{port}": WEB for address in ("10.96.1.1", "10.99.0.7", "10.98.0.1") for port in (80, 81)},
    **{f"TCP {address}:{port}": WEB for address in ("10.77.0.11", "10.77.0.10") for port in (31272, 31675)},
}
FLAGS = {"TCP 10.96.1.2:80": "persistent 2700000 FFFFFFFF"}
DUMMY = ("10.96.0.10", "10.96.0.1", "10.96.1.1", "10.96.1.2", "10.96.1.3", "10.96.1.4", "10.96.1.5", "10.99.0.7", "10.98.0.1")
SETS = {
    "KUBE-CLUSTER-IP": tuple(
        f"{address},{protocol}:{port}"
        for address, protocol, port in (
            ("10.96.0.10", "udp", 53),
            ("10.96.0.10", "tcp", 53),
            ("10.96.0.1", "tcp", 443),
            ("10.96.1.1", "tcp", 80),
            ("10.96.1.1", "tcp", 81),
            *((f"10.96.1.{last}", "tcp", 80) for last in (2, 3, 4, 5)),
        )
    ),
    "KUBE-EXTERNAL-IP": ("10.99.0.7,tcp:80", "10.99.0.7,tcp:81"),
    "KUBE-EXTERNAL-IP-LOCAL": (),
    "KUBE-LOAD-BALANCER": ("10.98.0.1,tcp:80", "10.98.0.1,tcp:81"),
    "KUBE-LOOP-BACK": ("10.32.0.5,tcp:8080,10.32.0.5",),
    "KUBE-NODE-PORT-TCP": ("30080", "31272", "31675"),
    "KUBE-NODE-PORT-UDP": (),
}


def hexadecimal(place: str) -> str:
    """10.96.0.1:443 as the kernel writes it."""
    address, _, port = place.rpartition(":")
    return f"{int(IPv4Address(address)):08X}:{int(port):04X}"


def ip_vs(servers: dict[str, tuple[str, ...]], scheduler: str = "rr", weights: dict[str, int] | None = None) -> str:
    """The file."""
    lines = [
        "IP Virtual Server version 1.2.1 (size=32768)",
        "Prot LocalAddress:Port Scheduler Flags",
        "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn",
    ]
    for server, reals in servers.items():
        protocol, place = server.split()
        lines.append(f"{protocol}  {hexadecimal(place)} {scheduler} {FLAGS.get(server, '')}".rstrip() + (" " if server not in FLAGS else ""))
        lines += [f"  -> {hexadecimal(real)}      Masq    {(weights or {}).get(real, 1):<6} 0          3         " for real in reals]
    return "\n".join(lines) + "\n"


def addresses(dummy: tuple[str, ...] = DUMMY) -> str:
    """`ip -4 -o address show`."""
    rest = r"\       valid_lft forever preferred_lft forever"
    lines = [
        rf"1: lo    inet 127.0.0.1/8 scope host lo{rest}",
        rf"2: eth0    inet 10.77.0.11/24 brd 10.77.0.255 scope global eth0{rest}",
        rf"2: eth0    inet 10.77.0.10/32 scope global eth0{rest}",
        *(rf"5: kube-ipvs0    inet {address}/32 scope global kube-ipvs0{rest}" for address in dummy),
    ]
    return "\n".join(lines)


def ipset_save(sets: dict[str, tuple[str, ...]]) -> str:
    """`ipset save`."""
    lines: list[str] = []
    for name, entries in sets.items():
        lines.append(f"create {name} hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x8f9e0c2d")
        lines += [f"add {name} {entry}" for entry in entries]
    return "\n".join(lines)

"""What a kernel's tables carry for Services, in whichever mode: virtual servers, nftables' maps, iptables' chains."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from ops.verify.reading.services import ANY_ADDRESS, Key

TICKS = (100, 250, 300, 1000)
"""What a kernel may be built with (CONFIG_HZ): /proc/net/ip_vs does not say which."""
PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}


@dataclass(frozen=True, kw_only=True)
class Served:
    """One place where a Service answers, as the kernel has it."""

    endpoints: frozenset[str] = frozenset()
    """Those that take new connections."""
    draining: frozenset[str] = frozenset()
    """Weight 0: connections end, none begins."""
    heavier: Mapping[str, int] = field(default_factory=dict[str, int])
    """Weights other than 0 and 1."""
    scheduler: str = ""
    """IPVS alone."""
    affinity_ticks: int | None = None
    """IPVS alone; the kernel shows its own ticks."""

    def keeps_clients_for(self, seconds: int | None) -> bool:
        """Whether the affinity is this one."""
        if seconds is None or self.affinity_ticks is None:
            return seconds is None and self.affinity_ticks is None
        return any(self.affinity_ticks == seconds * ticks for ticks in TICKS)


Table = dict[Key, Served]


def ipvs(text: str) -> Table | None:
    """/proc/net/ip_vs; None where it is something else. IPv6 and firewall marks are under what the kernel writes there."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("IP Virtual Server"):
        return None
    found: Table = {}
    reals: list[tuple[str, int]] = []
    key, words = Key("", "", 0), list[str]()
    for line in [*lines[3:], "END"]:
        if line.startswith("  ->"):
            real = line.split()
            if len(real) >= 4 and real[3].isdigit():
                reals.append((_hex(real[1]), int(real[3])))
            continue
        if words:
            found[key] = _virtual(words, reals)
        words, reals = line.split(), []
        if len(words) < 2 or words[0] not in ("TCP", "UDP", "SCTP", "FWM"):
            words = []
            continue
        # a firewall mark has no port
        address, mark, port = _hex(words[1]).rpartition(":")
        key = Key(words[0].lower(), address if mark else port, int(port) if mark and port.isdigit() else 0)
    return found


def _virtual(words: list[str], reals: list[tuple[str, int]]) -> Served:
    timeout = _after(words, "persistent")
    return Served(
        endpoints=frozenset(address for address, weight in reals if weight > 0),
        draining=frozenset(address for address, weight in reals if weight == 0),
        heavier={address: weight for address, weight in reals if weight > 1},
        scheduler=words[2] if len(words) > 2 else "",
        affinity_ticks=int(timeout) if timeout.isdigit() else None,
    )


def _hex(written: str) -> str:
    """0A600001:01BB as 10.96.0.1:443; anything else as it is."""
    found = re.fullmatch(r"([0-9A-F]{8}|\[[0-9a-f:]+\]):([0-9A-F]{4})", written)
    if found is None:
        return written
    address = found[1] if found[1].startswith("[") else str(IPv4Address(int(found[1], 16)))
    return f"{address}:{int(found[2], 16)}"


def nftables(text: str) -> Table | None:
    """`nft list table ip kube-proxy`; None where it is something else."""
    if not text.lstrip().startswith("table ip kube-proxy"):
        return None
    blocks = dict(_blocks(text))
    found: Table = {}
    for element, chain in _elements(blocks.get("map service-ips", "")):
        if len(element) == 3 and element[2].isdigit():
            found[Key(PROTOCOLS.get(element[1], element[1]), element[0], int(element[2]))] = Served(endpoints=_reached(chain, blocks))
    for element, chain in _elements(blocks.get("map service-nodeports", "")):
        if len(element) == 2 and element[1].isdigit():
            found[Key(PROTOCOLS.get(element[0], element[0]), ANY_ADDRESS, int(element[1]))] = Served(endpoints=_reached(chain, blocks))
    return found


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """`map NAME`, `chain NAME` and their lines."""
    for found in re.finditer(r"(?m)^\t((?:map|set|chain) \S+) \{\n((?:\t\t.*\n|\n)*)\t\}", text):
        yield found[1], found[2]


def _elements(block: str) -> Iterator[tuple[list[str], str]]:
    """Key parts and the chain that a verdict map goes to."""
    _, _, listed = block.partition("elements = {")
    for found in re.finditer(r"([0-9a-z. ]+?)(?: comment \"[^\"]*\")? : goto (\S+?)(?:,|\s|$)", listed):
        yield [part.strip() for part in found[1].split(" . ")], found[2]


def _reached(chain: str, blocks: Mapping[str, str]) -> frozenset[str]:
    """All addresses to which a chain translates, through the chains that it goes to."""
    left, seen, addresses = [chain], set[str](), set[str]()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        body = blocks.get(f"chain {name}", "")
        for line in body.splitlines():
            if "dnat" in line:
                addresses |= {f"{address}:{port}" for address, port in re.findall(r"([0-9.]+)(?: \. |:)([0-9]+)(?=[\s,}]|$)", line)}
            left += re.findall(r"goto ([^\s,]+)", line)
    return frozenset(addresses)


def iptables(text: str) -> Table | None:
    """`iptables-save -t nat`; None where it is something else."""
    if "*nat" not in text:
        return None
    rules: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        words = _words(line)
        if words[:1] == ["-A"] and len(words) > 2:
            rules.setdefault(words[1], []).append(words)
    found: Table = {}
    for chain in ("KUBE-SERVICES", "KUBE-NODEPORTS"):
        for words in rules.get(chain, []):
            target, port = _after(words, "-j"), _after(words, "--dport")
            address = _after(words, "-d").removesuffix("/32") if chain == "KUBE-SERVICES" else ANY_ADDRESS
            if target.startswith(("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-")) and port.isdigit() and address:
                found[Key(_after(words, "-p"), address, int(port))] = Served(endpoints=_translated(target, rules))
    return found


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []


def _after(words: list[str], option: str) -> str:
    place = words.index(option) + 1 if option in words else 0
    return words[place] if 0 < place < len(words) else ""


def _translated(chain: str, rules: Mapping[str, list[list[str]]]) -> frozenset[str]:
    left, seen, addresses = [chain], set[str](), set[str]()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        for words in rules.get(name, []):
            addresses |= {_after(words, "--to-destination")} - {""}
            if _after(words, "-j").startswith("KUBE-S") or _after(words, "-j").startswith("KUBE-EXT-"):
                left.append(_after(words, "-j"))
    return frozenset(addresses)

"""The forms that texts, numbers and addresses of the settings have, each with words for the operator who missed it."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Strict
from pydantic_core import PydanticCustomError

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DNS = rf"{LABEL}(\.{LABEL})*"
QUALIFIED = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

RESERVED = {
    IPv4Network("0.0.0.0/8"): "this host's own range",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}
"""Ranges that no node, pod or Service can have (RFC 6890)."""


@dataclass(frozen=True)
class Words:
    """What a form is called in the settings table."""

    text: str


def wrong_form(expected: str, remedy: str) -> PydanticCustomError:
    """The error of a value that has another form; `settings.errors` puts the value before it where it may be shown."""
    return PydanticCustomError("form", "{expected}; {remedy}", {"expected": expected, "remedy": remedy})


def text(pattern: str, expected: str, example: str, longest: int = 0) -> AfterValidator:
    """A check that a text matches `pattern` as a whole and has at most `longest` characters (0: any number)."""
    compiled = re.compile(pattern)
    rule = f"{expected}, at most {longest} characters" if longest else expected

    def check(value: str) -> str:
        if not compiled.fullmatch(value) or (longest and len(value) > longest):
            raise wrong_form(rule, f"write it like {example}")
        return value

    return AfterValidator(check)


def _distinct(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"has {str(value)[:60]!r} twice, limit once; remove one of them")
    return values


def _no_flag(value: object) -> object:
    if isinstance(value, bool):
        raise wrong_form("expected a whole number", "write one such as 1")
    return value


def _prefix(value: object) -> IPv4Network:
    if isinstance(value, IPv4Network):
        return value
    example = "write a network with its prefix, such as 10.20.0.0/24"
    if not isinstance(value, str):
        raise wrong_form("expected an IPv4 network", example)
    try:
        network = IPv4Network(value, strict=False)
    except ValueError:
        raise wrong_form("expected an IPv4 network", example) from None
    if str(network.network_address) != value.split("/")[0]:
        raise wrong_form("expected a network without host bits", f"write {network}")
    if "/" not in value:
        raise wrong_form("expected a network with its prefix", f"write {network} for the one address, or a shorter prefix")
    return network


def _network(value: object) -> IPv4Network:
    network = _prefix(value)
    for reserved, kind in RESERVED.items():
        if network.overlaps(reserved):
            raise wrong_form(f"which overlaps {reserved} ({kind}), allowed: unicast addresses", "choose another network, such as 10.20.0.0/24")
    return network


def _address(value: object) -> IPv4Address:
    if isinstance(value, IPv4Address):
        return value
    if not isinstance(value, str):
        raise wrong_form("expected an IPv4 address", "write one address such as 10.20.0.1")
    bare = value.split("/")[0]
    try:
        address = IPv4Address(bare)
    except ValueError:
        raise wrong_form("expected an IPv4 address", "write one address such as 10.20.0.1") from None
    if bare != value:
        raise wrong_form("expected an address without a prefix", f"write {address}")
    for reserved, kind in RESERVED.items():
        if address in reserved:
            raise wrong_form(f"which lies in {reserved} ({kind}), allowed: unicast addresses", "name an address that the nodes can reach")
    return address


def _host(value: str) -> str:
    if re.fullmatch(r"[0-9.]+", value):
        return str(_address(value))
    if len(value) > 253 or not re.fullmatch(DNS, value):
        raise wrong_form("expected a DNS name or an IPv4 address", "write it like ntp.example.com or 10.20.0.1")
    return value


def _label_key(value: str) -> str:
    prefix, slash, name = value.rpartition("/")
    if not re.fullmatch(QUALIFIED, name) or (slash and (len(prefix) > 253 or not re.fullmatch(DNS, prefix))):
        raise wrong_form("expected a Kubernetes label key: a name of at most 63 characters, before it a DNS name and a slash if wanted", LABEL_REMEDY)
    return value


LABEL_REMEDY = "write it like disk or example.com/disk"


def parse_cpu_set(cpu_set: str) -> tuple[int, ...]:
    """Host CPUs of a cpuset such as `2-5,8`, in order; ValueError on anything else."""
    cpus: set[int] = set()
    for part in cpu_set.split(","):
        first, dash, last = part.strip().partition("-")
        if not re.fullmatch(r"[0-9]{1,4}", first) or (dash and not re.fullmatch(r"[0-9]{1,4}", last)):
            raise wrong_form("expected a CPU set: ranges and numbers", "write it like 2-15,18")
        begin, end = int(first), int(last or first)
        if end < begin or end > 4095:
            raise wrong_form(f"which has the range {part.strip()}, limits 0-4095 in rising order", "write the lower CPU first")
        cpus.update(range(begin, end + 1))
    return tuple(sorted(cpus))


def _cpu_set(value: str) -> str:
    parse_cpu_set(value)
    return value


def cpu_ranges(cpus: set[int]) -> str:
    """CPUs as the kernel writes them: {2, 3, 4, 8} is `2-4,8`."""
    starts = sorted(cpu for cpu in cpus if cpu - 1 not in cpus)
    ends = sorted(cpu for cpu in cpus if cpu + 1 not in cpus)
    return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


Whole = Annotated[int, Strict()]
"""A whole number; neither "4" nor true passes for one."""
Number = Annotated[float, Strict()]
"""A number; neither "4" nor true passes for one."""
Flag = Annotated[bool, Strict()]
"""true or false; neither "yes" nor 1 passes for one."""
NoFlag = BeforeValidator(_no_flag)
"""For a choice of numbers: Python takes true for 1."""
Distinct = AfterValidator(_distinct)
"""A list without an entry twice."""
Network = Annotated[IPv4Network, BeforeValidator(_network), Words("IPv4 network")]
"""An IPv4 network of unicast addresses, written with its prefix and without host bits."""
Prefix = Annotated[IPv4Network, BeforeValidator(_prefix), Words("IPv4 network")]
"""What routes are compared with: any network, also 0.0.0.0/0."""
Address = Annotated[IPv4Address, BeforeValidator(_address), Words("IPv4 address")]
"""A unicast IPv4 address."""
DnsLabel = Annotated[
    str, text(r"[a-z]([-a-z0-9]*[a-z0-9])?", "expected lower-case letters, digits and dashes, a letter first", "kvm1", 40), Words("DNS label")
]
"""A lower-case DNS label (RFC 1123) that starts with a letter; 40 characters leave room for a suffix."""
DnsName = Annotated[str, text(DNS, "expected a lower-case DNS name", "api.example.com", 253), Words("DNS name")]
"""A lower-case DNS name (RFC 1123)."""
Host = Annotated[str, AfterValidator(_host), Words("DNS name or IPv4 address")]
"""A DNS name or a unicast IPv4 address."""
LibvirtName = Annotated[
    str, text(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", "expected letters, digits, dots, dashes and underscores", "nvme-pool", 64), Words("libvirt name")
]
"""Name of an object that libvirt keeps."""
InterfaceName = Annotated[
    str, text(r"[A-Za-z0-9][A-Za-z0-9_.-]*", "expected a network device: letters, digits, dots, dashes", "br0", 15), Words("network device")
]
"""A Linux network device name: at most 15 characters (IFNAMSIZ)."""
Country = Annotated[str, text(r"[A-Z]{2}", "expected a country of two capital letters (ISO 3166-1)", '"NO"'), Words("country code")]
"""A country code."""
AbsolutePath = Annotated[str, text(r"/[^\x00\n]*", "expected an absolute path", "/var/lib/libvirt/images"), Words("path")]
"""A path from the root folder."""
LabelKey = Annotated[str, AfterValidator(_label_key), Words("label key")]
"""Key of a Kubernetes label or taint."""
LabelValue = Annotated[str, text(rf"({QUALIFIED})?", "expected letters, digits, dots, dashes and underscores", "nvme", 63), Words("label value")]
"""Value of a Kubernetes label or taint; may be empty."""
CpuSet = Annotated[str, AfterValidator(_cpu_set), Words("CPU set")]
"""Host CPUs as the kernel and libvirt write them: `2-15,18`."""
Device = Annotated[str, text(r"/dev/[A-Za-z0-9/_.:+-]+", "expected a block device below /dev", "/dev/nvme0n1"), Words("block device")]
"""A block device of a host."""

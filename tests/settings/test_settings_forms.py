"""Forms of texts: what passes, what does not, and that CPU sets survive being written."""

from itertools import combinations
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from settings.bgp import Community, CommunityOrName, SecretName
from settings.calico import CalicoVersion, Registry
from settings.forms import Address, DnsLabel, DnsName, Host, LabelKey, LabelValue, Network, cpu_ranges, parse_cpu_set

FORMS: dict[str, tuple[TypeAdapter[Any], list[str], list[str]]] = {
    "label": (TypeAdapter(DnsLabel), ["a", "a-1", "a" * 40], ["", "1a", "a-", "-a", "A", "a.b", "a" * 41, "a\n"]),
    "name": (
        TypeAdapter(DnsName),
        ["a", "1.a", "a-b.c", "a" * 63 + ".b"],
        ["", "a..b", "a.", "-a.b", "a_b", "A.b", "a" * 64, ".".join(["a" * 50] * 6)],
    ),
    "host": (TypeAdapter(Host), ["a.b", "10.0.0.1", "ntp1"], ["10.0.0", "10.0.0.256", "127.0.0.1", "fd00::1"]),
    "label key": (TypeAdapter(LabelKey), ["a", "A_b.c", "x.y/A_b", "a" * 63], ["", "/a", "x/", "x/y/z", "X.y/a", "a-", "a" * 64, "a" * 64 + ".b/c"]),
    "label value": (TypeAdapter(LabelValue), ["", "a", "A_b.c-9", "a" * 63], ["-a", "a b", "a" * 64]),
    "network": (
        TypeAdapter(Network),
        ["10.0.0.0/8", "192.0.2.0/24", "10.0.0.1/32"],
        ["10.0.0.1/24", "10.0.0.0", "0.0.0.0/0", "169.254.0.0/24", "240.0.0.0/8", "10/8"],
    ),
    "address": (
        TypeAdapter(Address),
        ["10.0.0.1", "203.0.113.7"],
        ["0.0.0.0", "224.0.0.18", "255.255.255.255", "169.254.1.1", "10.0.0.01", "10.0.0.1 "],  # noqa: S104 - a wrong address, no socket
    ),
    "community": (
        TypeAdapter(Community),
        ["0:0", "65535:65535", "64512:100", "4294967295:1:4294967295"],
        ["", "1", "1:", ":1", "65536:1", "1:65536", "1:1:4294967296", "1:2:3:4", "-1:2", "a:1", "1:1 "],
    ),
    "community or name": (TypeAdapter(CommunityOrName), ["64512:1", "1:2:3", "anycast", "a-1"], ["64512", "A", "a-", "a" * 41, "1:x", "a:b"]),
    "name of a secret": (TypeAdapter(SecretName), ["tor", "tor1", "1-a", "a" * 40], ["", "-a", "Tor", "a b", "a.b", "a" * 41, "a_b"]),
    "Calico version": (TypeAdapter(CalicoVersion), ["3.32.1", "3.31.10"], ["3.32", "v3.32.1", "3.32.1-rc1", "3.32.x", "", "3.32.1.0", "3.1000.1"]),
    "registry": (
        TypeAdapter(Registry),
        ["registry.example", "registry.example:5000/calico", "quay.io/a/b_c"],
        ["", "https://registry.example", "user:pass@registry.example", "registry.example/", "Registry.example", "registry.example:port"],
    ),
}
CASES = [(name, text, True) for name, (_, right, _) in FORMS.items() for text in right] + [
    (name, text, False) for name, (_, _, wrong) in FORMS.items() for text in wrong
]


@pytest.mark.parametrize(("form", "text", "passes"), CASES)
def test_a_form_takes_what_its_standard_takes(form: str, text: str, *, passes: bool) -> None:
    adapter = FORMS[form][0]
    if passes:
        assert str(adapter.validate_python(text)) == text
    else:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


@pytest.mark.parametrize("form", ["network", "address"])
@pytest.mark.parametrize("value", [5, 10.0, None, b"\x0a\x00\x00\x01", True])
def test_an_address_is_a_text(form: str, value: object) -> None:
    adapter = FORMS[form][0]
    with pytest.raises(ValidationError):
        adapter.validate_python(value)


def test_a_cpu_set_survives_being_written() -> None:
    for size in range(1, 5):
        for cpus in combinations((0, 1, 2, 3, 7, 8, 4095), size):
            assert parse_cpu_set(cpu_ranges(set(cpus))) == cpus


@pytest.mark.parametrize(("text", "cpus"), [("2-4,8", (2, 3, 4, 8)), ("8,2-4", (2, 3, 4, 8)), ("1,1-2", (1, 2)), ("5-5", (5,))])
def test_a_cpu_set_is_read_as_the_kernel_reads_it(text: str, cpus: tuple[int, ...]) -> None:
    assert parse_cpu_set(text) == cpus


@pytest.mark.parametrize("text", ["", ",", "1,", "-2", "2-", "4-2", "1-2-3", "0-4096", "a", "0x1", "²", "1 2", "^3"])
def test_anything_else_is_no_cpu_set(text: str) -> None:
    with pytest.raises(ValueError, match=r"CPU|range"):
        parse_cpu_set(text)

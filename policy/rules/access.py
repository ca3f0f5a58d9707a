"""Who can reach a node, and how surely underlay reaches the right one."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final
from urllib.parse import parse_qs, urlsplit

from policy.model import UNKNOWN, Resource, Stack
from policy.rule import Rule

_SEED: Final = "libvirt:index/cloudInitDisk:CloudInitDisk"
_REMOTE: Final = ("command:remote:Command", "command:remote:CopyFile", "command:remote:CopyToRemote")
_LIBVIRT: Final = "pulumi:providers:libvirt"
_OWN: Final = re.compile(r"(?m)^(\s*)addresses:\s*(?:\n\1(?:  )?-\s*|\[\s*)[\"']?((?:\d{1,3}\.){3}\d{1,3})/\d+")
_ADDRESS: Final = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_UNVERIFIED: Final = {"no_verify": {"1"}, "known_hosts_verify": {"ignore", "auto"}}


def addresses(resource: Resource, stack: Stack) -> Iterator[str]:
    """A node that has an address of the public internet; said of each address once."""
    for address in _public(resource):
        earlier = (found for other in stack.before(resource, _SEED, *_REMOTE) for found in _public(other))
        if address not in earlier:
            yield (
                f"{resource.name}: address {address} is one of the public internet, allowed: private ones (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10); "
                "number network.cidr from those, and let clients in by the ingress or a load balancer"
            )


def _public(resource: Resource) -> Iterator[str]:
    found: list[str] = []
    if resource.type == _SEED:
        found = [address for _, address in _OWN.findall(resource.text("networkConfig"))]
    elif resource.type in _REMOTE and _ADDRESS.fullmatch(resource.text("connection", "host")):
        found = [resource.text("connection", "host")]
    for text in found:
        try:
            address = IPv4Address(text)
        except ValueError:
            continue
        if address.is_global:
            yield text


def host_keys(resource: Resource, stack: Stack) -> Iterator[str]:
    """A session whose server nobody verifies; of a kind of session once."""
    del stack
    if resource.type in _REMOTE:
        for path in (("connection",), ("connection", "proxy")):
            if resource.tree(*path) and resource.value(*path, "hostKey") is not UNKNOWN and not resource.text(*path, "hostKey").strip():
                yield f"{resource.name}: {'.'.join(path)}.hostKey is not set, so any machine that takes the address is believed; set it to the node's own host key"
    elif resource.type == _LIBVIRT:
        asked = parse_qs(urlsplit(resource.text("uri")).query)
        for key, values in _UNVERIFIED.items():
            if values & set(asked.get(key, ())):
                yield f"{resource.name}: its URI has {key}={asked[key][0]}, so any machine that takes the address is believed; remove it, and put the host's key into known_hosts"


RULES: Final = (
    Rule(
        id="public-address",
        level="mandatory",
        demand="No node has an address of the public internet.",
        reason="SSH, the kubelet, etcd and the API listen on a node's address: on a public one everybody may try.",
        source="Kubernetes documentation, Security Checklist, Network security; RFC 1918, RFC 6598",
        judge=addresses,
    ),
    Rule(
        id="ssh-host-keys",
        level="mandatory",
        demand="Every SSH session knows its server's key beforehand.",
        reason="Scripts with the cluster's keys go through these sessions: a machine in the middle would get them.",
        source="RFC 4251, section 4.1",
        judge=host_keys,
    ),
)

"""No outer header around pods' packets, unless a reason is declared."""

from collections.abc import Iterator
from typing import Any, Final

from policy.facts import ENVIRONMENT, environment
from policy.model import Resource, Stack, entries, tree
from policy.rule import Rule
from policy.workloads import containers, kind_of

_OFF: Final = frozenset({"", "Never", "None", "none", "off", "false"})
_ADDED: Final = {"ipip": 20, "vxlan": 50}
_POOL_FIELDS: Final = {"ipipMode": "ipip", "vxlanMode": "vxlan"}
_VARIABLES: Final = {"CALICO_IPV4POOL_IPIP": "ipip", "CALICO_IPV4POOL_VXLAN": "vxlan", "FELIX_IPINIPENABLED": "ipip", "FELIX_VXLANENABLED": "vxlan"}
_FELIX_FIELDS: Final = {"ipipEnabled": "ipip", "vxlanEnabled": "vxlan"}


def judge(resource: Resource, stack: Stack) -> Iterator[str]:
    """The declaration where it gives no reason, and resources that encapsulate without or beside it."""
    if resource.type == ENVIRONMENT:
        protocol = resource.text("encapsulation", "protocol")
        if protocol not in _OFF and not resource.text("encapsulation", "reason").strip():
            yield (
                f"pod_network.encapsulation.protocol is {protocol}, which adds {_added(protocol)} to every packet, and no reason is declared; "
                "write protocol: none, or say in pod_network.encapsulation.reason why the network cannot carry plain packets"
            )
        return
    declared = environment(stack)
    allowed = declared.text("encapsulation", "protocol") if declared is not None else ""
    for protocol, where in _encapsulated(resource):
        if protocol != allowed:
            yield (
                f"{where}: pods' packets get an outer header ({protocol}, {_added(protocol)} each), which the environment does not declare; "
                "switch it off there, or declare pod_network.encapsulation with its reason"
            )


def _added(protocol: str) -> str:
    return f"{_ADDED[protocol]} bytes" if protocol in _ADDED else "a header"


def _encapsulated(resource: Resource) -> Iterator[tuple[str, str]]:
    """Protocols that a resource switches on, and where."""
    kind = kind_of(resource)
    if kind == "IPPool":
        for key, protocol in _POOL_FIELDS.items():
            if (mode := resource.text("spec", key)) not in _OFF:
                yield protocol, f"IPPool {_called(resource)} has {key} {mode}"
    elif kind == "FelixConfiguration":
        for key, protocol in _FELIX_FIELDS.items():
            if resource.value("spec", key) is True:
                yield protocol, f"FelixConfiguration {_called(resource)} has {key} true"
    elif kind == "Installation":
        for pool in map(tree, entries(resource.value("spec", "calicoNetwork", "ipPools"))):
            mode = str(pool.get("encapsulation") or "IPIP")  # the operator's default where BGP is on
            if mode not in _OFF:
                yield _protocol_of(mode), f"the Installation's pool {pool.get('cidr')} has encapsulation {mode}"
    else:
        yield from _by_environment(resource)


def _by_environment(resource: Resource) -> Iterator[tuple[str, str]]:
    for container in containers(resource):
        for variable in map(tree, entries(container.get("env"))):
            name, value = str(variable.get("name")), variable.get("value")
            if name in _VARIABLES and isinstance(value, str) and value not in _OFF:
                yield _VARIABLES[name], f"{_called(resource)}'s variable {name} is {value}"


def _protocol_of(mode: str) -> str:
    return "vxlan" if mode.lower().startswith("vxlan") else "ipip"


def _called(resource: Resource) -> Any:
    return resource.text("metadata", "name") or resource.name


RULE: Final = Rule(
    id="no-encapsulation",
    level="mandatory",
    demand="Pods' packets carry no outer header, unless a reason for it is declared.",
    reason="An outer header takes 20 (IP-in-IP) or 50 bytes (VXLAN) of every packet's MTU and hides the packet from offloads of network cards that do not know it. Where nodes share a layer-2 network or speak BGP with their routers nobody needs it.",
    source="RFC 2003, RFC 7348; Calico documentation, Overlay networking",
    judge=judge,
)

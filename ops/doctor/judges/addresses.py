"""Addresses that the plan gives are free, or are held by the machines that shall have them."""

import re
from collections.abc import Iterator, Mapping

from ops.doctor.machines import machines
from ops.doctor.model import OPERATOR, Finding, Seen, passed, unseen, why_not
from ops.doctor.questions import lines
from ops.doctor.script import probed
from ops.verify.model import Said, Status

FAILED = Status.FAILED
NAME = "address.free"
NO_MAC = "-"
_ANSWER = re.compile(r"^(\d+\.\d+\.\d+\.\d+) ([0-9a-f:]{17}|-|silent)$", re.MULTILINE)
_LEASE = re.compile(r"([0-9a-f]{2}(?::[0-9a-f]{2}){5})\s+ipv4\s+(\d+\.\d+\.\d+\.\d+)/")

Answers = dict[str, dict[str, str]]
"""Address to the places that it was asked from, each with the MAC that answered, NO_MAC, or nothing where nobody did."""


def judge(seen: Seen) -> Iterator[Finding]:
    """One finding for each address that somebody else has or that could not be asked for, else one that all are free. It wants hosts that are down too."""
    wanted, answers = probed(seen.plan), _answers(seen)
    wrong = [finding for address in wanted for finding in _judged(seen, address, answers.get(address, {}))]
    unasked = [address for address in wanted if not answers.get(address)]
    yield from wrong
    if unasked:
        why = f"nobody could ask for {', '.join(unasked[:4])}{f' and {len(unasked) - 4} more' if len(unasked) > 4 else ''}: {_why(seen, unasked[0])}"
        yield unseen(NAME, OPERATOR, why, "run doctor where a ping gets to the nodes' network, or give it a shell on a hypervisor (qemu+ssh)")
    elif not wrong:
        held = sum(any(macs.values()) for macs in answers.values())
        places = dict.fromkeys(place for macs in answers.values() for place in macs)
        who = f"{held} answer, and the plan's own machines hold them" if held else "nobody answers"
        yield passed(NAME, OPERATOR, f"{who}; asked from {', '.join(places)}", declared=f"{len(wanted)} addresses")


def _answers(seen: Seen) -> Answers:
    found: Answers = {}
    for address, said in seen.operator.pings.items():
        if not said.error and said.exit_code in (0, 1):  # 2: the network could not be reached
            found.setdefault(address, {})[OPERATOR] = "" if said.exit_code else NO_MAC
    for name, host in seen.hosts.items():
        for address, mac in _ANSWER.findall(host.told("addresses").output):
            found.setdefault(address, {})[name] = mac.removeprefix("silent")
        for key, answer in host.virsh.items():
            for line in lines(answer) if key.startswith("leases ") else ():
                if lease := _LEASE.search(line):
                    found.setdefault(lease[2], {})[name] = lease[1]
    return found


def _why(seen: Seen, address: str) -> str:
    """What the ping from here said, in its own words."""
    return why_not(seen.operator.pings.get(address, Said(output="", exit_code=1, error="no ping was sent")))


def _judged(seen: Seen, address: str, answers: Mapping[str, str]) -> Iterator[Finding]:
    """Nothing where nobody answers, or the machine itself does."""
    own, running, unknown = _holders(seen, address)
    macs = {mac for mac in answers.values() if mac}
    strangers = macs - own - {NO_MAC}
    if not macs or (not strangers and (running or macs & own)):
        return
    if not strangers and unknown:
        why = f"{address} answers, and it cannot be seen whether that is the plan's own machine: {unknown}"
        yield unseen(NAME, OPERATOR, why, "mend what hides the hypervisor's machines, then ask again")
        return
    name = next((node.name for node in seen.plan.nodes if str(node.address) == address), "the API")
    where, mac = next(
        ((where, mac) for where, mac in answers.items() if mac in strangers), next((where, mac) for where, mac in answers.items() if mac)
    )
    yield _taken(name, address, where, mac)


def _holders(seen: Seen, address: str) -> tuple[set[str], bool, str]:
    """MACs that may answer for an address, whether a machine runs that does, and why that cannot be known."""
    api = str(seen.plan.settings.cluster.endpoint.address)
    nodes = [node for node in seen.plan.nodes if str(node.address) == address or (address == api and node.is_control_plane)]
    found = {name: machines(host, seen.plan.nodes) for name, host in seen.hosts.items()}
    running = any(node.name in there.own and there.own[node.name].running for node in nodes for there in found.values())
    hidden = [f"{name}: {there.unread}" for name, there in found.items() if there.unread]
    return {node.mac for node in nodes}, running, "; ".join(hidden)


def _taken(name: str, address: str, where: str, mac: str) -> Finding:
    setting = "cluster.endpoint.address" if name == "the API" else "first_host of its set"
    return Finding(
        id=NAME,
        where=where,
        status=FAILED,
        declared=f"{address} for {name}",
        found=f"answers already{f', MAC {mac}' if mac != NO_MAC else ''}",
        limit="an address once on a link",
        remedy=f"take it from who has it (ip neigh show {address} names its MAC), or change {setting}",
    )

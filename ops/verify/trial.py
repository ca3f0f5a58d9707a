"""The trial of a Service: it is made, all nodes keep connecting to it, its endpoints change twice, and it is taken away.

The objects end by themselves (trial_api.py), and the nodes' part ends with its session (trial_on_node.py), whatever happens to this process.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ops.verify.api import ApiError
from ops.verify.model import Said
from ops.verify.reach import Fleet
from ops.verify.reading.document import mapping
from ops.verify.reading.emulation import allowance
from ops.verify.trial_api import PORT, Endpoint, Objects, client
from ops.verify.trial_sessions import Conversation, Session
from plan import NodePlan, Plan

ALLOWANCE_S: Final = 10.0
"""For the API and kube-proxy's watch."""
SYNCS, LONGEST_SYNC_S = 2, 30.0
"""A change may come just after a sync has begun, and waits for it and its own. services.sync lets each take a whole sync period: more than this is
not waited for. Emulated, one took 20 s on average on a machine with other work."""
GATHER_S, STRAGGLERS_S = 40.0, 10.0
"""For logins to all nodes, and for the last ones after half of them."""
QUIET_S, SETTLED, STEADY = 2.0, 10, 8
"""So long, and for so many answers, a node must do without the endpoint that is withdrawn; so many answers in a row mean that the Service is there."""
ANSWER_S, FIRST_S = 3.0, 1.5
"""For one connection: one lost packet costs it a second. While the Service is made, less, as nobody answers at all then. Emulated nodes get more (`patience`)."""
LEAST_INTERVAL_S: Final = 0.15
ALL_RATE: Final = 400.0
"""Connections a second that two endpoints get from all nodes together."""
LEAST_S: Final = 20.0
"""A trial that has less time is not begun."""
SHORT_S: Final = 10.0
"""For a word that a node answers at once."""
ENDPOINTS, CANDIDATES = 2, 4
"""So many nodes are asked to be endpoints: one that cannot spoils nothing."""
PORTS, TRIED = range(20_000, 30_000), 12
"""Below the kernel's ephemeral ports; those of NodePort Services are left out."""


class TrialError(Exception):
    """Why it could not be tried."""


def limit_s(plan: Plan) -> float:
    """How long a node may take to follow a change."""
    proxy = plan.settings.kube_proxy
    settings = proxy.ipvs if proxy.mode == "ipvs" else proxy.rules
    return settings.min_sync_period_s + SYNCS * min(settings.sync_period_s, LONGEST_SYNC_S) + ALLOWANCE_S


def patience(plan: Plan) -> float:
    """What the times for a connection are multiplied by."""
    return max(allowance(plan, node) for node in plan.nodes)


def longest_s(plan: Plan) -> float:
    """What the acts on objects may take at most: the Service, two changes, requests and the end."""
    return 3 * (limit_s(plan) + QUIET_S + ANSWER_S * patience(plan)) + 6 * SHORT_S


async def try_service(fleet: Fleet, within_s: float) -> dict[str, Said]:
    """What every node saw, as JSON, or why it did not; so many nodes at a time as may be connected to."""
    said, begun = dict[str, Said](), time.monotonic()
    nodes, at_once = fleet.plan.nodes, fleet.limits.connections
    for first in range(0, len(nodes), at_once):
        some = nodes[first : first + at_once]
        left_s = within_s - (time.monotonic() - begun)
        said |= await Trial(fleet, some).run(left_s)
    return said


@dataclass
class Trial:
    """One trial with some nodes."""

    fleet: Fleet
    nodes: Sequence[NodePlan]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """What was done, for whoever judges."""

    async def run(self, within_s: float) -> dict[str, Said]:
        """Gather, act, take away."""
        if within_s < LEAST_S:
            why = f"the run's limit leaves {max(0.0, within_s):.0f} s for it, {LEAST_S:.0f} at least: raise --time-limit"
            return {node.name: _unanswered(why) for node in self.nodes}
        why = ""
        async with Conversation(self.fleet, self.nodes, GATHER_S + longest_s(self.fleet.plan)) as talk:
            try:
                async with asyncio.timeout(within_s):
                    await self._act(talk)
            except (ApiError, TrialError) as error:
                why = str(error)
            except TimeoutError:
                why = "the run's limit ended the trial: raise --time-limit"
            left = self.facts.get("left")
            return {session.node.name: self._said(session, "; ".join(filter(None, (why, why and left)))) for session in talk.sessions}

    def _said(self, session: Session, why: str) -> Said:
        if session.error or not session.here:
            return _unanswered(session.error or "no answer in time")
        if why or "summary" not in session.said:
            return _unanswered(why or "it did not say how it went")
        return Said(output=json.dumps({**self.facts, "node": session.said["summary"]}), exit_code=0)

    async def _act(self, talk: Conversation) -> None:
        await _gathered(talk)
        endpoints = await self._endpoints(talk)
        async with client(self.fleet.access.kubeconfig) as api:
            objects = Objects(api, f"underlay-verify-{secrets.token_hex(4)}", endpoints)
            try:
                await self._changes(talk, objects, endpoints)
                for session in talk.here:
                    session.tell(end=True)
                await talk.until(lambda: all("summary" in session.said for session in talk.here), SHORT_S)
            finally:
                self.facts["left"] = await self._removed(objects)

    async def _endpoints(self, talk: Conversation) -> tuple[Endpoint, ...]:
        """Two endpoints, on workers before control planes, on two nodes where there are two."""
        if not talk.here:
            raise TrialError("no node takes part")
        first = sorted(talk.here, key=lambda session: session.node.is_control_plane)[:CANDIDATES]
        low, high = self.fleet.plan.settings.cluster.node_port_range
        free = [port for port in PORTS if not low <= port <= high] or [port for port in range(1024, PORTS.start) if not low <= port <= high]
        names = {session: [session.node.name] for session in first}
        if len(first) == 1:
            names = {first[0]: [f"{first[0].node.name} ({number})" for number in (1, 2)]}
        for session in first:
            session.tell(serve=names[session], ports=secrets.SystemRandom().sample(free, min(TRIED, len(free))))
        await talk.until(lambda: all("serving" in session.said or not session.here for session in first), SHORT_S)
        endpoints: list[Endpoint] = []
        for session in first:
            taken = mapping(session.said.get("serving")) if session.here else {}
            ports = [(name, taken.get(name)) for name in names[session]]
            address = str(session.node.address)
            endpoints += [Endpoint(name=name, node=session.node.name, address=address, port=port) for name, port in ports if isinstance(port, int)]
        if len(endpoints) < ENDPOINTS:
            raise TrialError(f"of {', '.join(session.node.name for session in first)} too few can be endpoints: no port is free, or no answer")
        return tuple(endpoints[:ENDPOINTS])

    async def _changes(self, talk: Conversation, objects: Objects, endpoints: tuple[Endpoint, ...]) -> None:
        limit, slower = limit_s(self.fleet.plan), patience(self.fleet.plan)
        address = await objects.make(deadline_s=round(longest_s(self.fleet.plan)) + 30)
        self.facts |= {"service": f"{address}:{PORT}", "endpoints": [endpoint.name for endpoint in endpoints]}
        # Emulated, each change takes ten times as long, and one of them shows as much as both.
        withdrawn = endpoints[:1] if slower > 1 else endpoints
        self.facts["withdrawn"] = [endpoint.name for endpoint in withdrawn]
        ask = {
            "address": address,
            "port": PORT,
            "endpoints": {endpoint.name: [endpoint.address, endpoint.port] for endpoint in endpoints},
            "interval_s": max(LEAST_INTERVAL_S, len(talk.here) / ALL_RATE),
            "answer_s": ANSWER_S * slower,
            "first_s": FIRST_S,
            "steady": STEADY,
            "settled": SETTLED,
            "quiet_s": QUIET_S,
        }
        for session in talk.here:
            session.tell(ask=ask)
        await talk.until(lambda: all("steady" in session.said for session in talk.here), limit + ANSWER_S * slower)
        for number, endpoint in enumerate(withdrawn):
            if not any("steady" in session.said for session in talk.here):
                return
            self._still_here(talk, endpoints)
            if number:
                await objects.restore(0)
            await objects.withdraw(number)
            await self._followed(talk, endpoint)
        self._still_here(talk, endpoints)

    async def _followed(self, talk: Conversation, endpoint: Endpoint) -> None:
        """Wait until every node that had the Service does without the endpoint."""
        for session in talk.here:
            session.tell(withdrawn=endpoint.name)

        def so() -> bool:
            return all(session.said.get("settled") == endpoint.name for session in talk.here if "steady" in session.said)

        await talk.until(so, limit_s(self.fleet.plan) + QUIET_S + ANSWER_S * patience(self.fleet.plan))
        for session in talk.here:
            session.tell(over=endpoint.name)

    def _still_here(self, talk: Conversation, endpoints: tuple[Endpoint, ...]) -> None:
        """What others see is only theirs while both endpoints are there."""
        lost = {endpoint.node for endpoint in endpoints} - {session.node.name for session in talk.here}
        if lost:
            raise TrialError(f"{' and '.join(sorted(lost))}, which had the Service's endpoints, left the trial")

    async def _removed(self, objects: Objects) -> str:
        why, ended_s = await objects.remove(), longest_s(self.fleet.plan) + 60
        return why and f"Job {objects.name} in kube-system could not be removed ({why}); the cluster ends it within {ended_s:.0f} s"


async def _gathered(talk: Conversation) -> None:
    """All nodes that come; those that are still to come when half are here are not waited for long."""

    def everybody() -> bool:
        return all(session.here or session.error for session in talk.sessions)

    def half() -> bool:
        return 0 < len([session for session in talk.sessions if not session.error]) <= 2 * len(talk.here)

    begun = time.monotonic()
    await talk.until(lambda: everybody() or half(), GATHER_S)
    await talk.until(everybody, min(STRAGGLERS_S, max(0.0, GATHER_S - (time.monotonic() - begun))))


def _unanswered(why: str) -> Said:
    return Said(output="", exit_code=-1, error=why)

"""What applications depend on answers every node, and is as near as the stack says."""

from collections.abc import Iterator

from ops.verify.model import Check, Figure, Finding, Seen, missing
from ops.verify.reading.distances import CONNECT, any_declared, distance
from ops.verify.reading.findings import counted, failed, passed

ID = "dependencies.distance"


def judge(seen: Seen) -> Iterator[Finding]:
    """Each dependency from each node."""
    for name, dependency in seen.plan.settings.dependencies.items():
        calls = counted(dependency.serial_calls, "call")
        place = f"{dependency.host}:{dependency.port}"
        declared = f"{place} in {dependency.round_trip_ms:g} ms, {calls} one after the other: {dependency.budget_ms:g} ms"
        for node in seen.plan.nodes:
            where, found = f"{node.name} -> {name}", distance(seen, node.name, name)
            if found.why:
                yield missing(ID, where, found.why)
                continue
            if found.error:
                yield failed(
                    ID, where, declared, f"no connection: {found.error}", f"see from {node.name}: ip route get, name server, filters on the way"
                )
                continue
            waited = found.median_ms * dependency.serial_calls
            words = f"{found.median_ms:.2f} ms, {calls}: {waited:.1f} ms"
            figures = (
                Figure(name=f"round trip to {name}", value=found.median_ms, unit="ms", limit=dependency.round_trip_ms),
                Figure(name=f"a request's wait for {name}", value=round(waited, 3), unit="ms", limit=dependency.budget_ms),
            )
            if found.median_ms > dependency.round_trip_ms:
                remedy = f"bring {name} nearer, make fewer calls one after the other, or declare dependencies.{name}.round_trip_ms as it is"
                yield failed(ID, where, declared, words, remedy, *figures)
            else:
                yield passed(ID, where, declared, words, *figures)


CHECKS: tuple[Check, ...] = (
    Check(
        id=ID,
        area="dependencies",
        title="Dependencies are as near as declared",
        severity="error",
        judge=judge,
        probes=(CONNECT,),
        applies=any_declared,
    ),
)

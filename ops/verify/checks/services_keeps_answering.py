"""A Service answers from every node, and keeps answering while its endpoints change: tried with one that exists for these seconds alone."""

from collections.abc import Iterator
from typing import Any

from ops.verify.model import Check, Figure, Finding, Seen, Trial, missing
from ops.verify.reading.answers import Verdict
from ops.verify.reading.document import at, from_json, mapping, mappings, number, text, texts, whole
from ops.verify.trial import limit_s, try_service
from plan import Plan

CHECK = "services.keeps-answering"
TRIAL = Trial(key="service-trial", act=try_service)


def _judge(seen: Seen) -> Iterator[Finding]:
    left = dict[str, None]()
    for node in seen.plan.nodes:
        said = seen.nodes.get(node.name, {}).get(TRIAL.key)
        if said is None or said.error:
            yield missing(CHECK, node.name, said.error if said else "the node did not take part")
            continue
        document = mapping(from_json(said.output))
        own = mapping(document.get("node"))
        if not isinstance(own.get("changes"), list):
            yield missing(CHECK, node.name, "its account of the trial cannot be read")
            continue
        left[text(document.get("left"))] = None
        yield _of(seen.plan, node.name, document, own)
    for what in filter(None, left):
        yield missing(CHECK, "cluster", what)


def _of(plan: Plan, name: str, document: dict[str, Any], own: dict[str, Any]) -> Finding:
    limit, service = limit_s(plan), text(document.get("service")) or "its cluster address"
    verdict = Verdict(
        check=CHECK,
        where=name,
        declared=f"a Service answers, and goes on answering; a withdrawn endpoint gets nothing after {limit:g} s",
        remedy="kubectl --namespace kube-system logs --tail 50 $(kubectl --namespace kube-system get pods --selector k8s-app=kube-proxy "
        f"--field-selector spec.nodeName={name} --output name); then services.sync and services.tables for {name}",
    )
    if unreachable := mapping(own.get("unreachable")):
        ways = [f"{endpoint}'s port without the Service: {text(why)}" for endpoint, why in sorted(unreachable.items())]
        return verdict.missing(f"{name} does not reach {'; '.join(ways)}")
    steady = number(own.get("steady_s"))
    if steady is None:
        before = ", ".join(f"{why}: {count} times" for why, count in sorted(mapping(own.get("before")).items()))
        return verdict.of(
            [f"the Service at {service} did not answer {name} within {limit:g} s ({_answered(own)} answers; {before or 'no failure'})"], ""
        )
    changes = mappings(own.get("changes"))
    expected = texts(document.get("withdrawn"))
    wrong = [f"the Service at {service} answered {name} after {steady:.3g} s, limit {limit:g}"] if steady > limit else []
    wrong += _failures(own, changes)
    followed = [number(change.get("last_s")) for change in changes]
    wrong += [
        f"{text(change.get('endpoint'))} was withdrawn and still asked {last:.3g} s later, limit {limit:g}"
        for change, last in zip(changes, followed, strict=True)
        if last is not None and last > limit
    ]
    if not wrong and ([text(change.get("endpoint")) for change in changes] != expected or not expected or None in followed):
        return verdict.missing("it did not see every change")
    if not wrong and not all(change.get("settled") is True for change in changes):
        return verdict.missing(f"too few connections in the time: {_answered(own)} were answered")
    slowest = max((value for value in followed if value is not None), default=0.0)
    return verdict.of(wrong, f"{_answered(own)} connections were answered, none failed", _figures(own, steady, slowest, limit))


def _failures(own: dict[str, Any], changes: list[dict[str, Any]]) -> Iterator[str]:
    """Connections that nobody answered, by the change before them."""
    for failure in mappings(own.get("failures")):
        change, first = whole(failure.get("change")) or 0, number(failure.get("first_s")) or 0.0
        after = f"{text(changes[change - 1].get('endpoint'))} was withdrawn" if 0 < change <= len(changes) else "the Service was made"
        times = whole(failure.get("times")) or 1
        yield (
            f"{times} of {_answered(own) + times} connections failed ({text(failure.get('why'))}), the first {max(0.0, first):.2g} s after {after}"
        )


def _answered(own: dict[str, Any]) -> int:
    return sum(max(0, whole(count) or 0) for count in mapping(at(own, "answers")).values())


def _figures(own: dict[str, Any], steady: float, followed: float, limit: float) -> list[Figure]:
    figures = [
        Figure(name="new Service answers after", value=steady, unit="s", limit=limit),
        Figure(name="endpoint change followed after", value=followed, unit="s", limit=limit),
    ]
    slowest = number(own.get("slowest_ms"))
    return figures if slowest is None else [*figures, Figure(name="slowest connection to a Service", value=slowest, unit="ms")]


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="services",
        title="A Service answers from every node, and keeps answering while its endpoints change",
        severity="error",
        judge=_judge,
        trial=TRIAL,
    ),
)

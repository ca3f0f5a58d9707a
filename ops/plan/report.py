"""What `ops plan` says: for people with the table, the drawing and what is missing; for programs as one document."""

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from ops.columns import aligned
from ops.plan.drawing import WIDTH, counted, drawing
from ops.plan.rows import HEAD, rows
from ops.plan.seated import Seated
from placement import HostView, Placement, Shortfall
from placement.words import cpu_list, lack_words, machine_words, remedy_words
from settings.checks import path_of

SEATED, UNRECORDED, REFUSED = 0, 10, 30
"""Exit codes: every machine has a seat; with --check: not every seat is recorded; a machine has none, or the settings are wrong."""
WRONG: Final = "bold red"


def exit_code(found: Seated) -> int:
    """What stands for it."""
    whole = found.placement is not None and found.placement.complete
    return SEATED if whole and not found.mistakes else REFUSED


def as_text(found: Seated, *, colour: bool, width: int = WIDTH) -> str:
    """Everything for people."""
    return written(_lines(found, width), colour=colour)


def written(lines: Iterator[Text] | Sequence[Text], *, colour: bool) -> str:
    """Lines as they are printed, however long they are."""
    stream = io.StringIO()
    system = "standard" if colour else None
    console = Console(file=stream, width=10_000, force_terminal=colour, color_system=system, legacy_windows=False, highlight=False, _environ={})
    for line in lines:
        console.print(line, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def _lines(found: Seated, width: int) -> Iterator[Text]:
    if found.environment is not None:
        head, *table = aligned([HEAD, *rows(found.environment)])
        yield Text(head, style="bold")
        yield from (Text(row) for row in table)
        yield Text()
        yield from drawing(found.environment.placement, width=width)
        yield from _missing(found.environment.placement)
    if found.mistakes:
        yield Text()
        yield Text(f"{counted(len(found.mistakes), 'other mistake')} in the stack file:", style=WRONG)
        yield from (Text(f"  {problem}") for problem in found.mistakes)
    yield Text()
    yield Text(_summary(found), style="" if exit_code(found) == SEATED else WRONG)


def _missing(placement: Placement) -> Iterator[Text]:
    for refusal in placement.refusals:
        yield Text()
        yield Text.assemble(
            ("✗ ", WRONG), (f"placements.{refusal.machine}{f'.{refusal.part}' if refusal.part else ''}", "bold"), f" {refusal.message}"
        )
    for shortfall in placement.shortfalls:
        yield Text()
        yield from _shortfall(shortfall)


def _shortfall(shortfall: Shortfall) -> Iterator[Text]:
    count = shortfall.seated + len(shortfall.machines)
    words = f" has no place for {machine_words(shortfall.machines)} ({shortfall.seated} of {count} fit)"
    yield Text.assemble(("✗ ", WRONG), (path_of(shortfall.set_name), "bold"), words)
    for hosts, missing in _lacking(shortfall).items():
        yield Text(f"    {hosts}: {missing}")
    if not shortfall.lacks:
        yield Text("    no hypervisor may carry it" if shortfall.room is None else "    what would fit one by one does not fit together")
    yield Text.assemble(("  → ", "cyan"), (remedy_words(shortfall), "cyan"))


def _lacking(shortfall: Shortfall) -> dict[str, str]:
    """What is missing, by hypervisor; those that lack the same are named together."""
    missing: dict[str, list[str]] = {}
    for host in dict.fromkeys(lack.host for lack in shortfall.lacks):
        words = lack_words([lack for lack in shortfall.lacks if lack.host == host]).removeprefix(f"{host}: ")
        missing.setdefault(words, []).append(host)
    return {", ".join(hosts): words for words, hosts in missing.items()}


def _summary(found: Seated) -> str:
    placement = found.placement
    if placement is None:
        return "The settings do not say which machines and hypervisors there are; nothing is placed."
    wanted = sum(len(each.machines) for each in placement.fleet.sets)
    used = sum(bool(view.machines) for view in placement.hosts)
    recorded = sum(seat.recorded for seat in placement.seats)
    parts = [f"{counted(wanted, 'machine')} on {used} of {counted(len(placement.hosts), 'hypervisor')}"]
    if len(placement.seats) < wanted:
        parts.append(f"{wanted - len(placement.seats)} without a place")
    if recorded < len(placement.seats):
        write = " (--record)" if exit_code(found) == SEATED else ""
        parts.append(f"{len(placement.seats) - recorded} not recorded: adding or removing machines may move them{write}")
    else:
        parts.append("all recorded")
    return f"{'; '.join(parts)}."


def as_json(found: Seated) -> str:
    """One document."""
    placement = found.placement
    document: dict[str, Any] = {
        "exit_code": exit_code(found),
        "nodes": list(_nodes(found)),
        "hypervisors": [_host(view) for view in placement.hosts] if placement is not None else [],
        "missing": list(_missing_document(placement)) if placement is not None else [],
        "mistakes": [str(problem) for problem in found.mistakes],
        "warnings": [str(problem) for problem in found.warnings],
    }
    return f"{json.dumps(document, indent=2)}\n"


def _nodes(found: Seated) -> Iterator[dict[str, Any]]:
    if found.environment is None:
        return
    placement = found.environment.placement
    for wanted in placement.fleet.sets:
        for name in wanted.machines:
            seat = placement.by_machine.get(name)
            location = found.environment.hypervisors[seat.host].location if seat is not None else None
            yield {
                "name": name,
                "set": wanted.name,
                "vcpus": wanted.vcpus,
                "memory_mib": wanted.memory_mib,
                "hugepages": wanted.pages,
                "cpu_policy": wanted.policy,
                "hypervisor": seat.host if seat is not None else None,
                "numa": seat.numa if seat is not None else None,
                "cpus": list(seat.cpus) if seat is not None else [],
                "vcpu_pins": [list(cpus) for cpus in seat.vcpu_cpus] if seat is not None else [],
                "drives": dict(seat.drives) if seat is not None else {},
                "country": location.country if location is not None else None,
                "site": location.site if location is not None else None,
                "rack": location.rack if location is not None else None,
                "recorded": seat is not None and seat.recorded,
            }


def _host(view: HostView) -> dict[str, Any]:
    numa = [
        {
            "id": node.id,
            "socket": node.socket,
            "memory_mib": node.memory_mib,
            "memory_used_mib": node.memory_used_mib,
            "hugepages": {page.size: {"total": page.total, "used": page.used} for page in node.pages},
            "cores": [{"cpus": list(core.cpus), "owner": core.owner, "names": list(core.names), "used": list(core.used)} for core in node.cores],
        }
        for node in view.numa
    ]
    shared = {"cpus": cpu_list(view.host.shared), "vcpus": view.shared_vcpus, "limit": view.shared_limit}
    drives = {each.drive.name: {"machine": each.machine or None, "purpose": each.purpose or None} for each in view.drives}
    return {"name": view.host.name, "machines": list(view.machines), "numa": numa, "shared": shared, "drives": drives}


def _missing_document(placement: Placement) -> Iterator[dict[str, Any]]:
    for refusal in placement.refusals:
        yield {"machines": [refusal.machine], "why": [refusal.message], "would_fit": None}
    for short in placement.shortfalls:
        why = [f"{hosts}: {words}" for hosts, words in _lacking(short).items()]
        room = short.room
        fits = {"hypervisor": room.host, "vcpus": room.vcpus, "memory_mib": room.memory_mib} if room is not None else None
        yield {"machines": list(short.machines), "why": why, "would_fit": fits}

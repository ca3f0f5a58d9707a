"""Seats for a whole fleet: recorded ones first, then the declared order, then whatever order lets everything fit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from placement.board import Board, Machine
from placement.fleet import Fleet
from placement.placement import Placement
from placement.recorded import seat_recorded
from placement.result import Refusal, Seat, Shortfall
from placement.search import search

Spread = tuple[int, int, int]
Order = Callable[[Sequence[Machine]], list[Machine]]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A way to choose: in which order machines are seated, and whether hypervisors are filled up rather than spread over."""

    order: Order
    packed: bool


def _declared(machines: Sequence[Machine]) -> list[Machine]:
    return list(machines)


def _pools_by_size(machines: Sequence[Machine]) -> list[Machine]:
    return sorted(machines, key=lambda machine: (not machine.wanted.control_plane, *_size(machine)))


def _all_by_size(machines: Sequence[Machine]) -> list[Machine]:
    return sorted(machines, key=_size)


def _size(machine: Machine) -> tuple[bool, int, int, int]:
    """Small for what is hard to seat: dedicated, many vCPUs, much memory, drives."""
    wanted = machine.wanted
    return wanted.policy != "dedicated", -wanted.vcpus, -wanted.memory_mib, -len(wanted.drives)


ATTEMPTS = (
    Attempt(order=_declared, packed=False),
    Attempt(order=_pools_by_size, packed=False),
    Attempt(order=_all_by_size, packed=False),
    Attempt(order=_pools_by_size, packed=True),
    Attempt(order=_all_by_size, packed=True),
)


def place(fleet: Fleet) -> Placement:
    """Seats for every machine that has room; the same fleet always gives the same placement.

    Control planes are spread as far as they can be on their own, unless something else could not stand at all then.
    """
    board = Board(fleet)
    refusals = seat_recorded(board)
    refused = {refusal.machine for refusal in refusals}
    best = _spread_alone(board, refused)
    results: list[Board] = []
    for attempt in ATTEMPTS:
        results.append(_tried(fleet, refused, attempt))
        if results[-1].spread() == best and not _unseated(results[-1], refused):
            break
    else:
        results.append(_searched(fleet, refused, best))
    return _placement(max(results, key=lambda result: (-len(_unseated(result, refused)), result.spread())), refusals)


def _start(fleet: Fleet) -> Board:
    board = Board(fleet)
    seat_recorded(board)
    return board


def _unseated(board: Board, refused: set[str]) -> list[Machine]:
    return [machine for machine in board.waiting() if machine.name not in refused]


def _spread_alone(board: Board, refused: set[str]) -> Spread:
    """How far the control planes can be spread when nothing else is to be seated."""
    for machine in _unseated(board, refused):
        if machine.wanted.control_plane:
            _seat(board, machine, packed=False)
    return board.spread()


def _tried(fleet: Fleet, refused: set[str], attempt: Attempt) -> Board:
    board = _start(fleet)
    for machine in attempt.order(_unseated(board, refused)):
        _seat(board, machine, packed=attempt.packed and not machine.wanted.control_plane)
    return board


def _seat(board: Board, machine: Machine, *, packed: bool) -> None:
    """The best place for one machine, if there is any; packed: where it leaves the least free."""
    options = board.options(machine)
    if packed:
        chosen = min(options, key=lambda option: board.capacities[option[0]].left_after(machine.wanted, option[1]), default=None)
    else:
        chosen = next(options, None)
    if chosen is not None:
        board.sit(machine, *chosen)


def _searched(fleet: Fleet, refused: set[str], best: Spread) -> Board:
    board = _start(fleet)
    search(board, _pools_by_size(_unseated(board, refused)), best)
    return board


def _placement(board: Board, refusals: Sequence[Refusal]) -> Placement:
    fleet = board.fleet
    seats = tuple(board.seats[name] for wanted in fleet.sets for name in wanted.machines if name in board.seats)
    refused = {refusal.machine for refusal in refusals}
    order = {name: place for place, name in enumerate(name for wanted in fleet.sets for name in wanted.machines)}
    return Placement(
        fleet=fleet,
        seats=seats,
        shortfalls=tuple(_shortfalls(board, seats, refused)),
        refusals=tuple(sorted(refusals, key=lambda refusal: order[refusal.machine])),
    )


def _shortfalls(board: Board, seats: Sequence[Seat], refused: set[str]) -> Iterator[Shortfall]:
    unseated = _unseated(board, refused)
    for wanted in board.fleet.sets:
        names = tuple(machine.name for machine in unseated if machine.wanted is wanted)
        if not names:
            continue
        rooms = [board.capacities[name].room(wanted) for name in wanted.hosts if name in board.capacities and board.may(wanted, name)]
        largest = max(
            (room for room in rooms if room is not None),
            key=lambda room: (min(room.vcpus, wanted.vcpus), min(room.memory_mib, wanted.memory_mib), room.vcpus, room.memory_mib),
            default=None,
        )
        yield Shortfall(
            set_name=wanted.name,
            machines=names,
            seated=sum(seat.set_name == wanted.name for seat in seats),
            lacks=tuple(board.lacks(wanted)),
            room=largest,
        )

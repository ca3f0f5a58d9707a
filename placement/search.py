"""The last resort where no order of seating lets everything fit: try places one after the other, and take back what leads nowhere."""

from collections.abc import Iterator, Sequence

from placement.board import Board, Machine
from placement.capacity import Option

MOST_STEPS, MOST_MACHINES = 4000, 40
"""Places tried, and machines of a fleet for which that shows something; beyond, another arrangement might hold what stays without a seat."""


def search(board: Board, machines: Sequence[Machine], best: tuple[int, int, int]) -> bool:
    """Seat all machines, the control planes (which come first) spread as far as can be; leaves the board as it was where none fits."""
    found = _Search(board, machines)
    found.run(best)
    for machine, (host, option) in zip(machines, found.places, strict=False):
        board.sit(machine, host, option)
    return bool(found.places)


class _Search:
    def __init__(self, board: Board, machines: Sequence[Machine]) -> None:
        self._board, self._machines = board, machines
        self._steps = 0
        self._control_planes = sum(machine.wanted.control_plane for machine in machines)
        self._spread = (0, 0, 0)
        self._best = (0, 0, 0)
        self.places: list[tuple[str, Option]] = []

    def run(self, best: tuple[int, int, int]) -> None:
        self._best = best
        if 0 < len(self._machines) <= MOST_MACHINES:
            self._seat_from(0, [])

    def _seat_from(self, position: int, taken: list[tuple[str, Option]]) -> bool:
        """True when nothing better can be found any more."""
        if position == self._control_planes and self.places and self._board.spread() <= self._spread:
            return False
        if position == len(self._machines):
            self.places, self._spread = list(taken), self._board.spread()
            return self._spread >= self._best
        machine = self._machines[position]
        for host, option in self._different(machine):
            self._steps += 1
            if self._steps > MOST_STEPS:
                return True
            self._board.sit(machine, host, option)
            done = self._seat_from(position + 1, [*taken, (host, option)])
            self._board.rise(machine)
            if done:
                return True
        return False

    def _different(self, machine: Machine) -> Iterator[tuple[str, Option]]:
        """Places that are worth a try of their own: of hypervisors that are alike in everything, the first."""
        seen: set[object] = set()
        for host, option in self._board.options(machine):
            likeness = self._board.likeness(host, option)
            if likeness not in seen:
                seen.add(likeness)
                yield host, option

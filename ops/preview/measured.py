"""How long changes took in the lab: the only figures that a summary's expected minutes come from. A test holds them to the README's table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ops.preview.effects import WorkKind

WHERE: Final = "the lab's figures (README.md: two emulated nodes on two cores)"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measurement."""

    seconds: int
    nodes: int
    """How many nodes it was for, one after the other."""
    source: str
    """The row of README.md it stands in."""

    @property
    def per_node(self) -> float:
        """Seconds for one node."""
        return self.seconds / self.nodes


PREPARE: Final = Figure(seconds=14, nodes=1, source="connection tracking from 131072 to 262144, no machine touched")
"""All nodes at the same time."""
PROXY: Final = Figure(seconds=85, nodes=2, source="kube-proxy's scheduler from rr to lc, node by node; until both kernels say so")
REDEFINE: Final = Figure(seconds=93, nodes=1, source="a worker with more memory: drained, made anew on its disk, Ready")
JOIN: Final = Figure(seconds=176, nodes=1, source="a second worker joins; is drained and removed")
LEAVE: Final = Figure(seconds=38, nodes=1, source="a second worker joins; is drained and removed")

ONE_BY_ONE: Final[Mapping[WorkKind, tuple[Figure, ...]]] = {"redefine": (REDEFINE,), "join": (JOIN,), "leave": (LEAVE,), "rebuild": (LEAVE, JOIN)}
"""What one node takes while its set waits; building anew was not measured by itself: it is leaving and joining."""

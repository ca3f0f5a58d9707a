"""What several checks ask about node sets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.machine import NodeSet, count_of

if TYPE_CHECKING:
    from settings.environment import Environment


def path_of(name: str) -> str:
    """Where a node set stands in the stack file."""
    return "control_plane" if name == "cp" else f"workers.{name}"


def populated(environment: "Environment") -> Iterator[tuple[str, NodeSet]]:
    """Path and settings of each set that has a machine."""
    for name, node_set in environment.node_sets().items():
        if count_of(node_set):
            yield path_of(name), node_set

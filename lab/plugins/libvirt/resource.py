"""What every libvirt resource type has in common."""

from __future__ import annotations

from lab.plugins.base import Difference, Properties, Resource, State

from .virsh import Virsh

OBSERVED = "__observed"
"""The output that holds what libvirt said of the resource last; `refresh` reports as drift what it says otherwise now.

Comparing with the inputs instead would take a stylesheet's work, or a default that libvirt fills in, for drift.
"""


class LibvirtResource(Resource):
    """A resource on the host behind `virsh`. Its name is given, so its replacement comes after its deletion."""

    def __init__(self, virsh: Virsh) -> None:
        self.virsh = virsh

    def diff(self, old: State, inputs: Properties) -> Difference:
        """As the base has it; two things of one name cannot be there at once, so the old one goes first."""
        found = super().diff(old, inputs)
        return Difference(found.changes, found.replaces, delete_before_replace=bool(found.replaces) and ("name",) not in found.changes)


def drifted(old: State, observed: Properties) -> State:
    """The recorded state with what libvirt now says otherwise than when it was recorded, among inputs and outputs."""
    before = old.outputs.get(OBSERVED)
    if before is None:  # an import: what libvirt says is all there is
        return State(old.id, {**observed, OBSERVED: observed}, observed)
    changed = {name: value for name, value in observed.items() if before.get(name) != value}
    inputs = {**(old.inputs or {}), **changed}
    return State(old.id, {**old.outputs, **changed, OBSERVED: observed}, inputs)

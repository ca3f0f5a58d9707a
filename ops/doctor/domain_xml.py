"""A domain's definition as virsh gave it."""

from hosts import domains
from hosts.domains import Machine, pci_address
from ops.verify.model import Said

__all__ = ["Machine", "machine", "pci_address"]


def machine(name: str, said: Said | None, *, running: bool) -> Machine | None:
    """What a domain takes of its host; None where it cannot be read."""
    if said is None or said.error or said.exit_code != 0:
        return None
    return domains.machine(name, said.output, running=running)

"""The provider `command` and its resource types."""

from __future__ import annotations

from lab.plugins.base import Provider

from .local import LocalCommand
from .remote import RemoteCommand


class CommandProvider(Provider):
    """Needs no settings."""

    def __init__(self) -> None:
        super().__init__("command", [LocalCommand(), RemoteCommand()])

"""SSH to a node whose host key is known before its first boot."""

from dataclasses import dataclass

import pulumi
import pulumi_command as command

DIAL_TIMEOUT_S = 15
DIALS_PER_MINUTE = 12
"""The provider waits at most 5 s between dials."""


@dataclass(frozen=True, kw_only=True)
class Shell:
    """How scripts reach one node."""

    address: str
    host_key: pulumi.Output[str]
    operator_key: pulumi.Output[str]
    patience_s: int
    """How long a node may take to answer, s."""

    def connection(self) -> command.remote.ConnectionArgs:
        """The provider's connection, refused if the node shows another host key."""
        return command.remote.ConnectionArgs(
            host=self.address,
            user="root",
            private_key=self.operator_key,
            host_key=self.host_key,
            per_dial_timeout=DIAL_TIMEOUT_S,
            dial_error_limit=max(10, self.patience_s * DIALS_PER_MINUTE // 60),
        )

"""What applications need from outside of the environment, and how far away it may be."""

from pydantic import Field

from settings.base import Settings
from settings.forms import Country, Host, Number, Whole


class Dependency(Settings):
    """Something that applications call over TCP: a database, an API; `ops verify` measures it from every node. A change alters nothing that runs."""

    host: Host
    """Its DNS name or IPv4 address, as nodes reach it."""
    port: Whole = Field(ge=1, le=65535)
    """Its TCP port."""
    country: Country
    """Country in which it stands, ISO 3166-1 alpha-2; checked against the environment's residency."""
    round_trip_ms: Number = Field(gt=0, le=10_000)
    """Longest round trip to it from any node, ms."""
    serial_calls: Whole = Field(default=1, ge=1, le=10_000)
    """Calls that an application makes one after the other for one request of a user: each costs a round trip."""

    @property
    def budget_ms(self) -> float:
        """What one request of a user may wait on the way to it and back."""
        return self.round_trip_ms * self.serial_calls

"""What a kernel refuses before BGP hears of it: segments with a wrong TCP MD5 signature, and packets from too far away (GTSM)."""

from dataclasses import dataclass, replace

FILE = "/proc/net/netstat"
"""Counts of one network namespace since it is there."""
MD5 = ("TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure")
TTL = "TCPMinTTLDrop"


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Segments that a kernel refused."""

    unsigned: int = 0
    """A signature was due and missing."""
    unexpected: int = 0
    """A signature was there and none was due."""
    forged: int = 0
    """The signature was not that of the password."""
    too_far: int = 0
    """The TTL was too small."""

    def since(self, before: "Refused") -> "Refused":
        """What came after an earlier look."""
        return Refused(
            unsigned=self.unsigned - before.unsigned,
            unexpected=self.unexpected - before.unexpected,
            forged=self.forged - before.forged,
            too_far=self.too_far - before.too_far,
        )


def between(well: Refused, before: Refused, after: Refused) -> Refused:
    """What a kernel refused while somebody looked; packets from too far since the last look at which all was well (nothing: ever).

    A speaker tries a signature again after 5 s, but sends what is refused for its TTL in ever longer intervals, up to two minutes.
    """
    return replace(after.since(before), too_far=after.too_far - well.too_far)


def read(netstat: str) -> Refused:
    """The counts in the text of /proc/net/netstat."""
    lines = [line.split()[1:] for line in netstat.splitlines() if line.startswith("TcpExt:")]
    counts = dict(zip(lines[0], map(int, lines[1]), strict=False)) if len(lines) >= 2 else {}
    unsigned, unexpected, forged = (counts.get(name, 0) for name in MD5)
    return Refused(unsigned=unsigned, unexpected=unexpected, forged=forged, too_far=counts.get(TTL, 0))

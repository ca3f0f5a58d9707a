"""The contract's version: which readers understand which stacks."""

import re

CONTRACT_VERSION = "1.0"
"""Major.minor. Fields are added with a new minor version; anything that a reader would notice otherwise takes a new major one (docs/outputs.md)."""


def major(version: str) -> int | None:
    """The major version of `major.minor`; None where the text is no version."""
    found = re.fullmatch(r"([0-9]{1,4})\.[0-9]{1,4}", version)
    return int(found[1]) if found else None


def disagreement(version: object) -> str:
    """Why a stack that publishes this version cannot be read, with what to do; empty where it can. Any minor version of the same major one can."""
    theirs, own = (major(version) if isinstance(version, str) else None), major(CONTRACT_VERSION)
    if theirs is None:
        return f"its output contract_version is {version!r}, no version such as {CONTRACT_VERSION!r}; look whether the stack is one of underlay"
    if theirs == own:
        return ""
    if theirs > (own or 0):
        return (
            f"it publishes contract {version}, this program reads {own}.x; install the package underlay-outputs of underlay's release for {theirs}.x"
        )
    return f"it publishes contract {version}, this program reads {own}.x; bring the stack up with a newer underlay, or install underlay-outputs for {theirs}.x"

"""All checks: every module of ops/verify/checks that has CHECKS. One more check is one more file there."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Final, get_args

from ops.verify import checks as room
from ops.verify.model import Area, Check, Probe

AREAS: Final[tuple[str, ...]] = get_args(Area)


class RegistryError(Exception):
    """Two checks that cannot be together, or a file that has none: a mistake in a check's file."""


@cache
def checks() -> tuple[Check, ...]:
    """All checks, by area and id."""
    return tuple(sorted(_sound(found(modules())), key=lambda check: (AREAS.index(check.area), check.id)))


def modules() -> Iterator[ModuleType]:
    """Files of checks/, <area>_<name>.py each."""
    for entry in pkgutil.iter_modules(room.__path__):
        if not entry.name.startswith("_"):
            yield importlib.import_module(f"{room.__name__}.{entry.name}")


def found(files: Iterable[ModuleType]) -> Iterator[Check]:
    """The checks of modules; RegistryError where one has none, or one of another area."""
    for module in files:
        own: object = getattr(module, "CHECKS", None)
        area = module.__name__.rpartition(".")[2].partition("_")[0]
        if area not in AREAS:
            raise RegistryError(
                f"{module.__name__} is of no area: call it <area>_<name>.py with one of {', '.join(AREAS)}; one that is shared begins with _"
            )
        if not isinstance(own, tuple) or not own:
            raise RegistryError(f"{module.__name__} has no CHECKS: a file in checks/ has a tuple of them, one that is shared begins with _")
        for check in own:  # pyright: ignore[reportUnknownVariableType]
            if not isinstance(check, Check):
                raise RegistryError(f"{module.__name__}: CHECKS holds {check!r}, no Check")
            if check.area != area or not check.id.startswith(f"{area}."):
                raise RegistryError(
                    f"{module.__name__}: {check.id!r} of area {check.area!r} belongs into a file {check.area}_*.py, as {check.area}.<name>"
                )
            yield check


def _sound(all_checks: Iterable[Check]) -> list[Check]:
    """The checks, if ids are unique and each probe's key is one probe."""
    known: dict[str, Check] = {}
    for check in all_checks:
        if check.id in known:
            raise RegistryError(f"two checks are called {check.id!r}: rename one")
        known[check.id] = check
    probes(tuple(known.values()))
    return list(known.values())


def probes(chosen: Sequence[Check]) -> tuple[Probe, ...]:
    """The probes of some checks, each once; RegistryError where two differ and have one key."""
    by_key: dict[str, tuple[Probe, str]] = {}
    for check in chosen:
        for probe in check.probes:
            other, of = by_key.setdefault(probe.key, (probe, check.id))
            if other != probe:
                raise RegistryError(f"{of} and {check.id} have different probes with the key {probe.key!r}: share one, or rename it")
    return tuple(probe for probe, _ in by_key.values())

"""Which checks run: `--only` and `--skip` by id, area or pattern."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ops.stack import OpsError
from ops.verify.model import Check


def select(checks: Sequence[Check], only: Iterable[str], skip: Iterable[str]) -> tuple[Check, ...]:
    """The checks of `only` (all without one) less those of `skip`; OpsError for a name that matches nothing."""
    wanted = _matched(checks, only, "--only")
    unwanted = _matched(checks, skip, "--skip") or set()
    found = tuple(check for check in checks if (wanted is None or check.id in wanted) and check.id not in unwanted)
    if not found:
        raise OpsError("no check is left: --skip takes away all that --only names" if checks else "there are no checks")
    return found


def _matched(checks: Sequence[Check], words: Iterable[str], option: str) -> set[str] | None:
    """Ids that the words name; None without words. A word is an id, an area, or a pattern of either; commas separate several."""
    names = [name for word in words for name in word.split(",")]
    if not names:
        return None
    found: set[str] = set()
    for name in names:
        ids = {check.id for check in checks if name == check.area or fnmatchcase(check.id, name) or fnmatchcase(check.area, name)}
        if not ids:
            raise OpsError(f"{option} {name!r}: no such check{_near(checks, name)}; {_known(checks)}")
        found |= ids
    return found


def _near(checks: Sequence[Check], name: str) -> str:
    near = get_close_matches(name, [*(check.id for check in checks), *{check.area for check in checks}], n=1)
    return f", near {near[0]!r}" if near else ""


def _known(checks: Sequence[Check]) -> str:
    areas: dict[str, list[str]] = {}
    for check in checks:
        areas.setdefault(check.area, []).append(check.id.partition(".")[2])
    return "known: " + "; ".join(f"{area}: {', '.join(names)}" for area, names in areas.items())

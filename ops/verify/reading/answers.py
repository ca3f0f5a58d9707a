"""From probes' answers to findings: each node's own, or why there is none."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ops.verify.model import Figure, Finding, Probe, Seen, Status, missing
from plan import NodePlan

PRELUDE = r"""
# ask NAME COMMAND...: a section of the answer, and its exit code where that is not 0
ask() { printf '\n@@ %s\n' "$1"; "${@:2}" 2>&1 || printf '\n@@! %s\n' "$?"; }
"""
"""Every sectioned script begins with it."""
SHOWN = 4
"""Differences that a finding names; the others it counts."""


@dataclass(frozen=True, kw_only=True)
class Sections:
    """A probe's answer by section."""

    texts: dict[str, str]
    failures: dict[str, str] = field(default_factory=dict[str, str])
    """Section to why its command failed."""

    def text(self, name: str) -> str | None:
        """What a command printed; None where it failed or never ran."""
        return None if name in self.failures else self.texts.get(name)

    def why(self, name: str) -> str:
        """Why there is no text."""
        return self.failures.get(name, f"the node's answer has no part {name!r}")


def sections(output: str) -> Sections:
    """An answer of a script that begins with PRELUDE."""
    texts, failures, name, lines = dict[str, str](), dict[str, str](), "", list[str]()
    for line in [*output.splitlines(), "@@ "]:
        if line.startswith("@@! "):
            said = " ".join(line for line in lines if line.strip())[-200:]
            failures[name] = f"{name} ended with {line[4:]}{f': {said}' if said else ''}"
        elif line.startswith("@@ "):
            texts[name] = "\n".join(lines).strip("\n")
            name, lines = line[3:].strip(), []
        else:
            lines.append(line)
    texts.pop("", None)
    return Sections(texts=texts, failures=failures)


def each_node(check: str, probe: Probe, judge: Callable[[NodePlan, Sections], Iterable[Finding]], seen: Seen) -> Iterator[Finding]:
    """The judge's findings for every node that answered, and for the others that they could not be looked at."""
    for node in seen.plan.nodes:
        said = seen.nodes.get(node.name, {}).get(probe.key)
        if said is None:
            yield missing(check, node.name, f"the node was not asked ({probe.key})")
        elif said.error:
            yield missing(check, node.name, said.error)
        elif not said.output.strip():
            yield missing(check, node.name, f"the node said nothing (exit code {said.exit_code} of {probe.key})")
        else:
            yield from judge(node, sections(said.output))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One check at one place: a finding that passes where nothing differs."""

    check: str
    where: str
    declared: str
    remedy: str

    def of(self, differences: Sequence[str], found: str, figures: Sequence[Figure] = ()) -> Finding:
        """`found` is said where nothing differs."""
        return Finding(
            check=self.check,
            where=self.where,
            status=Status.FAILED if differences else Status.PASSED,
            declared=self.declared,
            found=some(differences) if differences else found,
            remedy=self.remedy if differences else "",
            figures=tuple(figures),
        )

    def missing(self, why: str) -> Finding:
        """It could not be looked at."""
        return missing(self.check, self.where, why)


def some(things: Sequence[str], shown: int = SHOWN) -> str:
    """The first few, and how many more."""
    more = len(things) - shown
    return "; ".join(things[:shown]) + (f"; and {more} more" if more > 0 else "")

"""What the engine says, without what nobody needs: steps that ended, and everything that went wrong."""

import re
from collections.abc import Callable
from pathlib import Path

STEP = re.compile(r"^ (?P<sign>[ +~\-><=]+)\s{1,3}(?P<type>\S+:\S+) (?P<name>\S+) (?P<what>\S+)(?P<rest>.*)$")
ENDED = {"created", "updated", "deleted", "replaced", "imported", "failed", "discarded", "read"}
BEGUN = {"creating", "updating", "deleting", "replacing", "importing", "discarding", "reading"}
NOISE = re.compile(
    r"warning: using pulumi-\S+ from \$PATH|^@ (updating|refreshing|previewing|destroying)|^ .* \d+ warnings?$"
    # what rules would have said of other resources when one has failed already
    r"|error: failed to run \w+: context canceled$|^ +pulumi:providers:\S+ \S+ +\d+ errors?$"
)
HEADING = re.compile(r"^Diagnostics:$|^  \S+ \(\S+\):$")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SECTION = ("Diagnostics:", "Resources:", "error:")
WRONG = re.compile(r"\b(error|warning):")


class Quieter:
    """Hands on the engine's lines without its remarks on where it found plugins, and without headings over nothing."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._held: list[str] = []

    def line(self, text: str) -> None:
        """Take the engine's next line."""
        plain = COLOUR.sub("", text)
        if HEADING.match(plain):
            # A heading shows when something follows below it; one of the same depth takes its place.
            self._held = [] if plain == "Diagnostics:" else self._held[:1]
            self._held.append(text)
        elif not NOISE.search(plain) and (plain.strip() or not self._held):
            for heading in self._held if plain.startswith("    ") else []:
                self._say(heading)
            self._held = []
            self._say(text)


class Display:
    """Takes the engine's lines one by one: all go to the log, the short form to the terminal.

    `say` prints a line that stays, `note` one that may be overwritten. With `verbose` every line but the noise stays.
    """

    def __init__(self, *, say: Callable[[str], None], note: Callable[[str], None], log: Path, verbose: bool) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._say, self._note, self._verbose = say, note, verbose
        self._log = log.open("a")
        self._quieter = Quieter(self._show)
        self._summary = False
        self._block: list[str] = []
        self._under_way: dict[str, None] = {}

    def line(self, text: str) -> None:
        """Take the engine's next line."""
        self._log.write(f"{text}\n")
        self._log.flush()
        self._quieter.line(text)

    def _show(self, text: str) -> None:
        if self._verbose:
            self._say(text)
        elif self._summary or text.startswith(SECTION):
            # The engine ends with what every resource said and what it did. What a resource said is shown only if something is wrong with it.
            self._summary = True
            self._end(text)
        elif found := STEP.match(text):
            self._step(found["sign"].strip(), f"{found['type'].split(':')[-1]} {found['name']}", found["what"].strip("*"), found["rest"])

    def _end(self, text: str) -> None:
        if text.startswith("    ") and self._block:
            self._block.append(text)
            return
        self._say_block()
        if HEADING.match(text) and text.startswith(" "):
            self._block = [text]
        elif text.strip() and text != "Diagnostics:":
            self._say(f"  {text}")

    def _say_block(self) -> None:
        if any(WRONG.search(line) for line in self._block):
            for line in self._block:
                self._say(f"  {line}")
        self._block = []

    def _step(self, sign: str, resource: str, what: str, rest: str) -> None:
        if what in BEGUN:
            self._under_way[resource] = None
        elif what in ENDED:
            self._under_way.pop(resource, None)
            took = re.search(r"\([\d.]+m?s\)", rest)
            self._say(f"  {sign} {resource} {what} {took[0] if took else ''}".rstrip())
        if self._under_way:
            self._note(", ".join(list(self._under_way)[-2:]))

    def close(self) -> None:
        """Say what is still held, and close the log."""
        self._say_block()
        self._log.close()

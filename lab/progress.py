"""What the person at the terminal sees: the phase at work, how long it takes, and what it said last."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from lab.places import LabError

BEAT_S = 15.0
"""Seconds between two signs of life where the output is no terminal."""


class Progress:
    """Phases one after the other; a spinner on a terminal, plain lines elsewhere.

    `times` holds the seconds of every phase that ended well.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.times: dict[str, float] = {}
        self._note = ""
        self._failed = False
        self._started = time.monotonic()

    @classmethod
    def quiet(cls) -> "Progress":
        """Progress that nobody sees, for commands whose output is somebody else's."""
        return cls(Console(quiet=True))

    def note(self, text: str) -> None:
        """Say what the present phase is doing; shown on the spinner, or at the next sign of life."""
        self._note = text

    def exit_code(self, code: int) -> int:
        """Pass an exit code on; the present phase failed if it is not 0."""
        self._failed = self._failed or code != 0
        return code

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.console.print(text, markup=False, highlight=False)

    @contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Time a phase and show that it is alive."""
        self._note, self._started, self._failed = "", time.monotonic(), False
        ended = threading.Event()
        show = self._spin if self.console.is_terminal else self._beat
        shower = threading.Thread(target=show, args=(name, ended), daemon=True)
        shower.start()
        outcome = "broken off"
        try:
            yield
            outcome = "failed" if self._failed else "done"
        except LabError:
            outcome = "failed"
            raise
        finally:
            ended.set()
            shower.join()
            seconds = time.monotonic() - self._started
            if outcome == "done":
                self.times[name] = seconds
            self.say(f"{name}: {outcome} after {readable(seconds)}")

    def _line(self, name: str) -> str:
        note = f" · {self._note}" if self._note else ""
        return f"{name}: {readable(time.monotonic() - self._started)}{note}"

    def _spin(self, name: str, ended: threading.Event) -> None:
        with self.console.status(name) as status:
            while not ended.wait(0.5):
                status.update(escape(self._line(name)))

    def _beat(self, name: str, ended: threading.Event) -> None:
        self.say(f"{name} ...")
        while not ended.wait(BEAT_S):
            self.say(f"  {self._line(name)}")


def readable(seconds: float) -> str:
    """A duration for people: `8.4 s`, `3 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"

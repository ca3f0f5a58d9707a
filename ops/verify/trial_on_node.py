"""Runs on a node, sent there as text: connects to a Service again and again, answers as its endpoint where told to, and ends when nobody listens.

Standard input: ten digits and as many bytes of JSON, then a word of JSON a line; an empty line is a sign of life. Standard output: the nonce, then
what has happened, a word of JSON a line. It starts nothing, and has sockets alone. Knows the standard library alone.
"""

import json
import os
import select
import socket
import time
from typing import Any

TICK_S = 0.05
AT_ONCE = 32
"""Connections that wait at the same time."""
DIRECT = "direct "


class Attempt:
    """One new connection; the other side speaks first."""

    def __init__(self, to: tuple[str, int], kind: str, now: float, limit_s: float) -> None:
        self.kind, self.begun, self.until = kind, now, now + limit_s
        self._limit_s = limit_s
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.failed = ""
        try:
            self.socket.connect(to)
        except BlockingIOError:
            pass
        except OSError as error:
            self.failed = word(error)

    def answer(self) -> tuple[str, str]:
        """Who answered, or why nobody did; to be asked when there is something to read."""
        if self.failed:
            return "", self.failed
        try:
            said = self.socket.recv(256).decode(errors="replace").strip()
        except OSError as error:
            return "", word(error)
        return said, "" if said else "closed without an answer"

    def late(self) -> str:
        """Why it is given up."""
        return f"no answer in {self._limit_s:g} s"


def word(error: OSError) -> str:
    """What the kernel says."""
    return (error.strerror or str(error)).lower()


class Change:
    """An endpoint that was withdrawn, and who still gets an answer from it."""

    def __init__(self, endpoint: str, now: float) -> None:
        self.endpoint, self.heard = endpoint, now
        self.last_s = 0.0
        self.asked = 0
        self.quiet_from = now
        self.others = 0
        self.settled = self.over = False

    def heard_from(self, who: str, begun: float) -> None:
        """An answer."""
        if begun < self.heard or self.settled or self.over:
            return
        if who == self.endpoint:
            self.asked += 1
            self.last_s, self.quiet_from, self.others = begun - self.heard, begun, 0
        else:
            self.others += 1


class Part:
    """What a node does in the trial."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._nonce = str(task["nonce"])
        self._heard = time.monotonic()
        self._until = self._heard + float(task["limit_s"])
        self._in = b""
        self._out = bytearray(f"\n{self._nonce}\n".encode())
        self._listening: dict[int, tuple[socket.socket, str]] = {}
        self._attempts: dict[int, Attempt] = {}
        self._asked: dict[str, Any] = {}
        self._begun = self._next = self._since = self._heard
        self._first: float | None = None
        self._streak = 0
        self._before: dict[str, int] = {}
        self._steady_s: float | None = None
        self._steady_at = 0.0
        self._changes: list[Change] = []
        self._answers: dict[str, int] = {}
        self._failures: dict[tuple[int, str], list[float]] = {}
        self._unreachable: dict[str, str] = {}
        self._slowest_s = 0.0
        self._ending = self.gone = False

    def run(self) -> None:
        """Take part until nobody listens."""
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        while not self.gone:
            now = time.monotonic()
            self._ask(now)
            self._wait(now)
            self._give_up()
            self._judge()
            now = time.monotonic()
            if now - self._heard > float(self._task["silence_s"]) or now > self._until:
                return

    def tell(self, **words: Any) -> None:
        """Say something to the operator's machine."""
        self._out += json.dumps(words).encode() + b"\n"

    # What it is told

    def _take(self) -> None:
        piece = os.read(0, 1 << 16)
        self.gone |= not piece
        self._heard = time.monotonic()
        *lines, self._in = (self._in + piece).split(b"\n")
        for line in lines:
            if line.strip():
                self._obey(json.loads(line))

    def _obey(self, words: dict[str, Any]) -> None:
        if "serve" in words:
            self._serve(words["serve"], words["ports"])
        elif "ask" in words:
            self._asked = words["ask"]
            self._begun = self._next = self._since = time.monotonic()
            for name, (address, port) in self._asked["endpoints"].items():
                self._attempt((address, int(port)), DIRECT + name, self._asked["answer_s"])
        elif "withdrawn" in words:
            self._changes.append(Change(words["withdrawn"], time.monotonic()))
        elif "over" in words:
            # It may be given back from now on.
            self._changes[-1].over = True
        elif "end" in words and not self._ending:
            # It goes on answering: others may not have heard the word yet.
            self._ending = True
            self._asked = {}
            self.tell(summary=self._summary())

    def _serve(self, names: list[str], ports: list[int]) -> None:
        """Listen for each name on the first port that is free."""
        taken: dict[str, int] = {}
        for name in names:
            for port in ports:
                listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                try:
                    # The node's own address alone; nothing may listen on this port of any other either.
                    listening.bind(("0.0.0.0", port))  # noqa: S104 - to see whether it is free; nothing listens yet
                    listening.close()
                    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                    listening.bind((self._task["address"], port))
                    listening.listen(1024)
                except OSError:
                    listening.close()
                    continue
                self._listening[listening.fileno()] = (listening, name)
                taken[name] = port
                break
        self.tell(serving=taken)

    # What it does

    def _ask(self, now: float) -> None:
        if not self._asked or now < self._next or len(self._attempts) >= AT_ONCE:
            return
        # A node that stood still does not make up for it.
        self._next = max(self._next + float(self._asked["interval_s"]), now)
        limit_s = float(self._asked["answer_s"] if self._steady_s is not None else self._asked["first_s"])
        self._attempt((self._asked["address"], int(self._asked["port"])), "service", limit_s)

    def _attempt(self, to: tuple[str, int], kind: str, limit_s: float) -> None:
        attempt = Attempt(to, kind, time.monotonic(), limit_s)
        if attempt.failed:
            attempt.socket.close()
            self._ended(attempt, *attempt.answer())
        else:
            self._attempts[attempt.socket.fileno()] = attempt

    def _wait(self, now: float) -> None:
        pause_s = min(TICK_S, max(0.0, self._next - now)) if self._asked else TICK_S
        ready, writable, _ = select.select([0, *self._listening, *self._attempts], [1] if self._out else [], [], pause_s or 0.001)
        # Endpoints first: this node may be its own client.
        for descriptor in sorted(ready, key=lambda one: one not in self._listening):
            if descriptor == 0:
                self._take()
            elif descriptor in self._listening:
                self._serve_waiting(*self._listening[descriptor])
            else:
                attempt = self._attempts.pop(descriptor)
                said, why = attempt.answer()
                attempt.socket.close()
                self._ended(attempt, said, why)
        if writable:
            try:
                del self._out[: os.write(1, self._out[: 1 << 16])]
            except BlockingIOError:
                pass
            except OSError:
                self.gone = True

    def _serve_waiting(self, listening: socket.socket, name: str) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, _peer = listening.accept()
            except OSError:
                return
            with accepted:
                try:
                    accepted.send(f"{self._nonce} {name}\n".encode())
                except OSError:
                    continue

    def _give_up(self) -> None:
        now = time.monotonic()
        for descriptor, attempt in list(self._attempts.items()):
            if now > attempt.until:
                # Its answer may have come while this node stood still.
                said, why = attempt.answer() if select.select([descriptor], [], [], 0)[0] else ("", attempt.late())
                del self._attempts[descriptor]
                attempt.socket.close()
                self._ended(attempt, said, why)

    def _ended(self, attempt: Attempt, said: str, why: str) -> None:
        """A connection is over: who answered, or why nobody did."""
        nonce, _, who = said.partition(" ")
        if not why and (nonce != self._nonce or not who):
            why = "somebody else answers"
        if attempt.kind.startswith(DIRECT):
            if why or who != attempt.kind[len(DIRECT) :]:
                self._unreachable[attempt.kind[len(DIRECT) :]] = why or f"{who} answers"
            return
        now = time.monotonic()
        if self._steady_s is None:
            self._early(attempt, now, why)
        elif why and attempt.begun >= self._steady_at:
            self._failures.setdefault((len(self._changes), why), []).append(attempt.begun - self._epoch())
        elif not why:
            self._slowest_s = max(self._slowest_s, now - attempt.begun)
        if not why:
            self._answers[who] = self._answers.get(who, 0) + 1
            if self._changes:
                self._changes[-1].heard_from(who, attempt.begun)

    def _epoch(self) -> float:
        return self._changes[-1].heard if self._changes else self._begun

    # What it makes of it

    def _early(self, attempt: Attempt, now: float, why: str) -> None:
        """While kube-proxy makes the Service, failures are none; it is there when several in a row are answered."""
        if why:
            self._before[why] = self._before.get(why, 0) + 1
            self._streak, self._first, self._since = 0, None, now
        elif attempt.begun >= self._since:
            self._streak += 1
            self._first = attempt.begun if self._first is None else min(self._first, attempt.begun)

    def _judge(self) -> None:
        now = time.monotonic()
        if self._steady_s is None and self._first is not None and self._streak >= self._asked.get("steady", 1):
            waiting = [attempt for attempt in self._attempts.values() if attempt.kind == "service" and attempt.begun < self._first]
            if not waiting:
                self._steady_s, self._steady_at = self._first - self._begun, now
                self.tell(steady=True)
        if not self._changes or self._changes[-1].settled or self._changes[-1].over or not self._asked:
            return
        change = self._changes[-1]
        if change.others >= self._asked["settled"] and now - change.quiet_from >= self._asked["quiet_s"]:
            change.settled = True
            self.tell(settled=change.endpoint)

    def _summary(self) -> dict[str, Any]:
        return {
            "steady_s": None if self._steady_s is None else round(self._steady_s, 3),
            "before": self._before,
            "changes": [
                {"endpoint": change.endpoint, "last_s": round(change.last_s, 3), "asked": change.asked, "settled": change.settled}
                for change in self._changes
            ],
            "answers": self._answers,
            "failures": [
                {"change": change, "why": why, "times": len(times), "first_s": round(min(times), 3)}
                for (change, why), times in sorted(self._failures.items())
            ],
            "unreachable": self._unreachable,
            "slowest_ms": round(self._slowest_s * 1000, 1),
        }


def take(size: int) -> bytes:
    """So many bytes of standard input."""
    content = b""
    while len(content) < size:
        piece = os.read(0, size - len(content))
        if not piece:
            raise SystemExit(1)
        content += piece
    return content


if __name__ == "__main__":
    Part(json.loads(take(int(take(10))))).run()

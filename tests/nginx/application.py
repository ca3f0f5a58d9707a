"""An application behind NGINX that does what each request's path asks for, and says what it saw."""

import socket
import threading
import time
from dataclasses import dataclass, field

STALLED_S = 1.5
"""How long nothing may happen until a connection counts as stuck."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a response is to be; `path` carries it through NGINX."""

    body: int = 0
    headers: int = 200
    """Bytes of status line and headers, up to the empty line."""
    kind: str = "plain"
    """`plain` has a length, `closing` ends with the connection, `chunks` is in chunks of 4 KiB, `pieces` in chunks of 50 bytes with pauses,
    `held` waits for `release`."""
    closes: bool = True
    """The connection ends with it, so that NGINX shows that it has read everything by closing its end."""

    def path(self, tag: str) -> str:
        """Where to ask for it; the tag is in NGINX's log."""
        return f"/{self.body}/{self.headers}/{self.kind}/{int(self.closes)}/{tag}"

    def head(self) -> bytes:
        """Status line and headers of exactly the size asked for."""
        framing = {"chunks": b"Transfer-Encoding: chunked\r\n", "pieces": b"Transfer-Encoding: chunked\r\n", "closing": b""}
        lines = b"HTTP/1.1 200 OK\r\n" + framing.get(self.kind, b"Content-Length: %d\r\n" % self.body)
        lines += b"Connection: close\r\n" if self.closes else b""
        rest = self.headers - len(lines) - len(b"P: \r\n\r\n")
        assert rest >= 0, f"headers of {self.headers} bytes are too short"
        return lines + b"P: " + b"p" * rest + b"\r\n\r\n"


@dataclass
class Application:
    """A server on loopback; each connection has a thread."""

    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    """By tag: `read` when NGINX has taken the whole response, `waits` when it took no more of it, `refused` when it ended the connection."""
    bodies: dict[str, int] = field(default_factory=dict[str, int])
    """By tag: bytes of the request's body."""
    connections: int = 0
    open_connections: int = 0
    release: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self.listener.getsockname()[1]
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections, and let the held ones go."""
        self.release.set()
        # Closing alone would leave the thread that accepts asleep.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self.open_connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while self._answer(connection):
                    pass
            except OSError:
                pass
        with self._lock:
            self.open_connections -= 1

    def _answer(self, connection: socket.socket) -> bool:
        received = b""
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                return False
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)[1].decode().split("/")
        answer, tag = Answer(body=int(words[1]), headers=int(words[2]), kind=words[3], closes=words[4] == "1"), words[5]
        self.bodies[tag] = _drained(connection, head, len(body))
        if answer.kind == "held":
            self.release.wait(30)
        try:
            _send(connection, answer)
        except ConnectionError:
            self.outcomes[tag] = "refused"
            return False
        if answer.closes:
            self.outcomes[tag] = _outcome(connection)
        return not answer.closes


def _drained(connection: socket.socket, head: bytes, have: int) -> int:
    length = next((int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while have < length:
        more = connection.recv(65536)
        if not more:
            break
        have += len(more)
    return have


def _send(connection: socket.socket, answer: Answer) -> None:
    body = b"x" * answer.body
    if answer.kind == "pieces":
        connection.sendall(answer.head())
        for begin in range(0, answer.body, 50):
            time.sleep(0.005)
            connection.sendall(_chunk(body[begin : begin + 50]))
        connection.sendall(_chunk(b""))
        return
    if answer.kind == "chunks":
        body = b"".join(_chunk(body[begin : begin + 4096]) for begin in range(0, answer.body, 4096)) + _chunk(b"")
    # One that is not read any further blocks here until the experiment ends and NGINX goes.
    connection.settimeout(STALLED_S)
    try:
        connection.sendall(answer.head() + body)
    except TimeoutError:
        return
    if answer.kind == "closing":
        connection.shutdown(socket.SHUT_WR)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _outcome(connection: socket.socket) -> str:
    connection.settimeout(STALLED_S)
    try:
        connection.recv(1)
    except TimeoutError:
        return "waits"
    except ConnectionResetError:
        pass  # NGINX closed before it read the last bytes that it does not need
    return "read"

"""A real NGINX with the configuration that is rendered for a plan, on loopback and in a folder of its own."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plan.ingress import IngressPlan
from render.ingress.server import Places, nginx_conf
from tests.nginx.application import Answer, Application

RESPONSE_FILE = "an upstream response is buffered to a temporary file"
REQUEST_FILE = "a client request body is buffered to a temporary file"
START_S = 10.0
_TAGS = itertools.count()


@dataclass
class Server:
    """A running NGINX and the application behind it."""

    port: int
    folder: Path
    application: Application
    process: subprocess.Popen[bytes] = field(repr=False)

    def log(self) -> str:
        """What NGINX wrote to its error logs: the one of requests, and that of the process."""
        return "".join((self.folder / name).read_text() for name in ("error.log", "start.log"))

    def connect(self, *, takes_little: bool = False) -> socket.socket:
        """A connection to NGINX; one that takes little has the smallest receive buffer that there is."""
        client = socket.socket()
        if takes_little:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        return client

    def outcome(self, answer: Answer) -> str:
        """What NGINX does with a response that its client does not take: `memory`, `file`, or `waits` where it reads no further."""
        tag = f"t{next(_TAGS)}"
        with self.connect(takes_little=True) as client:
            client.sendall(f"GET {answer.path(tag)} HTTP/1.1\r\nHost: app.example\r\n\r\n".encode())
            deadline = time.monotonic() + 30
            while tag not in self.application.outcomes and time.monotonic() < deadline:
                time.sleep(0.002)
            # NGINX writes the warning before it begins the file, so before it has read the rest and closes.
            written = any(tag in line and RESPONSE_FILE in line for line in self.log().splitlines())
        outcome = self.application.outcomes.get(tag)
        assert outcome is not None, f"the application never ended {answer}: {self.log()[-500:]}"
        return "file" if written else "memory" if outcome == "read" else outcome


def most(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Largest number for which something holds, between one where it does and one where it does not."""
    assert holds(low), f"{low}: does not hold"
    assert not holds(high), f"{high}: holds"
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def written(plan: IngressPlan, folder: Path, port: int, server: str) -> Path:
    """The configuration for an experiment. Sockets towards clients are the smallest that there are: what they hold is not NGINX's memory."""
    certificate(folder)
    places = Places(
        http=f"127.0.0.1:{port}",
        https=f"127.0.0.1:{free_port()}",
        socket=" sndbuf=1k",
        server=server,
        folder=str(folder),
        certificate=str(folder / "certificate.pem"),
        error_log=f"{folder}/error.log warn",
        access_log=f"{folder}/access.log",
    )
    path = folder / "nginx.conf"
    # Modules that the controllers' builds do not have would use Debian's folders; `http2` is a directive since 1.25.1, and Debian 12 has 1.22.
    others = "".join(f"{module}_temp_path {folder}/{module};\n" for module in ("fastcgi", "uwsgi", "scgi"))
    path.write_text(nginx_conf(plan, places).replace("http {\n", f"http {{\n{others}").replace("http2 on;\n", ""))
    return path


def certificate(folder: Path) -> None:
    """A key and a certificate of its own, in one file as the controller has it."""
    key, made = folder / "key.pem", folder / "made.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=app.example",
    ]
    subprocess.run([*words, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True, timeout=60)
    (folder / "certificate.pem").write_text(key.read_text() + made.read_text())


def command(path: Path, *words: str) -> list[str]:
    """How NGINX is run. Started by root it would give its workers another user, who may not enter the tests' folders."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        pytest.skip("there is no nginx on PATH: install Debian's package nginx")
    return [found, "-c", str(path), "-e", str(path.with_name("start.log")), *(["-g", "user root;"] if os.geteuid() == 0 else []), *words]


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """What `nginx -t` says of a configuration."""
    return subprocess.run(command(path, "-t"), capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def running(plan: IngressPlan, folder: Path) -> Generator[Server, None, None]:
    """NGINX with the plan's configuration before an application; both gone afterwards."""
    application, port = Application(), free_port()
    path = written(plan, folder, port, f"127.0.0.1:{application.port}")
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command(path), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait(process, port, folder)
        yield Server(port=port, folder=folder, application=application, process=process)
    finally:
        application.close()
        os.killpg(process.pid, signal.SIGKILL)  # its own session; a worker asked to go first ends each thread of its pool
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "output").read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError(f"NGINX does not listen after {START_S:.0f} s: {(folder / 'output').read_text()}")

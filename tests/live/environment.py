"""A whole lab of its own under test: brought up, changed, looked at, taken down by the same commands that people use."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[2]


STREAM = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}


@dataclass(frozen=True)
class Seen:
    """What a preview would do, and what `ops preview-summary` says of it."""

    steps: dict[str, str]
    """Resource name to operation, unchanged ones left out."""
    summary: dict[str, Any]
    code: int
    """The exit code for gates."""

    def says(self, subject: str) -> str:
        """All that is said of a node, or of another subject."""
        return "\n".join(effect["text"] for effect in self.summary["effects"] if subject in effect["subjects"])

    def subjects(self) -> set[str]:
        """Everything that something is said of."""
        return {effect["subjects"] for effect in self.summary["effects"]}


@dataclass
class Live:
    """The lab under test, and the settings by which it differs from its stack file by now."""

    name: str = "live"
    settings: dict[str, str] = field(default_factory=dict[str, str])
    times: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    @property
    def state(self) -> Path:
        """The lab's own folder in the checkout."""
        return ROOT / ".lab" / self.name

    @property
    def namespace(self) -> str:
        """The lab's network namespace."""
        return f"underlay-{self.name}"

    def words(self, command: str, *arguments: str) -> list[str]:
        """`python -m lab COMMAND` on this lab; arguments that follow `--` go to the engine, kubectl or the node."""
        changed = [word for path, value in self.settings.items() for word in ("--set", f"{path}={value}")]
        sets = changed if command in ("up", "preview", "pulumi") else []
        return [sys.executable, "-m", "lab", command, "--name", self.name, *sets, *arguments]

    def run(self, command: str, *arguments: str, timeout_s: float = 120, variables: Mapping[str, str] | None = None) -> str:
        """Standard output of a lab command that must succeed."""
        done = self.attempt(command, *arguments, timeout_s=timeout_s, variables=variables)
        assert done.returncode == 0, f"{command} {arguments}: {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def attempt(
        self, command: str, *arguments: str, timeout_s: float = 120, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A lab command that may fail."""
        own = {**os.environ, **(variables or {})}
        return subprocess.run(self.words(command, *arguments), cwd=ROOT, env=own, capture_output=True, text=True, timeout=timeout_s, check=False)

    def up(self, what: str, timeout_s: float = 2400) -> float:
        """Bring the lab to its settings; note and give how long that took, s."""
        start = time.monotonic()
        self.run("up", timeout_s=timeout_s)
        self.note(what, time.monotonic() - start)
        return time.monotonic() - start

    def log(self) -> str:
        """Everything the engine said in the last `up`."""
        return max((self.state / "log").glob("up-*.log"), key=lambda path: path.stat().st_mtime).read_text(errors="replace")

    def note(self, what: str, seconds: float) -> None:
        """Keep a measured time for the summary, and show it."""
        self.times.append((what, seconds))
        sys.stdout.write(f"\n  measured: {what}: {seconds:.0f} s\n")
        sys.stdout.flush()

    def steps(self) -> dict[str, str]:
        """What a preview would do now: resource name to operation, unchanged ones left out."""
        said = self.run("pulumi", "--", "preview", "--json", "--non-interactive")
        steps = json.loads(said[said.index("{") :])["steps"]
        return {step["urn"].rsplit("::", 1)[1]: step["op"] for step in steps if step["op"] != "same"}

    def summary(self) -> Seen:
        """What a preview would do now, and its summary, from one run of the engine."""
        said = self.attempt("pulumi", "--", "preview", "--json", "--diff", "--color", "never", "--non-interactive", variables=STREAM).stdout
        words = [sys.executable, "-m", "ops", "preview-summary", "--format", "json"]
        done = subprocess.run(words, cwd=ROOT, input=said, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, 10, 20, 30, 40), f"{done.returncode}: {done.stderr[-2000:]}"
        events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        steps = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
        changed = {step["urn"].rsplit("::", 1)[1]: step["op"] for step in steps if step["op"] != "same"}
        return Seen(steps=changed, summary=json.loads(done.stdout), code=done.returncode)

    def boots(self, *nodes: str) -> dict[str, str]:
        """What changes when a machine boots, by node."""
        return {node: self.shell(node, "cat /proc/sys/kernel/random/boot_id") for node in nodes}

    def pods(self) -> dict[str, str]:
        """The identity of each pod, by namespace and name; a mirror's is its static pod's."""
        items = json.loads(self.kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
        return {f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["metadata"]["uid"] for item in items}

    def shell(self, node: str, script: str, timeout_s: float = 120) -> str:
        """What a script on a node says."""
        return self.run("ssh", node, "--", script, timeout_s=timeout_s).strip()

    def kubectl(self, *arguments: str, timeout_s: float = 120) -> str:
        """What kubectl says, as administrator."""
        return self.run("kubectl", "--", *arguments, timeout_s=timeout_s)

    def nodes(self) -> dict[str, bool]:
        """Kubernetes' nodes and whether they are Ready."""
        items = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return {
            item["metadata"]["name"]: any(one["type"] == "Ready" and one["status"] == "True" for one in item["status"]["conditions"])
            for item in items
        }

    def virsh(self, *arguments: str) -> str:
        """What this lab's libvirt says."""
        socket = f"qemu+unix:///system?socket=/run/underlay/{self.name}/libvirt/libvirt-sock"
        return subprocess.run(["virsh", "-c", socket, *arguments], capture_output=True, text=True, timeout=60, check=True).stdout

    def domains(self) -> set[str]:
        """All domains, running or not."""
        return set(self.virsh("list", "--all", "--name").split())

    def volumes(self) -> set[str]:
        """All volumes of the pool."""
        lines = self.virsh("vol-list", "--pool", "lab").splitlines()[2:]
        return {line.split()[0] for line in lines if line.strip()}

    def scheduler_in_kernel(self, node: str) -> str:
        """Scheduler of the virtual server of the Service `kubernetes`, as the kernel has it."""
        table = self.shell(node, "ipvsadm -Ln -t 10.96.0.1:443")
        return next(line.split()[2] for line in table.splitlines() if line.startswith("TCP"))

    def up_killed_when(self, condition: Callable[[str], bool], timeout_s: float = 900) -> None:
        """Start `up` and kill everything of it with SIGKILL as soon as the condition holds for what the engine has said."""
        started = time.time()
        output = self.state.parent / f"{self.name}-killed.log"
        output.parent.mkdir(exist_ok=True)
        with output.open("w") as stream, subprocess.Popen(self.words("up", "--verbose"), cwd=ROOT, stdout=stream, stderr=stream) as process:
            while not condition(_said_since(self.state, started)):
                assert process.poll() is None, f"up ended by itself: {output.read_text()[-6000:]}"
                assert time.time() - started < timeout_s, f"the moment to kill never came: {output.read_text()[-6000:]}"
                time.sleep(0.5)
            process.kill()
            _kill_engine(self.state)
            process.wait()


def _said_since(state: Path, started: float) -> str:
    logs = [path for path in (state / "log").glob("up-*.log") if path.stat().st_mtime >= started]
    return "".join(path.read_text(errors="replace") for path in sorted(logs))


def _kill_engine(state: Path) -> None:
    """SIGKILL for the engine, its language host and its plugins, all at once."""
    mark = f"UNDERLAY_ENGINE_OF={state}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes().split(b"\0"):
                os.kill(int(place.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def secrets_of(live: Live) -> dict[str, str]:
    """Marks of secrets that must be nowhere in clear: a line out of the middle of each key, the token's secret half."""
    exported: dict[str, Any] = json.loads(live.run("pulumi", "--", "stack", "export", "--show-secrets"))
    found: dict[str, str] = {}
    for resource in exported["deployment"]["resources"]:
        outputs, name = resource.get("outputs", {}), resource["urn"].rsplit("::", 1)[1]
        if resource["type"] == "tls:index/privateKey:PrivateKey" and not name.endswith("-host-key"):
            found[name] = _plain(outputs["privateKeyPem"]).splitlines()[1][8:48]
        if resource["type"] == "random:index/randomPassword:RandomPassword":
            found[name] = _plain(outputs["result"])
        if resource["type"] == "random:index/randomBytes:RandomBytes":
            found[name] = _plain(outputs["base64"])
    return found


def _plain(value: Any) -> str:
    return json.loads(cast("dict[str, str]", value)["plaintext"]) if isinstance(value, dict) else value


def files_with(marks: dict[str, str], files: Sequence[Path]) -> list[str]:
    """Which secret stands in which file."""
    return [f"{name} in {path}" for path in files for content in [path.read_bytes()] for name, mark in marks.items() if mark.encode() in content]


def pod_namespace(live: Live, node: str, address: str) -> str:
    """Name of the network namespace of the pod with this address."""
    script = f'for path in /run/netns/cni-*; do ip -n "${{path##*/}}" -4 -o address | grep -q " {address}/" && echo "${{path##*/}}"; done; true'
    found = live.shell(node, script).split()
    assert len(found) == 1, f"{address} is in {found} on {node}"
    return found[0]


@dataclass(frozen=True)
class Probe:
    """Ten packets a second from a pod's namespace to an address."""

    live: Live
    node: str
    namespace: str
    target: str

    def start(self) -> None:
        """Begin, and go on until `stop`."""
        words = f"ip netns exec {self.namespace} ping -n -D -i 0.1 {self.target}"
        self.live.shell(self.node, f"systemd-run --quiet --unit probe bash -c '{words} > /run/probe 2>&1'; sleep 2; grep -q icmp_seq /run/probe")

    def stop(self) -> tuple[int, int, float]:
        """Packets sent, packets lost, and the longest time without an answer, s."""
        said = self.live.shell(
            self.node, "systemctl kill --signal INT --kill-whom all probe; sleep 2; systemctl stop probe; cat /run/probe", timeout_s=300
        )
        answers = [(float(stamp), int(number)) for stamp, number in re.findall(r"(?m)^\[([\d.]+)\] .*icmp_seq=(\d+) ttl", said)]
        summary = re.search(r"(\d+) packets transmitted, (\d+) received", said)
        assert summary, said[-500:]
        sent, received = int(summary[1]), int(summary[2])
        gaps = [later - earlier for (earlier, _), (later, _) in pairwise(answers)]
        return sent, sent - received, max(gaps)

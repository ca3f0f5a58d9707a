"""Runs of the engine on one stack of one lab: one at a time, in the lab's namespace or on a loopback of their own."""

import contextlib
import fcntl
import json
import signal
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import hypervisor, project, stackfile
from lab.places import Lab, LabError
from lab.pluginset import PluginSet
from lab.process import attempt, end, holding_open, in_namespace, run, with_environment

MARK = "UNDERLAY_ENGINE_OF"
"""Environment variable that every process of an engine run carries; its value is the lab's state directory."""
INTERRUPT_GRACE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Session:
    """An engine that is ready to run on one stack.

    `isolated`: away from the lab's namespace, on a loopback of its own, as a preview without hypervisor is.
    """

    lab: Lab
    stack: str
    engine: Path
    plugins: PluginSet
    isolated: bool
    folder: Path | None = None
    """Of a project beside the environment's own, such as an application's."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further environment variables of the engine and of all that it starts."""

    @property
    def _folder(self) -> Path:
        return self.folder or project.project_dir(self.lab)

    @property
    def project_name(self) -> str:
        """Name of the project that the engine works on."""
        return str(stackfile.yaml_object(self._folder / "Pulumi.yaml")["name"]) if self.folder else own_name(self.lab)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The words that run the engine where it has to run."""
        words = [str(self.engine), *arguments]
        if self.isolated:
            return ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *words]
        return in_namespace(self.lab.namespace, words)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the engine and of all that it starts."""
        own = project.engine_environment(self.lab, path_first=self.plugins.path_first, stand_ins=self.plugins.stand_ins)
        return {**own, **self.variables, MARK: str(self.lab.root), "PULUMI_STACK": self.stack}

    def capture(self, arguments: Sequence[str], *, stdin: str | None = None, timeout_s: float = 120) -> str:
        """Standard output of an engine command that must succeed; nothing of it is logged."""
        return run(self.command(arguments), stdin=stdin, timeout_s=timeout_s, env=self.environment, cwd=self._folder)

    def follow(self, arguments: Sequence[str], on_line: Callable[[str], None]) -> int:
        """Run an engine command and hand on each line it says; gives its exit code.

        An interrupt reaches the engine, which gets some seconds to note where it stands; the next run goes on from there.
        """
        with subprocess.Popen(
            self.command(arguments),
            cwd=self._folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                assert process.stdout is not None  # noqa: S101 - it was asked for
                for line in process.stdout:
                    on_line(line.rstrip("\n"))
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(INTERRUPT_GRACE_S)
                raise
            finally:
                # A killed engine leaves its plugins behind.
                end_runs(self.lab)
        return process.returncode

    def attach(self, arguments: Sequence[str]) -> int:
        """Run an engine command on this very terminal; gives its exit code."""
        return subprocess.run(self.command(arguments), cwd=self._folder, env=self.environment, check=False).returncode


def end_runs(lab: Lab) -> list[int]:
    """End what is left of engine runs of this lab; gives what would not go."""
    return end(lambda: with_environment(MARK, str(lab.root)), first=signal.SIGINT)


def lock_file(lab: Lab) -> Path:
    """Held by the one command that works on the lab."""
    return lab.root / "engine.lock"


def end_commands(lab: Lab) -> list[int]:
    """Interrupt whatever works on the lab, as `down` comes before everything else; gives what would not go."""
    return end(lambda: holding_open(lock_file(lab)), first=signal.SIGINT, grace_s=2 * INTERRUPT_GRACE_S)


@contextlib.contextmanager
def exclusive(lab: Lab) -> Generator[None]:
    """Keep other engine runs of the lab out, and clear away what a killed one left running."""
    lab.root.mkdir(parents=True, exist_ok=True)
    with lock_file(lab).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"another command works on lab {lab.name!r}: wait for it to end") from None
        left = end_runs(lab)
        if left:
            raise LabError(f"processes {left} of a killed engine run would not end")
        yield


def prepare(session: Session, machine: stackfile.Machine, settings: Iterable[tuple[str, Any]] = ()) -> None:
    """Make project and stack ready for a run; the caller holds `exclusive`, so a lock on the stack is a killed engine's."""
    lab, stack = session.lab, session.stack
    project.write(lab, stack, machine, settings)
    open_stack(session)


def open_stack(session: Session) -> None:
    """Make the stack of a written project ready for a run: there, and not locked."""
    lab, stack, name = session.lab, session.stack, session.project_name
    (lab.root / "state").mkdir(exist_ok=True)
    drop_torn_attributes(lab)
    if not state_file(lab, stack, name).exists():
        session.capture(["stack", "init", stack, "--non-interactive"])
    if any(locks(lab, stack, name)):
        session.capture(["cancel", "--yes", "--non-interactive"])


def drop_torn_attributes(lab: Lab) -> None:
    """Remove what the engine's file backend notes beside a file of its state, where a kill left the note half written.

    The state itself is written aside and moved into its place, the note is not (gocloud.dev, blob/fileblob): the engine says `failed to load
    checkpoint: EOF` of an empty one. Nothing needs it.
    """
    for path in (lab.root / "state").rglob("*.attrs"):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            path.unlink()


def own_name(lab: Lab) -> str:
    """Name of the environment's project."""
    return str(stackfile.yaml_object(lab.checkout / "Pulumi.yaml")["name"])


def state_file(lab: Lab, stack: str, project_name: str | None = None) -> Path:
    """The engine's state of the stack; of the environment's project, where none is named."""
    return lab.root / "state" / ".pulumi" / "stacks" / (project_name or own_name(lab)) / f"{stack}.json"


def locks(lab: Lab, stack: str, project_name: str | None = None) -> Iterator[Path]:
    """Locks that engines put on the stack; of the environment's project, where none is named."""
    return (lab.root / "state" / ".pulumi" / "locks" / "organization" / (project_name or own_name(lab)) / stack).glob("*.json")


def _deployment(session: Session) -> dict[str, Any]:
    path = state_file(session.lab, session.stack, session.project_name)
    checkpoint: dict[str, Any] = (json.loads(path.read_text()).get("checkpoint") or {}) if path.exists() else {}
    return checkpoint.get("latest") or {}


def pending(session: Session) -> list[Mapping[str, Any]]:
    """Operations that the engine had begun and not noted the end of."""
    return _deployment(session).get("pending_operations") or []


def finish_broken_off(session: Session) -> None:
    """Make a stack whose `up` was killed ready for the next one; nothing to do is fine.

    The engine only warns of operations that were under way, and keeps them for ever. A create that was under way may have left something on
    the hypervisor that the state does not know: it is removed, and the next `up` makes it again under the same name.
    """
    broken_off = pending(session)
    if not broken_off:
        return
    for operation in broken_off:
        if operation["type"] == "creating":
            remove_unfinished(session, operation["resource"])
    exported = json.loads(session.capture(["stack", "export"]))
    exported["deployment"].pop("pending_operations", None)
    session.capture(["stack", "import", "--non-interactive"], stdin=json.dumps(exported))


def remove_unfinished(session: Session, resource: Mapping[str, Any]) -> None:
    """Remove what a broken-off create of a libvirt resource may have left, where its provider is; other resources are made again in place."""
    inputs: Mapping[str, Any] = resource.get("inputs", {})
    name, uri, resource_type = str(inputs.get("name", "")), connection(session, resource), resource["type"]
    if not name or not uri or not hypervisor.is_here(session.lab):
        return
    virsh = ["virsh", "-c", uri]
    if resource_type == "libvirt:index/domain:Domain":
        attempt([*virsh, "destroy", name])
        attempt([*virsh, "undefine", "--nvram", name])
    elif resource_type in {"libvirt:index/volume:Volume", "libvirt:index/cloudInitDisk:CloudInitDisk"} and inputs.get("pool"):
        attempt([*virsh, "vol-delete", "--pool", str(inputs["pool"]), name])


def connection(session: Session, resource: Mapping[str, Any]) -> str | None:
    """The URI of the hypervisor that a libvirt resource is on: that of its provider in the state; None for other resources."""
    if not str(resource["type"]).startswith("libvirt:"):
        return None
    known: list[Mapping[str, Any]] = _deployment(session).get("resources") or []
    providers = {f"{each['urn']}::{each.get('id')}": each.get("inputs", {}) for each in known}
    return providers.get(str(resource.get("provider")), {}).get("uri")

"""A throw-away Pulumi project on the real engine with the lab's plugins, its state in a folder of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.plugins.install import install

CHECKOUT = Path(__file__).resolve().parents[2]


def engine() -> str | None:
    """The CLI to test with: UNDERLAY_PULUMI, or `pulumi` on PATH."""
    return os.environ.get("UNDERLAY_PULUMI") or shutil.which("pulumi")


@dataclass
class Outcome:
    """How a command of the engine ended."""

    code: int
    text: str
    """Standard output and error together."""


@dataclass
class Project:
    """A project in `folder`; `write` gives it its program, `run` runs the CLI on it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])
    name: str = "plugins"

    def __post_init__(self) -> None:
        (self.folder / "state").mkdir(parents=True)
        bin_dir = self.folder / "bin"
        # Not resolved: the link to the interpreter is what makes it the virtual environment's.
        install(bin_dir, Path(sys.executable), CHECKOUT)
        (self.folder / "Pulumi.yaml").write_text(f"name: {self.name}\nruntime: python\n")
        self.environment = {
            "PATH": f"{bin_dir}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            **self.environment,
        }
        assert self.run("stack", "init", "test").code == 0

    def write(self, program: str) -> None:
        """Sets the program."""
        (self.folder / "__main__.py").write_text(program)

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Starts a command without waiting for it."""
        command = [engine() or "pulumi", *args, "--non-interactive", "--stack", "test"]
        if args[0] == "stack":
            command = command[:-2]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *args: str, timeout_s: float = 400) -> Outcome:
        """Runs a command of the CLI to its end."""
        process = self.start(*args)
        text, _ = process.communicate(timeout=timeout_s)
        return Outcome(process.returncode, text)

    def up(self, *args: str) -> Outcome:
        """Brings the program's resources up; a failure fails the test with what the engine said."""
        outcome = self.run("up", "--yes", "--skip-preview", *args)
        assert outcome.code == 0, outcome.text
        return outcome

    def preview(self, *args: str) -> Outcome:
        """The preview, which must succeed."""
        outcome = self.run("preview", "--diff", *args)
        assert outcome.code == 0, outcome.text
        return outcome

    def planned(self) -> dict[str, str]:
        """What a preview would do, by the resource's name; `same` is left out."""
        outcome = self.run("preview", "--json")
        assert outcome.code == 0, outcome.text
        steps: list[dict[str, Any]] = json.loads(outcome.text[outcome.text.index("{") :])["steps"]
        return {step["urn"].rsplit("::", 1)[-1]: step["op"] for step in steps if step["op"] != "same"}

    def state(self) -> dict[str, dict[str, Any]]:
        """The recorded resources by name."""
        outcome = self.run("stack", "export", "--show-secrets")
        assert outcome.code == 0, outcome.text
        resources: list[dict[str, Any]] = json.loads(outcome.text)["deployment"].get("resources", [])
        return {resource["urn"].rsplit("::", 1)[-1]: resource for resource in resources}

    def raw_state(self) -> str:
        """The state file's text, as it lies on the disk."""
        return next((self.folder / "state").rglob("stacks/**/test.json")).read_text()


def wait_until(condition: Any, timeout_s: float = 30) -> None:
    """Polls until `condition()` is true; fails the test when it never is."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)

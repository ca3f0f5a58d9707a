"""What local and remote commands have in common: which command runs when, and what is kept of it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lab.plugins.base import Call, Properties, ProviderError, Resource, State

from .output import Logged


@dataclass(frozen=True)
class Task:
    """One run of a command."""

    command: str
    shown: str
    """The command as an error may show it."""
    stdin: str
    environment: Mapping[str, str]
    logged: Logged
    inputs: Properties
    """All the resource's inputs, for what only one kind of command has."""


@dataclass(frozen=True)
class Result:
    """What a command that succeeded wrote, without the last newline."""

    stdout: str = ""
    stderr: str = ""


class Command(Resource):
    """A command that runs on create, another (or the same) on every change of an input, and one on delete.

    A change of `triggers` replaces the resource. Nothing runs in a preview, and a refresh changes nothing.
    """

    inputs: ClassVar[frozenset[str]] = frozenset(
        {"addPreviousOutputInEnv", "create", "delete", "environment", "logging", "stdin", "triggers", "update"}
    )
    computed = frozenset({"stderr", "stdout"})
    volatile = computed
    replaces_on = frozenset({"triggers"})

    async def run(self, call: Call, task: Task) -> Result:
        """Runs the task. Raises ProviderError when it fails."""
        raise NotImplementedError

    async def create(self, call: Call, inputs: Properties) -> State:
        """Runs `create`, if there is one."""
        result = await self._run(call, "create", inputs, {}) if "create" in inputs else Result()
        return State(f"{call.name}{secrets.token_hex(4)}", {**inputs, "stdout": result.stdout, "stderr": result.stderr})

    async def update(self, call: Call, old: State, inputs: Properties) -> Properties:
        """Runs `update`, or else `create`."""
        kept = {"stdout": old.outputs.get("stdout", ""), "stderr": old.outputs.get("stderr", "")}
        which = next((name for name in ("update", "create") if name in inputs), None)
        if which is None:
            return {**inputs, **kept}
        result = await self._run(call, which, inputs, kept)
        return {**inputs, "stdout": result.stdout, "stderr": result.stderr}

    async def delete(self, call: Call, old: State) -> None:
        """Runs `delete` with the inputs of the last update."""
        if "delete" in old.outputs:
            await self._run(call, "delete", old.outputs, old.outputs)

    async def _run(self, call: Call, which: str, inputs: Properties, previous: Properties) -> Result:
        """Runs one of the commands within the resource's custom timeout, where it has one."""
        task = self._task(call, which, inputs, previous)
        try:
            async with asyncio.timeout(call.timeout_s or None):
                return await self.run(call, task)
        except TimeoutError:
            raise ProviderError(f"not done within {call.timeout_s:g} s, the custom timeout: running {json.dumps(task.shown)}") from None

    def _task(self, call: Call, which: str, inputs: Properties, previous: Properties) -> Task:
        environment = dict(inputs.get("environment", {}))
        if inputs.get("addPreviousOutputInEnv", True):
            written = {"PULUMI_COMMAND_STDOUT": previous.get("stdout"), "PULUMI_COMMAND_STDERR": previous.get("stderr")}
            environment |= {name: text for name, text in written.items() if text}
        return Task(
            command=inputs[which],
            shown="[secret]" if (which,) in call.secrets else inputs[which],
            stdin=inputs.get("stdin", ""),
            environment=environment,
            logged=Logged(inputs.get("logging", Logged.BOTH)),
            inputs=inputs,
        )

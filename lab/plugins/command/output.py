"""What a running command writes: kept, shown line by line as it comes, and quoted when the command fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final, Literal

from lab.plugins.base import Call, ProviderError

Stream = Literal["stdout", "stderr"]

_TAIL_CHARACTERS: Final = 4000
"""How much output an error quotes: it travels in an HTTP/2 header, and all of it was shown while the command ran."""


class Logged(StrEnum):
    """Which of a command's streams are shown while it runs: the values of the input `logging`."""

    STDOUT = "stdout"
    STDERR = "stderr"
    BOTH = "stdoutAndStderr"
    NONE = "none"


class Output:
    """The output of one command."""

    def __init__(self, call: Call, logged: Logged) -> None:
        self._call = call
        self._shown = {"stdout": logged in {Logged.STDOUT, Logged.BOTH}, "stderr": logged in {Logged.STDERR, Logged.BOTH}}
        self._texts: dict[Stream, list[str]] = {"stdout": [], "stderr": []}
        self._lines: list[str] = []

    async def follow(self, reader: Any, stream: Stream) -> None:
        """Takes all that comes from a byte stream until it ends."""
        async for line in _lines(reader):
            self._texts[stream].append(line)
            self._lines.append(line)
            if self._shown[stream]:
                await self._call.log("info", line.rstrip("\n"))

    def text(self, stream: Stream) -> str:
        """All that was written to the stream, without the last newline."""
        return "".join(self._texts[stream]).removesuffix("\n")

    def error(self, reason: str, command: str) -> ProviderError:
        """The error of a command that failed, with the end of what it wrote."""
        quoted = json.dumps(command, ensure_ascii=False)
        tail = "".join(self._lines)
        if len(tail) > _TAIL_CHARACTERS:
            tail = "[...]" + tail[-_TAIL_CHARACTERS:]
        return ProviderError(f"{reason}: running {quoted}:\n{tail}".rstrip("\n"))


async def _lines(reader: Any) -> AsyncIterator[str]:
    """The stream's lines, however long, in whatever pieces they come."""
    rest = b""
    while piece := await reader.read(65536):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace") + "\n"
    if rest:
        yield rest.decode(errors="replace")

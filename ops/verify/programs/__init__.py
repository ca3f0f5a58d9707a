"""Programs in Python that run on nodes, sent there as text: they know the standard library alone and leave nothing behind."""

import json
import shlex
from pathlib import Path
from typing import Any

END = "UNDERLAY_PROGRAM"


def program(name: str, argument: Any = None) -> str:
    """The bash script that runs one of the programs with one argument, which it reads as JSON."""
    text = (Path(__file__).parent / f"{name}.py").read_text()
    return f"exec python3 - {shlex.quote(json.dumps(argument))} <<'{END}'\n{text}{END}\n"

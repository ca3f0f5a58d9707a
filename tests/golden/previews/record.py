"""Records previews of a running lab as the engine writes them: `python -m tests.golden.previews.record --name dev [CASE...]`.

The lab must be as its stack file says. Nothing of it is changed. A recording that holds a secret of the lab is not written.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from tests.golden.previews.cases import FOLDER, LAB, MISTAKES
from tests.golden.previews.normal import Normal, told

ROOT = Path(__file__).parents[3]
SHORTEST = 12
"""Characters of a secret that cannot stand in a text by chance."""
NONE: Mapping[str, str] = {}
BUSY = "another command works on lab"
PATIENCE_S = 900
STREAM = "PULUMI_ENABLE_STREAMING_JSON_PREVIEW"


def places(name: str) -> dict[str, str]:
    """Paths of this machine and of this lab."""
    lab = {f"/run/underlay/{name}/": "/run/underlay/lab/", f"{ROOT}/.lab/{name}/": "/underlay/.lab/lab/"}
    return {**lab, str(ROOT): "/underlay", str((ROOT / ".venv").resolve()): "/underlay/.venv", str(Path.home()): "/home/operator"}


def preview(name: str, settings: Mapping[str, str], *, stream: bool, mistakes: Mapping[str, str] = NONE) -> str:
    """What the engine writes, whether it refuses or not."""
    words = [sys.executable, "-m", "lab", "pulumi", "--name", name, "--stack", "lab"]
    words += [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]
    words += ["--", "preview", "--json", "--diff", "--color", "never", "--non-interactive"]
    if mistakes:
        words += ["--config", f"underlay:environment={mistaken(name, mistakes)}"]
    return said(words, {STREAM: "true" if stream else "false"})


def mistaken(name: str, mistakes: Mapping[str, str]) -> str:
    """The lab's own settings with mistakes in them, as JSON."""
    text = preview(name, {}, stream=False)
    tree: dict[str, Any] = json.loads(json.loads(text[text.index("{") :])["config"]["underlay:environment"])
    for path, value in mistakes.items():
        *groups, last = path.split(".")
        group = tree
        for key in groups:
            group = group.setdefault(key, {})
        group[last] = value
    return json.dumps(tree)


def said(words: Sequence[str], variables: Mapping[str, str]) -> str:
    """Standard output of a command on the lab, when nobody else works on it any more."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(words, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=600, check=False)
        if BUSY not in done.stderr or time.monotonic() > deadline:
            return done.stdout
        time.sleep(2)


def write(case: str, document: str, stream: str, known: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    """Both forms of one case; ValueError where something secret is in one."""
    normal = Normal(known)
    whole = json.dumps(normal.document(json.loads(document[document.index("{") :])), indent=1) + "\n"
    events = [json.loads(line) for line in stream.splitlines() if line.startswith("{")]
    lines = "".join(f"{json.dumps(event)}\n" for event in normal.events(events))
    for text in (whole, lines):
        shown = [*told(text), *(name for name, mark in secrets.items() if mark in text)]
        if shown:
            raise ValueError(f"{case}: the engine shows {', '.join(shown)}: nothing is written")
    folder = FOLDER / case
    folder.mkdir(exist_ok=True)
    (folder / "preview.json").write_text(whole)
    (folder / "events.jsonl").write_text(lines)


def secrets_of(name: str) -> dict[str, str]:
    """Secrets of the lab by name: all secret outputs of its keys and passwords."""
    words = [sys.executable, "-m", "lab", "pulumi", "--name", name, "--", "stack", "export", "--show-secrets"]
    text = said(words, {})
    exported: dict[str, Any] = json.loads(text[text.index("{") :])
    found: dict[str, str] = {}
    for resource in exported["deployment"].get("resources", ()):
        outputs: dict[str, Any] = resource.get("outputs", {})
        for key, value in outputs.items():
            plain = _decrypted(value)
            if len(plain) >= SHORTEST and not resource["type"].startswith("command:"):
                found[f"{resource['urn'].rpartition('::')[2]}.{key}"] = plain
    return found


def _decrypted(value: Any) -> str:
    """The text of a secret; empty for all else."""
    secret = cast("dict[str, Any]", value).get("plaintext") if isinstance(value, dict) else None
    plain: Any = json.loads(secret) if isinstance(secret, str) else ""
    return plain if isinstance(plain, str) else ""


def main() -> int:
    """Record the named cases, or all that a running lab can show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="which lab")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all but new-environment, which needs a lab that is not up")
    arguments = parser.parse_args()
    chosen = arguments.cases or [case for case in LAB if case != "new-environment"]
    secrets = {} if chosen == ["new-environment"] else secrets_of(arguments.name)
    for case in chosen:
        wrong = MISTAKES if case == "refused" else NONE
        texts = [preview(arguments.name, LAB[case], stream=stream, mistakes=wrong) for stream in (False, True)]
        write(case, texts[0], texts[1], places(arguments.name), secrets)
        sys.stdout.write(f"{case}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

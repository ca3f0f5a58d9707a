"""Asks the ingress controllers on this node for NGINX's configuration as it is in force, and counts in their logs.

Argument: {"namespace": name, "containers": [names], "directives": [names], "phrases": {name: text}, "most": lines}. It runs `nginx -T` inside of the
container, which reads and tests files alone.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ANSWER_S = 40
LOGS = Path("/var/log/pods")
READ_BYTES = 64 << 20
"""Of a log's end."""


def run(words: list[str]) -> str:
    """What a command prints; empty where it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def containers(namespace: str, names: list[str]) -> list[str]:
    """IDs of the controllers that run here, by crictl or, where that is not installed, by containerd's own client."""
    if shutil.which("crictl"):
        said = run(["crictl", "ps", "--state", "Running", "--label", f"io.kubernetes.pod.namespace={namespace}", "-o", "json"])
        items: list[dict[str, Any]] = json.loads(said or "{}").get("containers") or []
        return [str(item["id"]) for item in items if item.get("metadata", {}).get("name") in names]
    ctr = ["ctr", "--namespace", "k8s.io"]
    tasks = {line.split()[0] for line in run([*ctr, "tasks", "list"]).splitlines()[1:] if line.rstrip().endswith("RUNNING")}
    label = 'labels."io.kubernetes.container.name"=={},labels."io.kubernetes.pod.namespace"=={}'
    listed = {line for name in names for line in run([*ctr, "containers", "list", "--quiet", label.format(name, namespace)]).split()}
    return sorted(listed & tasks)


def configuration(container: str) -> str:
    """The whole of NGINX's configuration in a container."""
    if shutil.which("crictl"):
        return run(["crictl", "exec", container, "nginx", "-T"])
    return run(["ctr", "--namespace", "k8s.io", "tasks", "exec", "--exec-id", f"underlay-verify-{os.getpid()}", container, "nginx", "-T"])


def directives(text: str, names: set[str], most: int) -> dict[str, int]:
    """How often each line of the wanted directives is there."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    counts = Counter(line for line in lines if line.partition(" ")[0] in names)
    return dict(counts.most_common(most))


def logs(namespace: str, names: list[str]) -> Iterator[Path]:
    """The controllers' logs as the kubelet keeps them."""
    for name in names:
        yield from LOGS.glob(f"{namespace}_*/{name}/*.log")


def counted(path: Path, phrases: dict[str, str]) -> Counter[str]:
    """How many lines of a log say what."""
    found: Counter[str] = Counter()
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - READ_BYTES))
        for line in log:
            found.update(name for name, phrase in phrases.items() if phrase.encode() in line)
    return found


def main() -> None:
    """Print one JSON object: {"controllers": [{"id", "directives": {line: count}}], "logs": number, "counts": {name: count}}."""
    argument = json.loads(sys.argv[1])
    namespace, names, most = argument["namespace"], argument["containers"], int(argument["most"])
    running = containers(namespace, names)
    found = [{"id": each[:13], "directives": directives(configuration(each), set(argument["directives"]), most)} for each in running]
    counts: Counter[str] = Counter(dict.fromkeys(argument["phrases"], 0))
    paths = list(logs(namespace, names))
    for path in paths:
        counts.update(counted(path, argument["phrases"]))
    print(json.dumps({"controllers": found, "logs": len(paths), "counts": counts}))


if __name__ == "__main__":
    main()

"""Writes as etcd's log does, into a file without a name, and prints how long each write took to be safe.

Argument: {"folder": path, "times": number, "limit_s": seconds}. The file has no name, so it is gone with the program however that ends.
"""

import json
import os
import sys
import time

RECORD = b"\0" * 2300
"""About what an entry of etcd's log is long (etcd's own advice for measuring disks)."""


def unnamed(folder: str) -> int:
    """A file of the folder's file system that nobody else sees."""
    return os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)


def main() -> None:
    """Print one JSON object: {"milliseconds": [...]}."""
    argument = json.loads(sys.argv[1])
    descriptor, until = unnamed(argument["folder"]), time.monotonic() + float(argument["limit_s"])
    taken: list[float] = []
    try:
        while len(taken) < int(argument["times"]) and time.monotonic() < until:
            os.write(descriptor, RECORD)
            begun = time.perf_counter()
            os.fdatasync(descriptor)
            taken.append(round((time.perf_counter() - begun) * 1000, 3))
    finally:
        os.close(descriptor)
    print(json.dumps({"milliseconds": taken}))


if __name__ == "__main__":
    main()

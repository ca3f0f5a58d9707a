"""Opens TCP connections to what applications depend on, and prints how long each took. Argument: {name: {"host", "port"}}."""

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TIMES, TIMEOUT_S, AT_ONCE = 7, 3.0, 8


def measure(dependency: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of several connections to one of its addresses; a name is looked up once and by itself."""
    begun = time.perf_counter()
    try:
        found = socket.getaddrinfo(dependency["host"], dependency["port"], socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        return {"error": f"its name is not known here ({error})"}
    lookup, address = (time.perf_counter() - begun) * 1000, found[0][4]
    taken: list[float] = []
    for _ in range(TIMES):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_S)
            begun = time.perf_counter()
            try:
                connection.connect(address)
            except OSError as error:
                return {"error": f"{address[0]} port {address[1]}: {error.strerror or error}", "address": address[0]}
            taken.append(round((time.perf_counter() - begun) * 1000, 3))
        time.sleep(0.02)
    return {"address": address[0], "lookup_ms": round(lookup, 3), "connect_ms": taken}


def main() -> None:
    """Print one JSON object: {name: {"address", "lookup_ms", "connect_ms": [...]} or {"error"}}."""
    dependencies: dict[str, dict[str, Any]] = json.loads(sys.argv[1])
    with ThreadPoolExecutor(max_workers=AT_ONCE) as workers:
        answers = list(workers.map(measure, dependencies.values()))
    print(json.dumps(dict(zip(dependencies, answers, strict=True))))


if __name__ == "__main__":
    main()

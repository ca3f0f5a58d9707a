"""Records previews of Calico's component on a real API server without nodes: `python -m tests.golden.previews.record_calico`.

It needs the engine, Kubernetes' programs and Calico's manifests as published (`python -m lab with-tools -- python -m ...`).
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.golden.previews.record import STREAM, write
from tests.lab.calico_story import NEW, OLD, PASSWORD, Teller, environment, prepare
from tests.plugins.native_cluster import native_cluster
from tests.plugins.pulumi_project import CHECKOUT

Change = Callable[[dict[str, Any]], object]


def add_router(routers: dict[str, Any]) -> None:
    """A router for all nodes, without a password."""
    routers["tor-new"] = {"address": "10.20.0.250", "as_number": 64700}


def lose_router(routers: dict[str, Any]) -> None:
    """The first router goes."""
    routers.pop(next(iter(routers)))


def declare(teller: Teller, version: str, topology: str, change: Change | None = None) -> None:
    """Set the settings of the next preview."""
    teller.declare(version, topology)
    if change is not None:
        path = teller.project.folder / "environment.json"
        declared: dict[str, Any] = json.loads(path.read_text())
        change(declared["pod_network"]["bgp"]["routers"])
        path.write_text(json.dumps(declared))


def record(teller: Teller, case: str) -> None:
    """Both forms of the preview of what is declared."""
    texts: list[str] = []
    for stream in ("false", "true"):
        teller.project.environment[STREAM] = stream
        outcome = teller.project.run("preview", "--json", "--diff", "--color", "never")
        assert outcome.code == 0, outcome.text
        texts.append(outcome.text)
    routers = environment(teller.folder, NEW, "mesh")["pod_network"]["bgp"]["routers"]
    secrets = {router["password"]: PASSWORD.format(router["password"]) for router in routers.values()}
    write(case, texts[0], texts[1], {str(teller.folder): "/story", str(CHECKOUT): "/underlay", str(Path.home()): "/home/operator"}, secrets)
    sys.stdout.write(f"{case}\n")
    sys.stdout.flush()


def tell(teller: Teller) -> None:
    """Calico's life, stage by stage; each preview before the change that it is of."""
    declare(teller, OLD, "mesh")
    teller.keep_passwords()
    teller.project.up()
    declare(teller, NEW, "mesh")
    record(teller, "calico-upgrade")
    teller.project.up()
    for case, change in (("calico-new-router", add_router), ("calico-lost-router", lose_router)):
        declare(teller, NEW, "mesh", change)
        record(teller, case)
    declare(teller, NEW, "route-reflectors")
    record(teller, "calico-reflectors")
    teller.project.up()
    declare(teller, NEW, "mesh")
    record(teller, "calico-mesh-again")


def main() -> int:
    """Record all of them."""
    with tempfile.TemporaryDirectory(prefix="underlay-previews-") as folder, native_cluster() as cluster:
        prepare(cluster)
        tell(Teller(Path(folder), cluster))
    return 0


if __name__ == "__main__":
    sys.exit(main())

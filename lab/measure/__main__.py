"""`python -m lab.measure delay|disks|pictures`: measure on a lab's hypervisor, and draw what was measured.

It needs a machine that does nothing else, and no `nice`: guests inherit it from libvirt, which inherits it from this command.
"""

import argparse
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from lab import down, hypervisor
from lab.measure import delay, disks, system
from lab.measure.charts import delay_charts, disk_charts, table
from lab.measure.picture import svg
from lab.network import LabNetwork
from lab.places import Lab, LabError
from lab.process import run
from lab.progress import Progress

NETWORK = LabNetwork(bridge="br0", gateway=IPv4Interface("10.79.0.1/24"), pods=IPv4Network("192.168.0.0/16"))
CHARTS = {"delay": delay_charts, "disks": disk_charts}


class _Arguments(argparse.Namespace):
    what: str
    out: Path
    runs: int
    name: str


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.measure", description=__doc__)
    parser.add_argument("what", choices=("delay", "disks", "pictures"), help="what to measure; pictures: draw anew what was measured")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of placement-<what>.json and .svg (docs)")
    parser.add_argument("--runs", type=int, default=5, help="times that every scenario is measured (5)")
    parser.add_argument("--name", default="measure", help="which lab of this machine; it must not be up (measure)")
    return parser


def _machine() -> dict[str, Any]:
    models = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    emulator = run(["qemu-system-x86_64", "--version"]).splitlines()[0]
    load = round(os.getloadavg()[0], 2)
    return {"cpu": models[0], "cpus": len(models), "kernel": platform.release(), "emulator": emulator, "load_before": load}


def _delay(lab: Lab, folder: Path, runs: int, progress: Progress) -> list[dict[str, Any]]:
    kernel = system.ensure(progress) / "vmlinuz"
    found = list[tuple[delay.Scenario, delay.Sample]]()
    with delay.guests(lab, kernel, folder) as guests:
        for scenario, sample in delay.measured(guests, runs):
            found.append((scenario, sample))
            progress.say(f"  {scenario.name}: ran {sample.ran:.1%}, waited {sample.waited:.1%}, background {sample.background:.2f} CPUs")
    return delay.document(found)


def _disks(lab: Lab, folder: Path, runs: int, progress: Progress) -> list[dict[str, Any]]:
    booted = system.ensure(progress)
    data, found = disks.sources(lab, folder), list[tuple[disks.Scenario, list[disks.Sample]]]()
    for _ in range(runs):
        for scenario in disks.SCENARIOS:
            taken = disks.measure(lab, scenario, data[scenario.source], folder, booted)
            found.append((scenario, taken))
            progress.say(f"  {scenario.name}: " + ", ".join(f"{sample.job} {sample.per_s:.0f}/s" for sample in taken))
    return disks.document(found)


def _measure(lab: Lab, arguments: _Arguments, progress: Progress) -> None:
    if hypervisor.owner(lab):
        raise LabError(f"lab {lab.name!r} is up: run `make down NAME={lab.name}`, or take another --name")
    if os.nice(0) > 0:
        raise LabError("this command has been given a low priority (nice), and its guests would have it too: run it without")
    work: Callable[[Lab, Path, int, Progress], list[dict[str, Any]]] = {"delay": _delay, "disks": _disks}[arguments.what]
    lab.root.mkdir(parents=True, exist_ok=True)
    try:
        hypervisor.start(lab, NETWORK)
        with tempfile.TemporaryDirectory(dir=lab.root) as folder, progress.phase(arguments.what):
            document = {"machine": _machine(), "runs": arguments.runs, "scenarios": work(lab, Path(folder), arguments.runs, progress)}
    finally:
        down.down(lab, progress)
    (arguments.out / f"placement-{arguments.what}.json").write_text(f"{json.dumps(document, indent=1)}\n")


def draw(what: str, folder: Path) -> None:
    """Draw the picture of what was measured."""
    document = json.loads((folder / f"placement-{what}.json").read_text())
    machine = document["machine"]
    note = f"medians of {document['runs']} runs, a dot for each; emulated guests ({machine['emulator'].split(' (')[0]}) on {machine['cpus']} CPUs"
    drawn = CHARTS[what](document["scenarios"])
    (folder / f"placement-{what}.svg").write_text(svg(drawn, note))
    page = folder / "placement-measured.md"
    if page.exists():
        shown = f"![{what}](placement-{what}.svg)\n\n{table(drawn)}\n"
        page.write_text(re.sub(rf"(?s)(<!-- {what} -->\n).*?(<!-- end -->)", lambda found: f"{found[1]}{shown}{found[2]}", page.read_text()))


def main() -> int:
    """Measure, write and draw; 1 where it failed."""
    arguments = _parser().parse_args(namespace=_Arguments())
    progress = Progress()
    try:
        if arguments.what != "pictures":
            _measure(Lab(name=arguments.name), arguments, progress)
    except LabError as error:
        sys.stderr.write(f"measure: {error}\n")
        return 1
    for what in CHARTS if arguments.what == "pictures" else (arguments.what,):
        if (arguments.out / f"placement-{what}.json").exists():
            draw(what, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

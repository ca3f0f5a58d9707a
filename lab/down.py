"""`down`: nothing of a lab stays, from whatever state it is in."""

import shutil

from lab import drives, hypervisor, network
from lab.fabric import namespace
from lab.places import Lab
from lab.process import alive, with_environment
from lab.progress import Progress
from lab.session import MARK, end_commands, end_runs


def down(lab: Lab, progress: Progress) -> int:
    """Remove processes, machines, volumes, pool, namespace and state of the lab, then look whether they are gone; 1 where something stays.

    Needs neither engine nor libvirt: machines are processes in the lab's namespace, disks are files in its folder, or loop devices over such.
    """
    hypervisor.refuse_foreign(lab)
    with progress.phase("down"):
        progress.note("ending engine runs")
        left = [f"process {pid}" for pid in [*end_commands(lab), *end_runs(lab)]]
        progress.note("ending machines and libvirt")
        left += hypervisor.stop(lab)
        progress.note("removing disks and state")
        if not left:
            left += drives.remove(lab)
        if not left:
            shutil.rmtree(lab.root, ignore_errors=True)
    left = remains(lab) + [line for line in left if line not in remains(lab)]
    for line in left:
        progress.say(f"  still there: {line}")
    if not left:
        progress.say(f"lab {lab.name!r} is gone: no machine, volume, pool, namespace or process of it is left")
    return 1 if left else 0


def remains(lab: Lab) -> list[str]:
    """What is there of the lab, one line each."""
    places = [path for path in (lab.root, lab.run_dir, network.namespace_path(lab), *namespace.paths(lab)) if path.exists()]
    running = {*hypervisor.processes(lab), *with_environment(MARK, str(lab.root))}
    return [*(str(path) for path in places), *drives.remains(lab), *(f"process {pid}" for pid in sorted(running) if alive(pid))]

"""The control plane's container images, and containerd's store with them already in it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.command import BuildError, run
from image.oci import ContainerImage, write_archive
from image.parts import Program
from image.pins import CONTAINERS, KUBERNETES_VERSION, PROXY_PACKAGES
from image.toolset import cut_out

_START_TIMEOUT_S = 60

_OWN_MOUNTS = ("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private")
"""Whatever ends the build also ends its containerd, and with it the mounts it made."""

_CONFIG = """\
version = 3
root = '{store}'
state = '{scratch}/state'
disabled_plugins = [
  'io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime', 'io.containerd.nri.v1.nri',
  'io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.erofs', 'io.containerd.snapshotter.v1.native',
  'io.containerd.internal.v1.opt',
]
[grpc]
  address = '{scratch}/socket'
[ttrpc]
  address = '{scratch}/socket.ttrpc'
"""


@dataclass(frozen=True, kw_only=True)
class Preloaded:
    """One container image in the node's store."""

    name: str
    program: str
    version: str
    """The program's own version, which the tag need not tell."""
    digest: str


def wanted_names(kubeadm: Path) -> dict[str, str]:
    """Repository to full name of every image that this kubeadm asks for."""
    names = run([str(kubeadm), "config", "images", "list", "--kubernetes-version", KUBERNETES_VERSION]).split()
    return {name.rpartition(":")[0]: name for name in names}


def write_images(archive: Path, tree: Path, programs: Mapping[str, Program]) -> list[Preloaded]:
    """Write the control plane's images to `archive`, with kube-proxy's tools cut out of `tree`.

    Raises `BuildError` if kubeadm asks for an image that is not pinned here.
    """
    names = wanted_names(programs["kubeadm"].path)
    missing = names.keys() - {pin.repository for pin in CONTAINERS}
    if missing:
        raise BuildError(f"kubeadm {KUBERNETES_VERSION} wants images that image/pins.py does not have: {', '.join(sorted(missing))}")
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        tools = Path(scratch)
        cut_out(tree, PROXY_PACKAGES, tools)
        images = [
            ContainerImage(
                name=names[pin.repository],
                files={pin.path: programs[pin.program].path},
                tree=tools if pin.debian_base else None,
                entrypoint=pin.entrypoint,
                labels=_labels(programs[pin.program]),
            )
            for pin in CONTAINERS
        ]
        digests = write_archive(archive, images)
    return [
        Preloaded(name=names[pin.repository], program=pin.program, version=programs[pin.program].version, digest=digests[names[pin.repository]])
        for pin in CONTAINERS
    ]


def preload(tree: Path, archive: Path, programs: Mapping[str, Program], images: Sequence[Preloaded], more: Sequence[Path] = ()) -> None:
    """Import `archive`, and `more` archives as others wrote them, into the containerd store of `tree` by running its containerd here.

    Raises `BuildError` if containerd does not start or an image is not there afterwards.
    """
    store = tree / "var/lib/containerd"
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch, "config.toml")
        config.write_text(_CONFIG.format(store=store, scratch=scratch))
        log = Path(scratch, "log")
        with log.open("wb") as output:
            command = [*_OWN_MOUNTS, programs["containerd"].path, "--config", config, "--log-level", "warn"]
            daemon = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            ctr = [str(programs["ctr"].path), "--address", f"{scratch}/socket", "--namespace", "k8s.io"]
            _wait_until_ready(ctr, daemon, log)
            for path in (archive, *more):
                run([*ctr, "images", "import", "--local", "--snapshotter", "overlayfs", str(path)])
            present = set(run([*ctr, "images", "list", "--quiet"]).split())
            for name in sorted(present):
                # The kubelet's interface finds images by this label.
                run([*ctr, "images", "label", name, "io.cri-containerd.image=managed"])
            # The layers are unpacked: their archives would only double the image.
            run([*ctr, "content", "prune", "references"])
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)
    missing = {image.name for image in images} - present
    if missing:
        raise BuildError(f"containerd did not take {', '.join(sorted(missing))}")


def _wait_until_ready(ctr: Sequence[str], daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while subprocess.run([*ctr, "version"], capture_output=True, check=False).returncode != 0:
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise BuildError(f"containerd does not start on this machine:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _labels(program: Program) -> dict[str, str]:
    return {
        "org.opencontainers.image.title": program.name,
        "org.opencontainers.image.version": program.version,
        "org.opencontainers.image.source": program.source,
    }

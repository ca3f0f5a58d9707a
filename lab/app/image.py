"""The application's container image: built on this machine, kept by its content, brought to the nodes over SSH, since no registry can be reached."""

import fcntl
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from image import oci
from image.key import content_key, file_digest, tree_digest
from image.oci import ContainerImage
from lab import golang
from lab.access import Access, Node
from lab.places import CHECKOUT, LabError, cache_dir
from lab.process import run

SERVER = CHECKOUT / "examples" / "app" / "server"
REPOSITORY = "example.underlay.dev/hello"
FLAGS = ("-trimpath", "-ldflags=-s -w -buildid=")
LOAD_S = 300.0
TAKE = """\
set -eu
if ctr --namespace k8s.io images list --quiet | grep -qxF {name}; then
    cat > /dev/null
    echo there
else
    ctr --namespace k8s.io images import - > /dev/null
    ctr --namespace k8s.io images label {name} io.cri-containerd.image=managed > /dev/null
    echo loaded
fi
"""
"""The kubelet's interface finds images by their label."""


@dataclass(frozen=True, kw_only=True)
class AppImage:
    """An image by its full name, in an OCI archive."""

    name: str
    archive: Path


def key() -> str:
    """What the image is made from, as a short hash: it is the image's tag too, so that new content is a new image for everybody."""
    return content_key(server=tree_digest(SERVER), toolchain=golang.TOOLCHAIN, flags=FLAGS, writer=file_digest(Path(oci.__file__)))


def ensure(note: Callable[[str], None]) -> AppImage:
    """The image, built if it is not there; LabError where it cannot be."""
    tag = key()
    made = AppImage(name=f"{REPOSITORY}:{tag}", archive=cache_dir() / "app" / f"{tag}.tar")
    made.archive.parent.mkdir(parents=True, exist_ok=True)
    with (made.archive.parent / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.archive.exists():
            with tempfile.TemporaryDirectory(dir=made.archive.parent, prefix=".part-") as scratch:
                program, part = Path(scratch) / "hello", Path(scratch) / "image.tar"
                golang.build(".", program, module=SERVER, flags=FLAGS, note=note)
                oci.write_archive(part, [ContainerImage(name=made.name, files={"/hello": program}, entrypoint=("/hello",))])
                part.rename(made.archive)
    return made


def load(access: Access, image: AppImage) -> dict[str, str]:
    """Put the image into the store of every node at once; gives for each `loaded` or `there`. LabError names a node that would not take it."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        said = list(pool.map(partial(_load, access, image), access.nodes))
    return dict(zip((node.name for node in access.nodes), said, strict=True))


def _load(access: Access, image: AppImage, node: Node) -> str:
    # The archive takes standard input, so the script comes as the command's own words.
    script = TAKE.format(name=image.name)
    with image.archive.open("rb") as archive:
        try:
            done = subprocess.run(access.ssh(node, script), stdin=archive, capture_output=True, text=True, check=False, timeout=LOAD_S)
        except subprocess.TimeoutExpired:
            raise LabError(f"{node.name} did not take image {image.name} in {LOAD_S:.0f} s") from None
    if done.returncode != 0:
        raise LabError(f"{node.name} did not take image {image.name}: {(done.stderr or done.stdout).strip()[-1000:]}")
    return done.stdout.strip()


def remove(access: Access) -> None:
    """Take the application's images out of every node's store."""
    listed = f"ctr --namespace k8s.io images list --quiet | grep -F {REPOSITORY}: || true"
    for node in access.nodes:
        names = run(access.ssh(node, listed), timeout_s=LOAD_S).split()
        if names:
            run(access.ssh(node, f"ctr --namespace k8s.io images remove {' '.join(names)}"), timeout_s=LOAD_S)

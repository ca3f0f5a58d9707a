"""Files that `up` starts from: the node image can be read, holds the declared Kubernetes and fits the disks; manifests are the pinned ones."""

from collections.abc import Iterator

from ops.doctor.model import OPERATOR, Finding, Part, Seen, passed
from ops.verify.model import Status

FAILED = Status.FAILED
GIB = 2**30
BUILD = "build it (python -m image build)"


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about the files that `up` uploads."""
    parts = seen.operator.parts
    for part in parts:
        if part.error:
            remedy = f"{BUILD} or correct {part.setting}" if "://" not in part.source else f"correct {part.setting}, or serve it there"
            yield Finding(id="image.files", where=OPERATOR, status=FAILED, declared=f"{part.setting} {part.source}", found=part.error, remedy=remedy)
    if parts and not any(part.error for part in parts):
        size = sum(part.size or 0 for part in parts)
        yield passed("image.files", OPERATOR, f"{len(parts)} files, {size / GIB:.1f} GiB", declared=", ".join(part.setting for part in parts))
    wanted, found = seen.plan.settings.cluster.kubernetes_version, seen.operator.image_kubernetes
    if found and found != wanted:
        remedy = f"{BUILD.replace('build it', 'build one')} for {wanted}, or write kubernetes_version: {found}"
        yield Finding(
            id="image.kubernetes",
            where=OPERATOR,
            status=FAILED,
            declared=f"cluster.kubernetes_version {wanted}",
            found=f"the image holds {found}",
            remedy=remedy,
        )
    elif found:
        yield passed("image.kubernetes", OPERATOR, f"the image holds {found}", declared=f"cluster.kubernetes_version {wanted}")
    for part in parts:
        yield from _fits(seen, part)
    yield from _manifests(seen)


def _manifests(seen: Seen) -> Iterator[Finding]:
    """A source's message names setting, reason and remedy; the table has a column for each."""
    for setting, error in seen.operator.manifests.items():
        if error:
            found, _, remedy = error.removeprefix(f"{setting}: ").partition("; ")
            declared = f"{setting}, as it is pinned"
            yield Finding(id="manifests.pinned", where=OPERATOR, status=FAILED, declared=declared, found=found, remedy=remedy)
    if seen.operator.manifests and not any(seen.operator.manifests.values()):
        names = ", ".join(seen.operator.manifests)
        yield passed("manifests.pinned", OPERATOR, f"{len(seen.operator.manifests)} have the pinned sums", declared=names)


def _fits(seen: Seen, part: Part) -> Iterator[Finding]:
    if part.virtual_size is None:
        return
    small = [node for node in seen.plan.nodes if node.disk.size_gib * GIB < part.virtual_size]
    least = -(-part.virtual_size // GIB)
    if small:
        yield Finding(
            id="image.size",
            where=OPERATOR,
            status=FAILED,
            declared=f"disk.size_gib {small[0].disk.size_gib} of {small[0].name}",
            found=f"the disk in {part.setting} has {part.virtual_size / GIB:.1f} GiB",
            limit=f"at least {least} GiB",
            remedy=f"write disk.size_gib: {least} or more",
        )
    else:
        yield passed("image.size", OPERATOR, f"the disk in {part.setting} has {part.virtual_size / GIB:.1f} GiB")

"""Container images: which bytes run, and whether anybody still mends them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policy.model import Resource, Stack
from policy.rule import Rule
from policy.workloads import images

_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}$")


@dataclass(frozen=True, kw_only=True)
class Retired:
    """Software that gets no mends any more."""

    image: re.Pattern[str]
    what: str
    instead: str


RETIRED: Final = (
    Retired(
        image=re.compile(r"(^|/)ingress-nginx/controller(:|@|$)"),
        what="ingress-nginx, which is retired: no release, and no mend of a hole, after 1.15.1 of March 2026",
        instead="move to controller f5-nginx (ingress.controller), for which the same settings are rendered, or to the Gateway API",
    ),
)


def by_digest(resource: Resource, stack: Stack) -> Iterator[str]:
    """Images that are named by a tag alone."""
    del stack
    tagged = [image for image in images(resource) if not _DIGEST.search(image)]
    if tagged:
        yield f"{resource.name} runs {', '.join(tagged)} by tag, allowed: by digest; write the image's @sha256:... (digests beside the manifest's version)"


def retired(resource: Resource, stack: Stack) -> Iterator[str]:
    """Images of software that is mended no more."""
    del stack
    for software in RETIRED:
        if any(software.image.search(image) for image in images(resource)):
            yield f"{resource.name} is {software.what}; {software.instead}"


RULES: Final = (
    Rule(
        id="images-by-digest",
        level="mandatory",
        demand="Container images are named by their digest.",
        reason="A tag can be moved to other bytes by whoever owns the registry, and nodes that pull at different times then run different programs.",
        source="Kubernetes documentation, Images, Image names (digests)",
        judge=by_digest,
    ),
    Rule(
        id="retired-software",
        level="advisory",
        demand="Nothing runs that nobody mends any more.",
        reason="Holes that are found after a retirement stay open.",
        source="Kubernetes blog, Ingress NGINX Retirement: What You Need to Know (November 2025)",
        judge=retired,
    ),
)

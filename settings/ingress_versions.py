"""What is known of the controllers' releases: the newest, the sums of published manifests, the Kubernetes that each is tested with."""

from collections.abc import Mapping
from dataclasses import dataclass

from settings.nginx_defaults import Controller
from settings.versions import Minor


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release whose keys, defaults and names are known."""

    version: str
    name: str
    """What it is called."""
    oldest: str
    """Oldest that underlay can write for."""
    lacks: str
    """What those before it lack."""
    url: str | None
    """Where manifests are published; None where each user makes his own."""
    sha256: str | None
    """Sum of this release's manifest as published; None where it is not known."""
    tested: tuple[Minor, Minor] | None
    """First and last Kubernetes that it is tested with; None where that is not known."""
    images: tuple[str, ...]
    """Images that its manifest runs, without registry and path."""
    namespace: str
    config_map: str


RELEASES: Mapping[Controller, Release] = {
    "ingress-nginx": Release(
        version="1.15.1",
        name="ingress-nginx",
        oldest="1.13.2",
        lacks="which lacks a proxy-busy-buffers-size that works (kubernetes/ingress-nginx#13598)",
        url="https://raw.githubusercontent.com/kubernetes/ingress-nginx/controller-v{version}/deploy/static/provider/baremetal/deploy.yaml",
        sha256="16b9b62df45b8ed8f1ecaed0341d583b3360e4b63c41fe00413f6a1fa2f95bec",
        tested=((1, 31), (1, 35)),
        images=("controller",),
        namespace="ingress-nginx",
        config_map="ingress-nginx-controller",
    ),
    "f5-nginx": Release(
        version="5.5.4",
        name="F5's NGINX Ingress Controller",
        oldest="5.2.0",
        lacks="which has no key proxy-busy-buffers-size (nginx/kubernetes-ingress#8088)",
        url=None,
        sha256=None,
        tested=None,
        images=("nginx-ingress",),
        namespace="nginx-ingress",
        config_map="nginx-config",
    ),
}
"""The newest release of each controller that underlay installs (ingress-nginx: README's table of supported versions)."""


def release_of(controller: Controller) -> Release:
    """The release whose keys and defaults are taken: configmap-only takes ingress-nginx' own."""
    return RELEASES["ingress-nginx" if controller == "configmap-only" else controller]


def ordered(version: str) -> tuple[int, ...]:
    """A version that can be compared."""
    return tuple(int(part) for part in version.split("."))

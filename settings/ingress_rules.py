"""What must hold within the ingress' settings, so that the controller starts and does what is asked."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.base import Problem
from settings.ingress_versions import ordered, release_of
from settings.nginx_keys import knobs
from settings.nginx_keys import mistakes as key_mistakes
from settings.nginx_tuned import Values, buffers_of, number_of, tuned

if TYPE_CHECKING:
    from settings.ingress import Ingress

AFTER_NGINX_S = 10
"""ingress-nginx stays so long after NGINX has ended (post-shutdown-grace-period)."""


def mistakes(ingress: "Ingress") -> Iterator[Problem]:
    """All of them."""
    yield from _belongings(ingress)
    yield from _release(ingress)
    yield from _resources(ingress)
    yield from _knobs(ingress)
    yield from (Problem(f"nginx.further.{problem.path}", problem.message) for problem in key_mistakes(ingress.controller, ingress.nginx.further))
    values = tuned(ingress)
    yield from _buffers(ingress, values)
    yield from _connections(values)
    yield from _times(ingress, values)


def _belongings(ingress: "Ingress") -> Iterator[Problem]:
    """Where the ConfigMap is: told for somebody else's controller, known for the others."""
    for name, own in (("namespace", release_of(ingress.controller).namespace), ("config_map", release_of(ingress.controller).config_map)):
        value = getattr(ingress, name)
        if ingress.controller == "configmap-only" and value is None:
            yield Problem(name, "is missing, needed by controller configmap-only; name that of the controller's ConfigMap")
        if ingress.controller != "configmap-only" and value is not None:
            yield Problem(
                name, f"is {value!r}, but controller {ingress.controller} has its own ({own}); remove it, or write controller: configmap-only"
            )


def _release(ingress: "Ingress") -> Iterator[Problem]:
    """The version is one that underlay can write for, its manifest is known or declared, and digests are of its images."""
    release, version = release_of(ingress.controller), ingress.used_version
    if ordered(version) < ordered(release.oldest):
        yield Problem("version", f"is {version}, {release.lacks}, limit: at least {release.oldest}; name a newer one")
    if ingress.controller == "configmap-only":
        return
    if ingress.used_manifest is None and release.url is None:
        yield Problem(
            "manifest",
            f"is missing: {release.name} has no manifest in one file whose sum is known; render its chart or join its deployments/ into one, "
            "read it and write source and sha256 of it",
        )
    elif ingress.used_manifest is None:
        url = (release.url or "").format(version=version)
        yield Problem(
            "manifest",
            f"is missing: underlay knows the sum of {release.name} {release.version} only; read {url} and write source and sha256 of it",
        )
    for name in ingress.digests:
        if name not in release.images:
            yield Problem(f"digests.{name}", f"is no image of {release.name}, allowed: {', '.join(release.images)}; correct it")


def _resources(ingress: "Ingress") -> Iterator[Problem]:
    """Kubernetes takes no request above its limit."""
    for kind, unit in (("cpu", "millis"), ("memory", "mib")):
        request, limit = getattr(ingress, f"{kind}_request_{unit}"), getattr(ingress, f"{kind}_limit_{unit}")
        if limit is not None and request > limit:
            yield Problem(f"{kind}_request_{unit}", f"is {request}, limit {limit} ({kind}_limit_{unit}); lower it, or raise the limit")


def _knobs(ingress: "Ingress") -> Iterator[Problem]:
    """The controller has a key for all that is declared."""
    for name in sorted(ingress.nginx.model_fields_set - knobs(ingress.controller) - {"further"}):
        if getattr(ingress.nginx, name) is not None:
            yield Problem(f"nginx.{name}", f"has no key in {release_of(ingress.controller).name}; remove it")


def _buffers(ingress: "Ingress", values: Values) -> Iterator[Problem]:
    """NGINX starts with the buffers, and they hold what is expected."""
    buffers, expected = buffers_of(values), ingress.expected_response_kib
    yield from (Problem(f"nginx.{problem.path}", problem.message) for problem in buffers.mistakes())
    if expected is None:
        return
    if ingress.nginx.proxy_buffering is False:
        yield Problem("nginx.proxy_buffering", f"is false, but expected_response_kib {expected} is to fit buffers; remove one of them")
    if buffers.fits_kib < expected:
        needed = -(-expected // buffers.size_kib)
        yield Problem(
            "nginx.proxy_buffers_number",
            f"is {buffers.number}, limit: at least {needed} (expected_response_kib {expected} in buffers of {buffers.size_kib} KiB); "
            "raise it, or leave it out",
        )


def _connections(values: Values) -> Iterator[Problem]:
    """A worker has a file for each connection."""
    connections, files = number_of(values, "max_worker_connections"), number_of(values, "max_worker_open_files")
    if 0 < files < connections:
        yield Problem("nginx.max_worker_open_files", f"is {files}, limit: at least {connections} (max_worker_connections); raise it, or leave it out")


def _times(ingress: "Ingress", values: Values) -> Iterator[Problem]:
    """NGINX has ended before its pod is killed."""
    timeout = number_of(values, "worker_shutdown_timeout_s")
    if ingress.controller != "configmap-only" and timeout and ingress.drain_s < timeout + AFTER_NGINX_S:
        yield Problem(
            "drain_s",
            f"is {ingress.drain_s}, limit: at least {timeout + AFTER_NGINX_S} (nginx.worker_shutdown_timeout_s {timeout} and {AFTER_NGINX_S} more until "
            "the controller ends), a pod that takes longer is killed; raise it, or lower nginx.worker_shutdown_timeout_s",
        )

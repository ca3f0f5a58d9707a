"""Flags and fields of Kubernetes' own programs: how they are written, and which of them underlay sets itself."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

from settings.base import Problem
from settings.forms import Words, text

FlagName = Annotated[
    str,
    text(r"[a-z][a-z0-9-]*", "expected a flag without its leading dashes: lower-case letters, digits, dashes", "leader-elect", 100),
    Words("flag"),
]
VariableName = Annotated[str, text(r"[A-Za-z_][A-Za-z0-9_]*", "expected the name of an environment variable", "GOGC", 100), Words("variable")]
FieldName = Annotated[
    str, text(r"[a-z][A-Za-z0-9]*", "expected the name of a field: letters and digits, a small letter first", "maxPods", 100), Words("field")
]

OWNED_FLAGS: dict[str, frozenset[str]] = {
    "api_server": frozenset(
        {"encryption-provider-config", "service-cluster-ip-range", "advertise-address", "etcd-servers", "secure-port", "client-ca-file"}
        | {"tls-cert-file", "tls-private-key-file", "service-account-key-file", "service-account-signing-key-file", "service-account-issuer"}
    ),
    "controller_manager": frozenset(
        {"allocate-node-cidrs", "cluster-cidr", "node-cidr-mask-size", "node-cidr-mask-size-ipv4", "service-cluster-ip-range", "cluster-name"}
        | {"cluster-signing-cert-file", "cluster-signing-key-file", "root-ca-file", "service-account-private-key-file", "kubeconfig"}
    ),
    "scheduler": frozenset({"kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"}),
    "etcd": frozenset(
        {"name", "data-dir", "initial-cluster", "initial-cluster-state", "initial-cluster-token", "initial-advertise-peer-urls"}
        | {"listen-client-urls", "listen-peer-urls", "advertise-client-urls", "cert-file", "key-file", "trusted-ca-file", "client-cert-auth"}
        | {"peer-cert-file", "peer-key-file", "peer-trusted-ca-file", "peer-client-cert-auth"}
    ),
    "kubelet": frozenset(
        {"config", "kubeconfig", "bootstrap-kubeconfig", "node-ip", "hostname-override", "node-labels", "register-with-taints"}
        | {"container-runtime-endpoint", "cluster-dns", "cluster-domain"}
    ),
}
"""Flags that kubeadm or underlay writes: a second value would win or fail."""

OWNED_KUBELET_FIELDS = (
    "apiVersion",
    "kind",
    "clusterDNS",
    "clusterDomain",
    "cgroupDriver",
    "failSwapOn",
    "staticPodPath",
    "authentication",
    "rotateCertificates",
)

GATE = r"[A-Z][A-Za-z0-9]*=(true|false)"
DEFAULT_MAX_PODS = 110
"""The kubelet's own."""


def flag_mistakes(component: str, path: str, args: Mapping[str, str]) -> Iterator[Problem]:
    """Flags that are underlay's, and feature gates in another form than Name=true,Name=false."""
    for flag in args:
        if flag in OWNED_FLAGS[component]:
            yield Problem(f"{path}.{flag}", "is set by underlay itself; remove it")
    gates = args.get("feature-gates")
    if gates is not None and not re.fullmatch(rf"{GATE}(,{GATE})*", gates):
        yield Problem(
            f"{path}.feature-gates", f"is {gates[:60]!r}, allowed: names with =true or =false and commas between; write it like 'One=true,Two=false'"
        )


def kubelet_mistakes(fields: Mapping[str, Any]) -> Iterator[Problem]:
    """Fields of KubeletConfiguration that are underlay's, or whose kind is wrong where underlay reads them."""
    for name in fields:
        if name in OWNED_KUBELET_FIELDS:
            yield Problem(f"kubelet.{name}", "is set by underlay itself; remove it")
    pods = fields.get("maxPods", DEFAULT_MAX_PODS)
    if not isinstance(pods, int) or isinstance(pods, bool) or pods < 1:
        yield Problem("kubelet.maxPods", f"is {pods!r}, limit: at least 1; write a whole number")
    gates = fields.get("featureGates", {})
    if not isinstance(gates, dict):
        yield Problem("kubelet.featureGates", "is no map; write names with true or false")
        return
    for name, value in cast("dict[object, object]", gates).items():
        if not isinstance(value, bool):
            yield Problem(f"kubelet.featureGates.{name}", f"is {value!r}, allowed: true, false; write one of them without quotes")


def is_off(value: str | None) -> bool:
    """Whether a flag that is on by itself has been turned off, as Go's flag parser reads it."""
    return value is not None and value.lower() in ("false", "f", "0")

"""The front door: which NGINX controller serves Ingress objects, where it runs, how clients reach it, and its tuning."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from settings import ingress_rules
from settings.base import Problem, Settings
from settings.calico import ImageDigest, Manifest, Registry
from settings.forms import Address, Distinct, DnsLabel, DnsName, Flag, LabelKey, LabelValue, Network, Whole, Words, wrong_form
from settings.ingress_versions import release_of
from settings.nginx import Nginx
from settings.nginx_defaults import Controller
from settings.nginx_profiles import Profile
from settings.versions import is_three_numbers


def _version(version: str) -> str:
    bare = version.removeprefix("controller-").removeprefix("v")
    if not is_three_numbers(bare):
        raise wrong_form("expected the version of a controller", "write it like 1.15.1")
    if bare != version:
        raise wrong_form("expected a version without what stands before its numbers", f"write {bare}")
    return version


ControllerVersion = Annotated[str, AfterValidator(_version), Words("controller's version")]


class Exposure(Settings):
    """How clients reach the controller; their addresses are kept (externalTrafficPolicy Local). A change is made in place and moves clients."""

    kind: Literal["load-balancer", "host-network", "node-port"] = "load-balancer"
    """`load-balancer`: an address out of pod_network.services.load_balancer, announced by BGP from the nodes that run a controller; `host-network`: ports 80 and
    443 of those nodes themselves; `node-port`: two ports of every such node, for a load balancer that you bring."""
    address: Address | None = None
    """The load-balancer address; unset takes the first free one, known only after `up`."""
    http_node_port: Whole | None = Field(default=None, ge=1, le=65535)
    """NodePort for HTTP (kind node-port); unset takes a free one."""
    https_node_port: Whole | None = Field(default=None, ge=1, le=65535)
    """NodePort for HTTPS (kind node-port); unset takes a free one."""
    proxy_protocol: Annotated[tuple[Network, ...], Distinct] = ()
    """Networks of load balancers that put the PROXY protocol before each connection; declared means that every client must come through them."""

    def disagreements(self) -> Iterator[Problem]:
        """Each kind has its own fields, and two ports are two."""
        if self.address is not None and self.kind != "load-balancer":
            yield Problem("address", f"is {self.address}, which kind {self.kind} does not use; remove it, or write kind: load-balancer")
        for name, port in (("http_node_port", self.http_node_port), ("https_node_port", self.https_node_port)):
            if port is not None and self.kind != "node-port":
                yield Problem(name, f"is {port}, which kind {self.kind} does not use; remove it, or write kind: node-port")
        if self.http_node_port is not None and self.http_node_port == self.https_node_port:
            yield Problem("https_node_port", f"is {self.https_node_port}, http_node_port too, limit: one for each; choose another")


class Ingress(Settings):
    """An ingress controller, or the ConfigMap of somebody else's. A change replaces one replica after the other, each finishing its connections."""

    controller: Controller = "ingress-nginx"
    """`ingress-nginx` (retired upstream in March 2026: no more fixes), `f5-nginx` (F5's NGINX Ingress Controller), or `configmap-only`. A change
    puts the new one beside the old, then the old one goes."""
    version: ControllerVersion | None = None
    """Version of the controller; unset takes the one whose keys and defaults underlay knows (ingress-nginx 1.15.1, F5's 5.5.4)."""
    manifest: Manifest | None = None
    """The controller's manifest as published; unset takes the published one, where underlay knows its sum. F5's sums are not known: declare it."""
    registry: Registry | None = None
    """Registry that mirrors the controller's images."""
    digests: dict[DnsLabel, ImageDigest] = {}
    """Digests by image name (`controller` of ingress-nginx, `nginx-ingress` of F5), where the manifest names none or you mirror others."""
    namespace: DnsLabel | None = None
    """Namespace of the ConfigMap (controller configmap-only); others have their own. A change writes the new one and leaves the old one as it is."""
    config_map: DnsLabel | None = None
    """Name of the ConfigMap (controller configmap-only); others have their own. A change writes the new one and leaves the old one as it is."""
    class_name: DnsLabel = "nginx"
    """Name of the IngressClass that applications write. A change replaces the class: their Ingress objects must follow."""
    domain: DnsName | None = None
    """Domain under which applications get their names; whoever runs its DNS points it at the controller's addresses. A change alters the stack's outputs alone."""
    default_class: Flag = False
    """Ingress objects that name no class are served too. A change is made in place."""
    replicas: Whole = Field(default=2, ge=1, le=500)
    """Controllers that run at the same time, spread over nodes. A change adds some, or drains some."""
    nodes: dict[LabelKey, LabelValue] = {}
    """Labels of the nodes that may run one, whose taints it tolerates; empty: all nodes that take ordinary pods."""
    cpu_request_millis: Whole = Field(default=500, ge=1, le=512_000)
    """CPU request of each, thousandths of a CPU."""
    cpu_limit_millis: Whole | None = Field(default=None, ge=100, le=512_000)
    """CPU limit of each; unset: none. A limit takes CPU time from NGINX in slices of 100 ms, which clients feel; it then also says how many workers there are."""
    memory_request_mib: Whole = Field(default=256, ge=64, le=1_048_576)
    """Memory request of each, MiB."""
    memory_limit_mib: Whole | None = Field(default=None, ge=64, le=1_048_576)
    """Memory limit of each, MiB; unset: none."""
    drain_s: Whole = Field(default=300, ge=10, le=3600)
    """How long a replica that goes may take to finish its connections, s; longer than nginx.worker_shutdown_timeout_s."""
    ready_s: Whole = Field(default=600, ge=30, le=7200)
    """How long `up` waits for the controller, s. A change alters nothing that runs."""
    expected_response_kib: Whole | None = Field(default=None, ge=1, le=1024 * 1024)
    """Largest response that should fit memory, KiB: gives proxy_buffering, proxy_buffers_number and proxy_busy_buffers_size where they are unset.
    A change is made in place: NGINX reloads."""
    expected_connections: Whole | None = Field(default=None, ge=1, le=100_000_000)
    """Client connections at the same time over all replicas; checked against workers and the nodes' connection tables. A change alters nothing that runs."""
    profile: Profile = "default"
    """Where unset values come from: `default` (the release's own), `reference` (the tuning of 2019: 10 MiB bodies, 16 KiB buffers, 4 workers, keep-alive 75 s,
    32 idle connections to applications), `api` (many small answers), `downloads` (large answers and uploads); each value with its reason in
    settings/nginx_profiles.py. A change is made in place: NGINX reloads."""
    exposure: Exposure = Exposure()
    """How clients reach it."""
    nginx: Nginx = Nginx()
    """NGINX's own knobs."""

    @property
    def used_version(self) -> str:
        """The declared version, or the one that is known."""
        return self.version or release_of(self.controller).version

    @property
    def used_manifest(self) -> Manifest | None:
        """The declared manifest, or the published one where its sum is known; None for configmap-only."""
        release = release_of(self.controller)
        if (
            self.manifest
            or self.controller == "configmap-only"
            or release.url is None
            or release.sha256 is None
            or self.used_version != release.version
        ):
            return self.manifest
        return Manifest(source=release.url.format(version=release.version), sha256=release.sha256)

    @property
    def place(self) -> tuple[str, str]:
        """Namespace and name of the ConfigMap."""
        if self.controller == "configmap-only":
            return self.namespace or "", self.config_map or ""
        release = release_of(self.controller)
        return release.namespace, release.config_map

    def disagreements(self) -> Iterator[Problem]:
        """The controller has what it needs and nothing of another's, and NGINX starts with the values."""
        yield from ingress_rules.mistakes(self)

"""An API server in memory: enough of one to see what the kubernetes stand-in asks of it, and in which state it leaves its objects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx

from lab.plugins.base import Call, Properties, State
from lab.plugins.kubernetes.api import Api
from lab.plugins.kubernetes.cluster import Cluster
from lab.plugins.kubernetes.kubeconfig import Access
from lab.plugins.kubernetes.objects import block, kind_of
from lab.plugins.kubernetes.resource import KubernetesResource
from tests.plugins.calls import Log

KINDS = {
    "/api/v1": {"ConfigMap": "configmaps", "Secret": "secrets", "Pod": "pods", "Service": "services", "Namespace": "namespaces"},
    "/apis/apps/v1": {"DaemonSet": "daemonsets", "Deployment": "deployments"},
    "/apis/discovery.k8s.io/v1": {"EndpointSlice": "endpointslices"},
}
KUBECONFIG = json.dumps(
    {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "hush-hush"}}],
    }
)


@dataclass
class FakeServer:
    """Answers the stand-in's requests from `objects` (by path); `before` may answer, or raise, first."""

    objects: dict[str, Any] = field(default_factory=dict[str, Any])
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    def put(self, path: str, thing: dict[str, Any]) -> None:
        """Makes an object there."""
        metadata = {"name": path.rsplit("/", 1)[1], "uid": f"uid-of-{path}", "generation": 1, **thing.get("metadata", {})}
        if "/namespaces/" in path:
            metadata.setdefault("namespace", path.split("/namespaces/")[1].split("/")[0])
        self.objects[path] = {**thing, "metadata": metadata}

    def asked(self, method: str) -> list[httpx.Request]:
        """The requests so far that were for objects."""
        return [request for request in self.requests if request.method == method and request.url.path not in KINDS]

    def handle(self, request: httpx.Request) -> httpx.Response:
        """One answer."""
        self.requests.append(request)
        early = self.before(request)
        if early is not None:
            return early
        path = request.url.path
        if path in KINDS:
            entries = [{"name": name, "kind": kind, "namespaced": kind != "Namespace"} for kind, name in KINDS[path].items()]
            return httpx.Response(200, json={"resources": [*entries, {"name": "pods/status", "kind": "Pod", "namespaced": True}]})
        if path.rsplit("/", 1)[1] in {name for group in KINDS.values() for name in group.values()} and request.method == "GET":
            return httpx.Response(200, json={"items": [thing for place, thing in self.objects.items() if place.rsplit("/", 1)[0] == path]})
        if request.method == "PATCH":
            return httpx.Response(200, json=self._apply(request))
        if request.method == "DELETE":
            self.objects.pop(path, None)
            return httpx.Response(200, json={})
        if path not in self.objects:
            return refusal(404, "NotFound", f'"{path.rsplit("/", 1)[1]}" not found')
        return httpx.Response(200, json=self.objects[path])

    def _apply(self, request: httpx.Request) -> dict[str, Any]:
        body, path = json.loads(request.content), request.url.path
        before = self.objects.get(path, {})
        manager = request.url.params["fieldManager"]
        tree = {name: below for name, below in _tree(body).items() if name not in {"f:apiVersion", "f:kind"}}
        others = [entry for entry in before.get("metadata", {}).get("managedFields", []) if entry["manager"] != manager]
        applied = _merged(before, body)
        applied["metadata"]["managedFields"] = [*others, {"manager": manager, "operation": "Apply", "fieldsV1": tree}]
        if request.url.params.get("dryRun") != "All":
            self.put(path, applied)
            self.objects[path]["metadata"]["generation"] = before.get("metadata", {}).get("generation", 0) + 1
            return self.objects[path]
        return applied


def _tree(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {f"f:{name}": _tree(item) for name, item in cast("Properties", value).items() if name not in {"name", "namespace", "uid"}}


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {name: _merged(block(one, name), block(other, name)) for name, value in other.items() if isinstance(value, dict) and name in one}
    return {**one, **other, **both}


def refusal(status: int, reason: str, message: str, **details: Any) -> httpx.Response:
    """The server's answer to what it does not do."""
    return httpx.Response(status, json={"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details})


@dataclass
class Bench:
    """Handlers of the stand-in on a fake server."""

    server: FakeServer = field(default_factory=FakeServer)
    settings: Properties = field(default_factory=dict[str, Any])
    patience_s: float = 5.0
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        self.patience: list[float] = []
        self.cluster = Cluster({"kubeconfig": KUBECONFIG, **self.settings}, self._connect)

    def _connect(self, access: Access, patience_s: float) -> Api:
        self.patience.append(patience_s)
        return Api(access, min(patience_s, self.patience_s), httpx.MockTransport(self.server.handle))

    def resource(self, token: str) -> KubernetesResource:
        """The handler of a type."""
        return KubernetesResource(token, kind_of(token), lambda: self.cluster)

    def call(self, timeout_s: float = 0, secrets: Any = frozenset()) -> Call:
        """An operation that logs to `log`."""
        return replace(self.log.call(), timeout_s=timeout_s, secrets=secrets)

    def create(self, token: str, inputs: Properties, timeout_s: float = 0, secrets: Any = frozenset()) -> State:
        """The resource after check and create, as the engine records it."""
        resource = self.resource(token)
        checked, failures = resource.check(inputs, {})
        assert not failures, failures
        plain = {name: getattr(value, "value", value) for name, value in checked.items()}
        state = self._run(lambda: resource.create(self.call(timeout_s, secrets), plain))
        return State(state.id, plain_values(state.outputs), plain)

    def update(self, token: str, old: State, inputs: Properties, timeout_s: float = 0) -> State:
        """The resource after an update."""
        resource = self.resource(token)
        checked = {name: getattr(value, "value", value) for name, value in resource.check(inputs, old.inputs or {})[0].items()}
        outputs = self._run(lambda: resource.update(self.call(timeout_s), old, checked))
        return State(old.id, plain_values(outputs), checked)

    def read(self, token: str, old: State) -> State | None:
        """The resource after a refresh."""
        return self._run(lambda: self.resource(token).read(self.call(), old))

    def delete(self, token: str, old: State, timeout_s: float = 0) -> None:
        """Deletes the resource."""
        self._run(lambda: self.resource(token).delete(self.call(timeout_s), old))

    def _run(self, work: Callable[[], Any]) -> Any:
        """The work's result; each runs in a loop of its own, with a client of its own."""
        self.cluster = Cluster({"kubeconfig": KUBECONFIG, **self.settings}, self._connect)

        async def run() -> Any:
            try:
                return await work()
            finally:
                await self.cluster.close()

        return asyncio.run(run())


def plain_values(values: Any) -> Any:
    """The values without marks of secrecy, as the engine gives them back."""
    if isinstance(values, dict):
        return {name: plain_values(value) for name, value in cast("Properties", values).items()}
    return plain_values(values.value) if hasattr(values, "value") else values

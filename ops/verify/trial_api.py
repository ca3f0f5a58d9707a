"""What a trial makes in the cluster: a Service and its endpoints, owned by a Job that ends them all even if nobody comes back."""

import asyncio
import json
import ssl
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import httpx

from ops.verify.api import ApiError, Credentials, credentials
from ops.verify.trial_sessions import finished

NAMESPACE: Final = "kube-system"
OWNER: Final = "underlay-verify"
PORT: Final = 80
"""Of the Service."""
REQUEST_S: Final = 10.0
REMOVE_S: Final = 20.0
"""For taking everything away; then the Job's deadline does it."""
AGAIN_S: Final = 0.5
JOBS: Final = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
SERVICES: Final = f"/api/v1/namespaces/{NAMESPACE}/services"
SLICES: Final = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
GONE: Final = 404


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A listening port of a node."""

    name: str
    """As it answers: its node's name, with a number where one node has two."""
    node: str
    address: str
    port: int


def job(name: str, deadline_s: int) -> dict[str, Any]:
    """A Job without a pod. The job controller fails it at its deadline, the TTL controller deletes it then, and the garbage collector what it owns."""
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [{"name": "none", "image": "underlay.invalid/never-started"}],
    }
    spec = {"parallelism": 0, "activeDeadlineSeconds": deadline_s, "ttlSecondsAfterFinished": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(name), "spec": spec}


def service(name: str, owner: Mapping[str, Any]) -> dict[str, Any]:
    """A Service whose endpoints nobody else writes: it has no selector."""
    ports = [{"name": "trial", "port": PORT, "protocol": "TCP"}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(name, owner), "spec": {"ports": ports}}


def endpoint_slice(name: str, number: int, endpoint: Endpoint, owner: Mapping[str, Any]) -> dict[str, Any]:
    """A slice for one endpoint, so that each may have a port of its own."""
    labels = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": OWNER}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata(f"{name}-{number}", owner, labels),
        "addressType": "IPv4",
        "ports": [{"name": "trial", "port": endpoint.port, "protocol": "TCP"}],
        "endpoints": entries(endpoint),
    }


def entries(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The slice's endpoints while it is not withdrawn."""
    return [{"addresses": [endpoint.address], "conditions": {"ready": True}, "nodeName": endpoint.node}]


def _metadata(name: str, owner: Mapping[str, Any] | None = None, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": OWNER, **(labels or {})}}
    if owner is not None:
        metadata["ownerReferences"] = [{"apiVersion": "batch/v1", "kind": "Job", "name": owner["name"], "uid": owner["uid"]}]
    return metadata


class Objects:
    """One trial's objects, by the name of the Job."""

    def __init__(self, client: httpx.AsyncClient, name: str, endpoints: tuple[Endpoint, ...]) -> None:
        self.name, self._client, self._endpoints = name, client, endpoints

    async def make(self, deadline_s: int) -> str:
        """Make all of them; gives the Service's address. ApiError where the cluster takes them not."""
        made = await self._write("POST", JOBS, job(self.name, deadline_s))
        owner = _tree(made.get("metadata"))
        if not owner.get("uid") or owner.get("name") != self.name:
            raise ApiError("the API made no Job that can own anything")
        slices = [endpoint_slice(self.name, number, endpoint, owner) for number, endpoint in enumerate(self._endpoints)]
        await _all(*(self._write("POST", SLICES, one) for one in slices))
        # Last, so that kube-proxy has to sync once.
        written = await self._write("POST", SERVICES, service(self.name, owner))
        address = _tree(written.get("spec")).get("clusterIP")
        if not isinstance(address, str) or not address:
            raise ApiError("the API gave the Service no address")
        return address

    async def withdraw(self, number: int) -> None:
        """Take an endpoint away."""
        await self._write("PATCH", f"{SLICES}/{self.name}-{number}", {"endpoints": []})

    async def restore(self, number: int) -> None:
        """Give it back."""
        await self._write("PATCH", f"{SLICES}/{self.name}-{number}", {"endpoints": entries(self._endpoints[number])})

    async def remove(self) -> str:
        """Take everything away, the Job last; why it could not be, or nothing. Works whatever was made, and is not broken off."""
        return await finished(self._remove())

    async def _remove(self) -> str:
        slices = [f"{SLICES}/{self.name}-{number}" for number in range(len(self._endpoints))]
        why = "no answer in time"
        try:
            async with asyncio.timeout(REMOVE_S):
                while why:
                    try:
                        await _all(*(self._request("DELETE", path, None) for path in (f"{SERVICES}/{self.name}", *slices)))
                        await self._request("DELETE", f"{JOBS}/{self.name}", {"propagationPolicy": "Background"})
                        why = ""
                    except ApiError as error:
                        why = str(error)
                        await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            return why
        return why

    async def _write(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        # A request that is broken off may still be done: what was begun is waited for, and known.
        return await finished(self._request(method, path, body))

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        content = None if body is None else json.dumps(body)
        try:
            async with asyncio.timeout(REQUEST_S):
                response = await self._client.request(method, path, content=content, headers={"Content-Type": kind})
        except TimeoutError:
            raise ApiError("no answer in time") from None
        except (httpx.HTTPError, OSError) as error:
            raise ApiError(" ".join(str(error).split()) or type(error).__name__) from None
        try:
            answer = _tree(json.loads(response.content))
        except ValueError:
            answer = {}
        if not response.is_success and not (method == "DELETE" and response.status_code == GONE):
            raise ApiError(f"{response.status_code}: {answer.get('message') or response.reason_phrase}")
        return answer


async def _all(*requests: Coroutine[Any, Any, dict[str, Any]]) -> list[dict[str, Any]]:
    """All at once, and all of them to their end, before the first error is raised."""
    answers: list[dict[str, Any]] = []
    for answer in await finished(asyncio.gather(*requests, return_exceptions=True)):
        if isinstance(answer, BaseException):
            raise answer
        answers.append(answer)
    return answers


def _tree(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def client(kubeconfig: str) -> httpx.AsyncClient:
    """Who writes to the cluster that a kubeconfig leads to; ApiError where it is none."""
    known: Credentials = credentials(kubeconfig)
    context: ssl.SSLContext = known.context()
    return httpx.AsyncClient(base_url=known.server, verify=context, trust_env=False, timeout=REQUEST_S)

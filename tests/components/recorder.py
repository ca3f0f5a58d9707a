"""A Pulumi engine that only remembers: what was registered, with which options."""

import asyncio
import atexit
import copy
import hashlib
import json
import runpy
import shutil
import tempfile
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import pulumi
import pytest
import yaml
from google.protobuf.json_format import MessageToDict
from pulumi import ResourceHook
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import Stack, wait_for_rpcs

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT.parent / "shared" / "data"
"""Manifests as published, which are no part of the project."""
PASSWORDS = {name: f"hush-{name}" for name in ("tor-osl1a", "tor-osl1b", "tor-osl2a", "tor-osl2b", "tor-osl3a", "tor-osl3b")}
"""Passwords of example-oslo's routers."""
T = TypeVar("T")
MADE = Path(tempfile.mkdtemp(prefix="manifests-"))
atexit.register(shutil.rmtree, MADE)


class Answers(pulumi_mocks.Mocks):
    """Outputs that providers compute: made up, but of the right form."""

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Inputs come back as outputs, beside what a provider would add."""
        made: dict[str, dict[str, Any]] = {
            "tls:index/privateKey:PrivateKey": {
                "privateKeyPem": f"PRIVATE {args.name}\n",
                "privateKeyOpenssh": f"OPENSSH PRIVATE {args.name}\n",
                "publicKeyPem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                "publicKeyOpenssh": f"ssh-ed25519 AAAA{args.name.encode().hex()}\n",
            },
            "tls:index/selfSignedCert:SelfSignedCert": {"certPem": f"CERTIFICATE {args.name}\n"},
            "tls:index/certRequest:CertRequest": {"certRequestPem": f"REQUEST {args.name}\n"},
            "tls:index/locallySignedCert:LocallySignedCert": {"certPem": f"CERTIFICATE {args.name}\n"},
            "random:index/randomString:RandomString": {"result": "abc123"},
            "random:index/randomPassword:RandomPassword": {"result": "0123456789abcdef"},
            "random:index/randomBytes:RandomBytes": {"base64": "A" * 43 + "="},
        }
        inputs = cast("dict[str, Any]", args.inputs)
        return f"{args.name}-id", {**inputs, **made.get(args.typ, {})}

    def call(self, args: pulumi_mocks.MockCallArgs) -> Any:
        """No function of a provider is called."""
        raise AssertionError(f"unexpected call of {args.token}")


class Recorder(pulumi_mocks.MockMonitor):
    """Keeps every request with its options; refuses a URN used twice, as the engine does."""

    def __init__(self, mocks: pulumi_mocks.Mocks) -> None:
        super().__init__(mocks)
        self.requests: dict[str, Any] = {}
        self.outputs: dict[str, dict[str, Any]] = {}

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        """Remember what a component says of itself."""
        self.outputs[request.urn] = MessageToDict(request.outputs)
        return super().RegisterResourceOutputs(request)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        """Remember the request under its URN."""
        response = super().RegisterResource(request)  # pyright: ignore[reportUnknownMemberType]
        assert response.urn not in self.requests, f"URN used twice: {response.urn}"
        self.requests[response.urn] = request
        return response


@dataclass
class Hooks:
    """Stands in for the server through which the engine calls a program back."""

    registered: dict[str, ResourceHook] = field(default_factory=dict[str, ResourceHook])

    def register_resource_hook(self, hook: ResourceHook) -> None:
        """Remember a hook by its name."""
        assert hook.name not in self.registered, f"hook registered twice: {hook.name}"
        self.registered[hook.name] = hook


@dataclass
class Registered:
    """What a program registered."""

    requests: dict[str, Any] = field(default_factory=dict[str, Any])
    exports: dict[str, Any] = field(default_factory=dict[str, Any])
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Of components, by URN."""
    hooks: dict[str, ResourceHook] = field(default_factory=dict[str, ResourceHook])

    def named(self, name: str, kind: str = "") -> Any:
        """The one request of this name (and type, where names repeat)."""
        found = [request for request in self.requests.values() if request.name == name and kind in request.type]
        assert len(found) == 1, f"{name}: {[(request.type, request.name) for request in found]}"
        return found[0]

    def urn(self, name: str, kind: str = "") -> str:
        """The URN of the one request of this name."""
        request = self.named(name, kind)
        return next(urn for urn, other in self.requests.items() if other is request)

    def before(self, urn: str) -> set[str]:
        """URNs of everything that must be there before this one."""
        found: set[str] = set()
        left = [urn]
        while left:
            request = self.requests.get(left.pop())
            for dependency in request.dependencies if request is not None else ():
                if dependency not in found:
                    found.add(dependency)
                    left.append(dependency)
        return found

    def of_type(self, token: str) -> list[Any]:
        """All requests of a type."""
        return [request for request in self.requests.values() if request.type == token]


def document(stack: str) -> dict[str, Any]:
    """The `underlay:environment` object of a stack file."""
    config = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    return config["underlay:environment"]


def with_external_network(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with pods' network left to somebody else, and no ingress."""
    changed = without_ingress(environment)
    changed["pod_network"]["kind"] = "external"
    return changed


def without_ingress(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without an ingress controller."""
    return {key: value for key, value in copy.deepcopy(dict(environment)).items() if key != "ingress"}


def with_ingress(environment: Mapping[str, Any], **ingress: Any) -> dict[str, Any]:
    """The settings with example-oslo's ingress-nginx from the manifest as published; skips the test where that is not."""
    pinned = {"manifest": published("ingress-nginx-controller-v1.15.1-baremetal.yaml")}
    return {**copy.deepcopy(dict(environment)), "ingress": {**document("example-oslo")["ingress"], **pinned, **ingress}}


def with_calico(environment: Mapping[str, Any], version: str = "3.32.1") -> dict[str, Any]:
    """The settings with Calico from the manifests as published, and no ingress; skips the test where those are not."""
    changed = without_ingress(environment)
    changed["pod_network"]["kind"] = "calico"
    changed["pod_network"]["calico"] = {
        **changed["pod_network"].get("calico", {}),
        "version": version,
        "manifest": published(f"calico-v{version}.yaml"),
        "api_server_manifest": api_server_of(version),
    }
    return changed


def published(name: str) -> dict[str, str]:
    """A published manifest, pinned."""
    path = PUBLISHED / name
    if not path.exists():
        pytest.skip(f"{path} is not here: manifests as published lie in shared/data beside the checkout")
    return {"source": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def api_server_of(version: str) -> dict[str, str]:
    """The API server's manifest of a version: that of 3.32.1 with the other's image, as only that one is here."""
    found = published("calico-apiserver-v3.32.1.yaml")
    path = MADE / f"calico-apiserver-v{version}.yaml"
    path.write_text(Path(found["source"]).read_text().replace("apiserver:v3.32.1", f"apiserver:v{version}"))
    return {"source": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def run_program(
    environment: Mapping[str, Any], *, preview: bool = False, passwords: Mapping[str, str] | None = None, recorder: Recorder | None = None
) -> Registered:
    """Run `__main__.py` once on these settings, and these passwords of BGP sessions."""
    recorder, hooks = recorder or Recorder(Answers()), Hooks()

    async def program() -> Registered:
        pulumi.runtime.set_mocks(recorder.mocks, project="underlay", stack="test", preview=preview, monitor=recorder)
        engine = cast("Any", SETTINGS)
        engine.monitor_features = {*engine.monitor_features, resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS}
        engine.callbacks = hooks
        secrets = {"underlay:bgp_passwords": json.dumps(passwords)} if passwords else {}
        pulumi.runtime.set_all_config({"underlay:environment": json.dumps(environment), **secrets}, list(secrets))
        try:
            runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
        finally:  # what a program that stops has begun would be waited for by the next one
            await wait_for_rpcs()
        root = pulumi.runtime.get_root_resource()
        assert isinstance(root, Stack)
        exports = {name: await pulumi.Output.from_input(value).future() for name, value in root.outputs.items()}
        return Registered(requests=recorder.requests, exports=exports, outputs=recorder.outputs, hooks=hooks.registered)

    return run_alone(program())


def run_alone(program: Coroutine[None, None, T]) -> T:
    """Run a program in a loop of its own; nothing of it is left that the next one would wait for, however it ends."""
    try:
        with closing_loops():
            return asyncio.run(program)
    finally:
        waited_for = cast("Any", SETTINGS)
        waited_for.rpc_manager.clear()
        waited_for.outputs.clear()


@contextmanager
def closing_loops() -> Generator[None]:
    """Close the event loops that Pulumi's mocks open on the threads they run on and never close."""
    opened: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        opened.append(make())
        return opened[-1]

    asyncio.new_event_loop = remembered
    try:
        yield
    finally:
        asyncio.new_event_loop = make
        for loop in opened:
            if not loop.is_running():
                loop.close()

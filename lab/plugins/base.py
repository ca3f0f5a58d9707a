"""What every stand-in plugin is made of: one `Resource` class per resource type, held by one `Provider`.

A plugin is a module like this, run as `python -m lab.plugins.<name> <engine address>`:

    class Token(Resource):
        type = "example:index:Token"
        inputs = frozenset({"length", "keepers"})   # wire names, as the published SDK's schema has them
        required = frozenset({"length"})
        computed = frozenset({"value"})             # outputs that are no inputs; unknown in the preview of a create
        secret_outputs = frozenset({"value"})
        replaces_on = "all"

        async def create(self, call: Call, inputs: Properties) -> State:
            return State(id="token", outputs={**inputs, "value": secrets.token_hex(inputs["length"])})

    if __name__ == "__main__":
        serve(Provider("example", [Token()]))

Handlers see plain values (`lab.plugins.values`): secrets unwrapped, unknowns as `UNKNOWN`. Outputs are marked secret again
where the input at the same path was secret, where `secret_outputs` names them, or where they are wrapped in `Secret`. Handlers
run in one event loop: what blocks goes to `asyncio.to_thread`. A message given to `ProviderError` or to `Call.log` must
hold no secret.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from .difference import Change, Difference, changed_paths, wire_path
from .values import UNKNOWN, Asset, Path, Properties, Secret, Unknown, has_unknown

__all__ = [
    "UNKNOWN",
    "Asset",
    "Call",
    "Change",
    "Difference",
    "Failure",
    "PartialError",
    "Path",
    "Properties",
    "Provider",
    "ProviderError",
    "Resource",
    "Secret",
    "Severity",
    "State",
    "Unknown",
    "changed_paths",
    "has_unknown",
    "serve",
    "wire_path",
]

Severity = Literal["debug", "info", "warning", "error"]


class ProviderError(Exception):
    """An operation failed; the message is what the user sees beside the resource's name."""


class PartialError(ProviderError):
    """A create or update failed, but the resource is there: the engine records it and the next `up` updates or replaces it."""

    def __init__(self, message: str, state: State) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True)
class Failure:
    """An input that `check` refuses. `property` is a wire path, or empty where no single one is at fault."""

    property: str
    reason: str


@dataclass(frozen=True)
class State:
    """A resource as the engine records it: `id`, all output properties, and its inputs where they are known."""

    id: str
    outputs: Properties
    inputs: Properties | None = None


@dataclass(frozen=True)
class Call:
    """One operation of the engine on one resource."""

    urn: str
    timeout_s: float
    """The resource option `custom_timeouts`; 0 when it is not set."""
    log: Callable[[Severity, str], Awaitable[None]]
    """Shows a message beside the resource; it fails silently, as a lost message is no reason to fail."""
    status: Callable[[str], Awaitable[None]]
    """Shows progress beside the resource, in a terminal only, until the next one replaces it."""
    secrets: frozenset[Path] = frozenset()
    """The paths of the inputs that are secret."""

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def type(self) -> str:
        """The resource's type token."""
        return self.urn.rsplit("::", 2)[-2].rsplit("$", 1)[-1]


class Resource:
    """The behaviour of one resource type; see the module's docstring. Subclasses override what differs."""

    type: ClassVar[str]
    """The type token, for example `random:index/randomString:RandomString`."""
    inputs: ClassVar[frozenset[str]]
    """Every input's wire name; `check` refuses others."""
    required: ClassVar[frozenset[str]] = frozenset()
    computed: ClassVar[frozenset[str]] = frozenset()
    """Outputs that are no inputs, or inputs that the provider fills in when they are absent."""
    volatile: ClassVar[frozenset[str]] = frozenset()
    """Computed outputs that an update may change: unknown in its preview."""
    defaults: ClassVar[Mapping[str, object]] = {}
    """Inputs that `check` adds where they are absent, so that a preview lists them."""
    replaces_on: ClassVar[frozenset[str] | Literal["all"]] = frozenset()
    """Inputs whose change replaces the resource."""
    delete_before_replace: ClassVar[bool] = False
    secret_outputs: ClassVar[frozenset[str]] = frozenset()

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """The inputs with defaults filled in, and what is wrong with them. `old_inputs` is empty before the first create."""
        del old_inputs
        failures = [Failure(name, f"Missing required property '{name}'") for name in sorted(self.required - inputs.keys())]
        failures += [
            Failure(name, f"'{name}' is not an input that the lab's stand-in for {self.type} takes") for name in sorted(inputs.keys() - self.inputs)
        ]
        return {**self.defaults, **inputs}, failures

    def settled(self, inputs: Properties) -> Properties:
        """The inputs with such defaults as only the state shows: setting one explicitly is no change."""
        return inputs

    def diff(self, old: State, inputs: Properties) -> Difference:
        """What would change. `old.inputs` are the inputs of the last update, or what `read` found."""
        changes = changed_paths(self.settled(old.inputs or {}), self.settled(inputs))
        replaces = frozenset(path for path in changes if self.replaces_on == "all" or path[0] in self.replaces_on)
        return Difference(changes, replaces, delete_before_replace=self.delete_before_replace and bool(replaces))

    def planned(self, inputs: Properties) -> Properties:
        """The outputs that the preview of a create shows."""
        return {**dict.fromkeys(self.computed, UNKNOWN), **self.settled(inputs)}

    def planned_update(self, old: State, inputs: Properties) -> Properties:
        """The outputs that the preview of an update shows."""
        kept = {name: value for name, value in old.outputs.items() if name in self.computed}
        return {**kept, **dict.fromkeys(self.volatile, UNKNOWN), **self.settled(inputs)}

    async def create(self, call: Call, inputs: Properties) -> State:
        """Makes the resource. Raises ProviderError, or PartialError when something is left behind."""
        raise NotImplementedError(f"{self.type} cannot be created")

    async def read(self, call: Call, old: State) -> State | None:
        """The resource as it is now, None when it is gone. For `pulumi import` only `old.id` is set."""
        del call
        return old

    async def update(self, call: Call, old: State, inputs: Properties) -> Properties:
        """Changes the resource in place and returns all its outputs."""
        raise NotImplementedError(f"{self.type} cannot be changed in place")

    async def delete(self, call: Call, old: State) -> None:
        """Removes the resource; one that is gone already is no error."""


class Provider:
    """A plugin's resource types and its provider configuration."""

    def __init__(self, package: str, resources: Iterable[Resource] = (), config_inputs: frozenset[str] = frozenset()) -> None:
        self.package = package
        self.config_inputs = config_inputs
        """Wire names of the provider's own inputs."""
        self.config: Properties = {}
        """The provider's inputs once configured; those that are no strings arrive as JSON text, as the SDKs send them."""
        self._resources = {resource.type: resource for resource in resources}

    @property
    def types(self) -> Mapping[str, Resource]:
        """The resource types by token."""
        return self._resources

    def resource(self, token: str) -> Resource:
        """The handler of a type. Raises ProviderError for a type this stand-in does not have."""
        try:
            return self._resources[token]
        except KeyError:
            raise ProviderError(f"the lab's stand-in for {self.package} has no type {token}; it has {', '.join(self._resources)}") from None

    def check_config(self, inputs: Properties) -> list[Failure]:
        """What is wrong with the provider's inputs."""
        unknown_names = sorted(inputs.keys() - self.config_inputs - {"version", "__internal"})
        return [Failure(name, f"'{name}' is not a setting of the provider {self.package}") for name in unknown_names]

    def diff_config(self, old_inputs: Properties, inputs: Properties) -> Difference:
        """What a change of the provider's inputs means; by default nothing it manages is replaced."""
        return Difference(changed_paths(old_inputs, inputs))

    def configure(self, inputs: Properties) -> None:
        """Takes the provider's inputs. In a preview they may hold `UNKNOWN`. Raises ProviderError."""
        self.config = inputs

    async def invoke(self, token: str, args: Properties) -> Properties:
        """Runs a provider function."""
        del args
        raise ProviderError(f"the lab's stand-in for {self.package} has no function {token}")

    async def close(self) -> None:
        """Lets go of connections before the process ends."""


def serve(provider: Provider) -> None:
    """Runs the plugin until the engine is done with it: prints the port on standard output and answers on loopback."""
    from . import server  # gRPC and the SDK's stubs take most of the start-up time; the contract test needs neither

    server.run(provider)

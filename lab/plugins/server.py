# ruff: noqa: D102, N802 - the methods' names and meanings are the protocol's (pulumi/proto/pulumi/provider.proto)
"""The gRPC side of a stand-in plugin: the engine's requests to the handlers of `lab.plugins.base`, and their answers back.

`pulumi.provider.experimental.server` is not used: in 3.259.0 it mistakes unknown values for strings, answers
`DiffConfig` with the wrong enum and prints a Python traceback for every error.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from importlib import metadata
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from .base import Failure, PartialError, Provider, ProviderError, Resource, State
from .difference import Change, Difference, wire_path
from .engine import OPTIONS, Engine, note_start
from .values import Path, Properties, decode, encode

_PARENT_POLL_S = 2.0

Answer = TypeVar("Answer")


def run(provider: Provider) -> None:
    """Serves until the engine asks to stop, is gone, or the process gets SIGTERM."""
    engines = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    asyncio.run(_serve(provider, engines[0] if engines else ""))


async def _serve(provider: Provider, engine_address: str) -> None:
    server = grpc.aio.server(options=OPTIONS)
    servicer = Servicer(provider, engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):  # the engine closes a plugin with SIGINT; a terminal's ^C reaches the engine only
        loop.add_signal_handler(number, stopped.set)
    watch = asyncio.create_task(_stop_with_parent(stopped))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await stopped.wait()
    watch.cancel()
    await servicer.stop()
    await provider.close()
    await server.stop(grace=1)


async def _stop_with_parent(stopped: asyncio.Event) -> None:
    """Ends the plugin when its engine was killed: nobody else would."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel offers no event for this that a Go parent's threads do not upset
        await asyncio.sleep(_PARENT_POLL_S)
    stopped.set()


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol's methods for one provider."""

    def __init__(self, provider: Provider, engine_address: str) -> None:
        self._provider = provider
        self._engine = Engine(engine_address)
        self._running: set[asyncio.Task[Any]] = set()
        self._cancelled = False

    async def stop(self) -> None:
        """Cancels what runs and closes the connection to the engine."""
        self._cancelled = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.close()

    async def _answer(self, context: Any, work: Callable[[], Awaitable[Answer]], describe: Callable[[State], Any] | None = None) -> Answer:
        """The result of `work`, or a gRPC error with one line for the user."""

        async def start() -> Answer:
            return await work()

        task = asyncio.ensure_future(start())
        self._running.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            await _abort(context, "cancelled before it was finished")
        except PartialError as error:
            await _abort(context, str(error), describe(error.state) if describe else None)
        except ProviderError as error:
            await _abort(context, str(error))
        except Exception as error:  # a defect of the stand-in; one line for the user, the rest in the debug log
            await self._engine.log("debug", traceback.format_exc())
            await _abort(context, f"the lab's stand-in for {self._provider.package} failed: {type(error).__name__}: {error}")
        finally:
            self._running.discard(task)

    def _resource(self, urn: str) -> Resource:
        return self._provider.resource(urn.rsplit("::", 2)[-2].rsplit("$", 1)[-1])

    async def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return plugin_pb2.PluginInfo(version=metadata.version(f"pulumi_{self._provider.package}"))

    async def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    async def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        self._cancelled = True
        for task in self._running:
            task.cancel()
        return empty_pb2.Empty()

    async def CheckConfig(self, request: Any, context: Any) -> Any:
        async def work() -> Any:
            inputs, secrets = decode(request.news)
            return provider_pb2.CheckResponse(inputs=encode(inputs, secrets), failures=_failures(self._provider.check_config(inputs)))

        return await self._answer(context, work)

    async def DiffConfig(self, request: Any, context: Any) -> Any:
        async def work() -> Any:
            old, _ = decode(request.old_inputs if request.old_inputs.fields else request.olds)
            return _difference(self._provider.diff_config(old, decode(request.news)[0]), list(request.ignoreChanges))

        return await self._answer(context, work)

    async def Configure(self, request: Any, context: Any) -> Any:
        async def work() -> Any:
            self._provider.configure(decode(request.args)[0])
            note_start(self._provider.package)
            await self._engine.log("debug", f"{self._provider.package}: this is the lab's stand-in, not the vendor's plugin")
            return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False)

        return await self._answer(context, work)

    async def Invoke(self, request: Any, context: Any) -> Any:
        async def work() -> Any:
            result = await self._provider.invoke(request.tok, decode(request.args)[0])
            response = provider_pb2.InvokeResponse()
            getattr(response, "return").CopyFrom(encode(result))
            return response

        return await self._answer(context, work)

    async def Check(self, request: Any, context: Any) -> Any:
        async def work() -> Any:
            inputs, secrets = decode(request.news)
            checked, failures = self._resource(request.urn).check(inputs, decode(request.olds)[0])
            return provider_pb2.CheckResponse(inputs=encode(checked, secrets), failures=_failures(failures))

        return await self._answer(context, work)

    async def Diff(self, request: Any, context: Any) -> Any:
        async def work() -> Any:
            difference = self._resource(request.urn).diff(_old_state(request, request.olds), decode(request.news)[0])
            return _difference(difference, list(request.ignoreChanges))

        return await self._answer(context, work)

    async def Create(self, request: Any, context: Any) -> Any:
        resource_type = request.urn
        inputs, secrets = decode(request.properties)

        async def work() -> Any:
            resource = self._resource(resource_type)
            if request.preview:
                return provider_pb2.CreateResponse(properties=_outputs(resource, resource.planned(inputs), secrets))
            state = await resource.create(self._engine.call(request, secrets), inputs)
            return provider_pb2.CreateResponse(id=state.id, properties=_outputs(resource, state.outputs, secrets))

        return await self._answer(context, work, lambda state: _partial(self._resource(resource_type), state, secrets))

    async def Update(self, request: Any, context: Any) -> Any:
        inputs, secrets = decode(request.news)

        async def work() -> Any:
            resource, old = self._resource(request.urn), _old_state(request, request.olds)
            if request.preview:
                outputs = resource.planned_update(old, inputs)
            else:
                outputs = await resource.update(self._engine.call(request, secrets), old, inputs)
            return provider_pb2.UpdateResponse(properties=_outputs(resource, outputs, secrets))

        return await self._answer(context, work, lambda state: _partial(self._resource(request.urn), state, secrets))

    async def Read(self, request: Any, context: Any) -> Any:
        async def work() -> Any:
            outputs, secrets = decode(request.properties)
            inputs, input_secrets = decode(request.inputs)
            resource = self._resource(request.urn)
            state = await resource.read(self._engine.call(request, secrets), State(request.id, outputs, inputs))
            if state is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=state.id,
                properties=_outputs(resource, state.outputs, secrets | input_secrets),
                inputs=encode(inputs if state.inputs is None else state.inputs, input_secrets),
            )

        return await self._answer(context, work)

    async def Delete(self, request: Any, context: Any) -> Any:
        async def work() -> Any:
            call = self._engine.call(request, decode(request.old_inputs)[1])
            await self._resource(request.urn).delete(call, _old_state(request, request.properties))
            return empty_pb2.Empty()

        return await self._answer(context, work)


def _old_state(request: Any, outputs: Any) -> State:
    """The recorded resource a request speaks of."""
    return State(request.id, decode(outputs)[0], decode(request.old_inputs)[0])


def _outputs(resource: Resource, outputs: Properties, secrets: frozenset[Path]) -> Any:
    """The outputs as a message, secret where they must be."""
    return encode(outputs, secrets | {(name,) for name in resource.secret_outputs})


def _partial(resource: Resource, state: State, secrets: frozenset[Path]) -> Any:
    """What the engine records of a resource that exists but is not right."""
    inputs = encode(state.inputs, secrets) if state.inputs is not None else None
    return provider_pb2.ErrorResourceInitFailed(id=state.id, properties=_outputs(resource, state.outputs, secrets), inputs=inputs)


def _failures(failures: list[Failure]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=failure.property, reason=failure.reason) for failure in failures]


_KINDS: dict[Change, int] = {
    "add": provider_pb2.PropertyDiff.ADD,
    "delete": provider_pb2.PropertyDiff.DELETE,
    "update": provider_pb2.PropertyDiff.UPDATE,
}


def _difference(difference: Difference, ignored: list[str]) -> Any:
    """The answer to Diff or DiffConfig without what the user ignores by its top-level name."""
    changes = {path: change for path, change in difference.changes.items() if str(path[0]) not in ignored}
    replaces = [path for path in changes if path in difference.replaces]
    details = {
        wire_path(path): provider_pb2.PropertyDiff(
            kind=_KINDS[change] + (1 if path in difference.replaces else 0),  # pyright: ignore[reportArgumentType]
            inputDiff=path not in difference.outputs,
        )
        for path, change in changes.items()
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=sorted({str(path[0]) for path in replaces}),
        diffs=sorted({str(path[0]) for path in changes}),
        deleteBeforeReplace=difference.delete_before_replace and bool(replaces),
        detailedDiff=details,
        hasDetailedDiff=True,
    )


async def _abort(context: Any, message: str, detail: Any = None) -> NoReturn:
    """Ends the request with an error, and with `detail` for the engine where something was left behind."""
    if detail is None:
        await context.abort(grpc.StatusCode.UNKNOWN, message)
        raise AssertionError
    detail.reasons.append(message)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)  # pyright: ignore[reportUnknownMemberType]
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError

"""The lab's Pulumi language host for Python: it runs a program's `__main__.py` for the engine.

The vendor's host is a Go program that cannot be had here. This one differs in that it runs the program in its own process,
under the interpreter it was started with (the checkout's virtual environment, whatever `runtime.options.virtualenv` says),
and that it names no required plugins: the engine then takes those it finds and downloads none. A policy pack runs in a process and a
virtual environment of its own, as with the vendor's.
"""

# ruff: noqa: D102, N802 - the methods' names and meanings are the protocol's (pulumi/proto/pulumi/language.proto)

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from . import policy_pack
from .program import Outcome, Program, run

_OPTIONS: Final = [("grpc.max_receive_message_length", 400 * 1024 * 1024), ("grpc.so_reuseport", 0)]
_PARENT_POLL_S: Final = 2.0
_WORKERS: Final = 8
"""Threads for calls: the program and each policy pack hold one for as long as they run."""

Job = tuple[Program, "Future[Outcome]"]


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """The protocol's methods; the program itself runs in the main thread, where signals and asyncio expect it."""

    def __init__(self, engine_address: str, jobs: queue.SimpleQueue[Job]) -> None:
        self._engine_address = engine_address
        self._jobs = jobs
        self._started = threading.Lock()

    def Handshake(self, request: Any, context: Any) -> Any:
        del context
        self._engine_address = request.engine_address or self._engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        del request, context
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def About(self, request: Any, context: Any) -> Any:
        del request, context
        version = ".".join(map(str, sys.version_info[:3]))
        return language_pb2.AboutResponse(executable=sys.executable, version=version, metadata={"host": "underlay's lab"})

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        del request, context
        return language_pb2.GetRequiredPluginsResponse()

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        del request, context
        return language_pb2.GetRequiredPackagesResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        del request, context
        found = {package.metadata["Name"]: package.version for package in metadata.distributions()}
        pulumi_packages = sorted((name, version) for name, version in found.items() if name.lower().startswith("pulumi"))
        dependencies = [language_pb2.DependencyInfo(name=name, version=version) for name, version in pulumi_packages]
        return language_pb2.GetProgramDependenciesResponse(dependencies=dependencies)

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        """The checkout's virtual environment is made by the checkout's own means."""
        del request, context
        return iter(())

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:
        del request, context
        return language_pb2.RuntimeOptionsResponse()

    def Cancel(self, request: Any, context: Any) -> Any:
        """Nothing to do: a cancelled engine shuts its monitor, which ends the program."""
        del request, context
        return empty_pb2.Empty()

    def Run(self, request: Any, context: Any) -> Any:
        if not self._started.acquire(blocking=False):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the lab's language host runs one program in its life: start another")
        directory = request.info.program_directory or request.pwd
        program = Program(
            directory=directory,
            entry_point=request.info.entry_point or ".",
            working_directory=request.pwd or directory,
            root_directory=request.info.root_directory or directory,
            engine_address=self._engine_address,
            monitor_address=request.monitor_address,
            project=request.project,
            stack=request.stack,
            organization=request.organization or "organization",
            dry_run=request.dryRun,
            parallel=request.parallel,
            config=dict(request.config),
            secret_keys=tuple(request.configSecretKeys),
            arguments=tuple(request.args),
        )
        done: Future[Outcome] = Future()
        self._jobs.put((program, done))
        outcome = done.result()
        return language_pb2.RunResponse(error=outcome.error, bail=outcome.shown)

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """Starts a policy pack and hands on what it says until it ends; other kinds of plugins are executables here."""
        if request.kind != policy_pack.KIND:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the lab's language host runs no plugin of kind {request.kind!r}")
        options: dict[str, Any] = json_format.MessageToDict(request.info.options)
        pack = policy_pack.Pack(
            directory=request.info.program_directory,
            virtualenv=str(options.get("virtualenv", "")),
            working_directory=request.pwd,
            arguments=tuple(request.args),
            environment=tuple(request.env),
        )
        try:
            running = policy_pack.start(pack)
        except policy_pack.PackError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            return
        context.add_callback(running.end)
        for stream, said in running.said():
            yield language_pb2.RunPluginResponse(stdout=said) if stream == "stdout" else language_pb2.RunPluginResponse(stderr=said)
        yield language_pb2.RunPluginResponse(exitcode=running.code())


def _exit_with_parent() -> None:
    """Ends the host when its engine was killed: nobody else would."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    policy_pack.end_all()
    os._exit(1)


def _exit_now(*_: object) -> None:
    """The engine closes a plugin with SIGINT, when its program has ended or is of no more use, and waits five seconds for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    policy_pack.end_all()
    os._exit(0)


def main() -> None:
    """Serves until the engine closes the host."""
    signal.signal(signal.SIGINT, _exit_now)
    signal.signal(signal.SIGTERM, _exit_now)
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    server: Any = grpc.server(ThreadPoolExecutor(max_workers=_WORKERS), options=_OPTIONS)  # pyright: ignore[reportUnknownMemberType]
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(addresses[0] if addresses else "", jobs), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    sys.stdout.write(f"{port}\n")
    while True:
        program, done = jobs.get()
        done.set_result(run(program))


if __name__ == "__main__":
    main()

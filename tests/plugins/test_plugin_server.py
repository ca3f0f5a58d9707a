"""The protocol side of a stand-in, over gRPC as the engine speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from lab.plugins.base import UNKNOWN, Call, PartialError, Properties, Provider, ProviderError, Resource, State
from lab.plugins.server import Servicer
from lab.plugins.values import decode, encode

URN = "urn:pulumi:test::p::parent:x:Y$t:m:Thing::name"


class Thing(Resource):
    """Fails, stalls or succeeds as its input `how` says."""

    type = "t:m:Thing"
    inputs = frozenset({"how", "size", "hidden"})
    required = frozenset({"how"})
    computed = frozenset({"result"})
    volatile = computed
    secret_outputs = frozenset({"result"})
    replaces_on = frozenset({"size"})
    delete_before_replace = True

    async def create(self, call: Call, inputs: Properties) -> State:
        del call
        if inputs["how"] == "fail":
            raise ProviderError("no room")
        if inputs["how"] == "half":
            raise PartialError("made but not ready", State("id", {**inputs, "result": "r"}))
        if inputs["how"] == "defect":
            raise KeyError("oops")
        if inputs["how"] == "stall":
            await asyncio.sleep(60)
        return State("id", {**inputs, "result": "r"})

    async def read(self, call: Call, old: State) -> State | None:
        del call
        return None if old.id == "gone" else old


def served(conversation: Callable[[Any], Awaitable[None]]) -> None:
    """Runs a conversation with a provider of one type."""

    async def main() -> None:
        server = grpc.aio.server()
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(Provider("t", [Thing()], frozenset({"uri"})), ""), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await conversation(provider_pb2_grpc.ResourceProviderStub(channel))
        await server.stop(0)

    asyncio.run(main())


def create(inputs: Properties, *, preview: bool = False) -> Any:
    return provider_pb2.CreateRequest(urn=URN, properties=encode(inputs), preview=preview)


async def error_of(request: Awaitable[Any]) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await request
    return caught.value


def test_outputs_are_secret_where_inputs_were_or_the_type_says_so() -> None:
    async def conversation(stub: Any) -> None:
        request = provider_pb2.CreateRequest(urn=URN, properties=encode({"how": "well", "hidden": {"a": 1}}, {("hidden", "a")}))
        answer = await stub.Create(request)
        assert decode(answer.properties)[1] == {("hidden", "a"), ("result",)}

    served(conversation)


def test_the_preview_of_a_create_knows_inputs_only() -> None:
    async def conversation(stub: Any) -> None:
        answer = await stub.Create(create({"how": "fail", "size": UNKNOWN}, preview=True))
        assert decode(answer.properties)[0] == {"how": "fail", "size": UNKNOWN, "result": UNKNOWN}

    served(conversation)


def test_the_preview_of_an_update_forgets_what_the_update_may_change() -> None:
    async def conversation(stub: Any) -> None:
        request = provider_pb2.UpdateRequest(id="id", urn=URN, olds=encode({"how": "a", "result": "r"}), news=encode({"how": "b"}), preview=True)
        assert decode((await stub.Update(request)).properties)[0] == {"how": "b", "result": UNKNOWN}

    served(conversation)


def test_an_error_is_one_line_without_a_traceback() -> None:
    async def conversation(stub: Any) -> None:
        assert (await error_of(stub.Create(create({"how": "fail"})))).details() == "no room"
        defect = (await error_of(stub.Create(create({"how": "defect"})))).details()
        assert defect == "the lab's stand-in for t failed: KeyError: 'oops'"

    served(conversation)


def test_a_half_made_resource_is_handed_over_with_the_error() -> None:
    async def conversation(stub: Any) -> None:
        error = await error_of(stub.Create(create({"how": "half"})))
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        status = status_pb2.Status.FromString(details)
        left = provider_pb2.ErrorResourceInitFailed()
        status.details[0].Unpack(left)
        assert (left.id, list(left.reasons), decode(left.properties)[0]["result"]) == ("id", ["made but not ready"], "r")

    served(conversation)


def test_cancel_ends_what_runs() -> None:
    async def conversation(stub: Any) -> None:
        running = asyncio.ensure_future(error_of(stub.Create(create({"how": "stall"}))))
        await asyncio.sleep(0.1)
        await stub.Cancel(empty_pb2.Empty())
        assert (await asyncio.wait_for(running, 5)).details() == "cancelled before it was finished"

    served(conversation)


def test_unknown_types_inputs_and_functions_are_refused_by_name() -> None:
    async def conversation(stub: Any) -> None:
        other = provider_pb2.CreateRequest(urn="urn:pulumi:test::p::t:m:Other::name")
        assert "has no type t:m:Other" in (await error_of(stub.Create(other))).details()
        answer = await stub.Check(provider_pb2.CheckRequest(urn=URN, news=encode({"colour": "red"})))
        assert {failure.property for failure in answer.failures} == {"how", "colour"}
        assert "has no function t:m:f" in (await error_of(stub.Invoke(provider_pb2.InvokeRequest(tok="t:m:f")))).details()
        config = await stub.CheckConfig(provider_pb2.CheckRequest(urn=URN, news=encode({"uri": "x", "url": "y", "version": "1"})))
        assert [failure.property for failure in config.failures] == ["url"]

    served(conversation)


def test_a_diff_tells_update_from_replace_and_leaves_out_what_is_ignored() -> None:
    async def conversation(stub: Any) -> None:
        def request(*ignored: str) -> Any:
            return provider_pb2.DiffRequest(
                urn=URN, old_inputs=encode({"how": "a", "size": 1}), news=encode({"how": "b", "size": 2}), ignoreChanges=ignored
            )

        both = await stub.Diff(request())
        assert (both.changes, list(both.replaces), both.deleteBeforeReplace) == (provider_pb2.DiffResponse.DIFF_SOME, ["size"], True)
        assert both.detailedDiff["size"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
        assert both.detailedDiff["how"].kind == provider_pb2.PropertyDiff.UPDATE
        in_place = await stub.Diff(request("size"))
        assert (list(in_place.replaces), in_place.deleteBeforeReplace) == ([], False)
        assert (await stub.Diff(request("size", "how"))).changes == provider_pb2.DiffResponse.DIFF_NONE

    served(conversation)


def test_a_resource_that_is_gone_reads_as_nothing() -> None:
    async def conversation(stub: Any) -> None:
        assert (await stub.Read(provider_pb2.ReadRequest(id="gone", urn=URN))).id == ""
        kept = await stub.Read(provider_pb2.ReadRequest(id="id", urn=URN, properties=encode({"how": "a"}), inputs=encode({"how": "a"})))
        assert decode(kept.inputs)[0] == {"how": "a"}

    served(conversation)

"""A long row of resources: declared in order, and not looked through for cycles."""

import sys
from itertools import pairwise

import pulumi
from pulumi.runtime.stack import wait_for_rpcs
from recorder import Answers, Recorder, run_alone

from components.behind import behind

LENGTH = 250
"""The SDK's look for cycles goes one call deeper with each resource of a row: past the limit that the test sets."""


class Link(pulumi.CustomResource):
    """A resource without properties."""

    def __init__(self, number: int, opts: pulumi.ResourceOptions) -> None:
        super().__init__("test:index:Link", f"link-{number}", {}, opts)


def test_each_resource_of_a_row_comes_after_the_one_before_it_however_long_the_row_is() -> None:
    recorder, usual = Recorder(Answers()), sys.getrecursionlimit()

    async def program() -> None:
        pulumi.runtime.set_mocks(recorder.mocks, project="underlay", stack="test", preview=False, monitor=recorder)
        last: pulumi.Resource | None = None
        for number in range(LENGTH):
            last = Link(number, pulumi.ResourceOptions(depends_on=[behind(last)] if last else []))
        await wait_for_rpcs()

    sys.setrecursionlimit(LENGTH)
    try:
        run_alone(program())
    finally:
        sys.setrecursionlimit(usual)
    urns = {request.name: urn for urn, request in recorder.requests.items() if request.type == "test:index:Link"}
    assert len(urns) == LENGTH
    for earlier, later in pairwise(range(LENGTH)):
        assert urns[f"link-{earlier}"] in recorder.requests[urns[f"link-{later}"]].dependencies

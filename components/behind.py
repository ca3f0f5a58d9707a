"""An order of resources that Pulumi's SDK does not look behind."""

from typing import Any

import pulumi
from pulumi.resource import DependencyResource


def behind(resource: pulumi.Resource) -> pulumi.Output[Any]:
    """What `depends_on` takes to come after a resource, by its URN alone.

    The SDK looks for cycles along everything that a resource comes after, once for each resource: with some hundred machines built one after the
    other that takes longer than all else together (runtime/resource_cycle_breaker.py, pulumi 3.259).
    """

    async def named() -> DependencyResource:
        urn = await resource.urn.future()
        assert urn is not None  # noqa: S101 - a registered resource has one
        return DependencyResource(urn)

    return pulumi.Output.from_input(named())

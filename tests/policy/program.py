"""The program of the engine's tests: it registers what program.json beside it lists."""

import json
from pathlib import Path
from typing import Any, cast

import pulumi

ITEMS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "program.json").read_text())


def marked(value: Any) -> Any:
    """The value with what is to be secret made so."""
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        return pulumi.Output.secret(marked(tree["secret"])) if list(tree) == ["secret"] else {key: marked(inner) for key, inner in tree.items()}
    return [marked(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


made: dict[str, pulumi.Resource] = {}
last: dict[str, pulumi.Resource] = {}
for item in ITEMS:
    # those of a provider's type one after the other, so that of two that cannot both be it is always the same one that is refused
    after = [last[item["type"]]] if item["provider"] and item["type"] in last else []
    provider = made.get(item["provider"])
    assert provider is None or isinstance(provider, pulumi.ProviderResource)
    options = pulumi.ResourceOptions(parent=made.get(item["parent"]), provider=provider, protect=item["protect"], depends_on=after)
    inputs = marked(item["inputs"])
    if item["type"].startswith("underlay:"):
        made[item["name"]] = pulumi.ComponentResource(item["type"], item["name"], inputs, options)
    elif item["type"].startswith("pulumi:providers:"):
        made[item["name"]] = pulumi.ProviderResource(item["type"].rpartition(":")[2], item["name"], inputs, options)
    else:
        made[item["name"]] = pulumi.CustomResource(item["type"], item["name"], inputs, options)
    last[item["type"]] = made[item["name"]]

"""The fields of Felix that the settings know, against Calico's own definitions."""

from calico_plans import V3_DEFINITIONS, calico_yaml, parsed, published

from settings.calico import OWNED_FELIX_FIELDS
from settings.felix import EITHER, FIELDS

KINDS = {"boolean": "true or false", "integer": "a whole number", "string": "text", "array": "a list", "object": "a map"}


def defined(text: str) -> dict[str, str | None]:
    """Fields of FelixConfiguration's spec by what they hold; None: a number or text."""
    definition = next(thing for thing in parsed(text) if thing.get("spec", {}).get("names", {}).get("kind") == "FelixConfiguration")
    fields = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return {name: KINDS[field["type"]] if "type" in field else None for name, field in fields.items()}


def test_every_field_of_felix_is_known_with_its_kind_and_no_other() -> None:
    union: dict[str, str | None] = {}
    for text in (calico_yaml("3.31.7"), calico_yaml("3.32.1"), published(V3_DEFINITIONS)):
        union |= defined(text)
    assert {name: kind for name, kind in union.items() if kind is not None and name not in OWNED_FELIX_FIELDS} == {
        name: kind for name, kind in FIELDS.items() if name not in OWNED_FELIX_FIELDS
    }
    assert {name for name, kind in union.items() if kind is None} == EITHER
    assert set(OWNED_FELIX_FIELDS) <= set(union)

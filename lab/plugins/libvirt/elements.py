"""Small steps in making XML from property values."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from lab.plugins.base import Properties


def child(parent: ET.Element, tag: str, text: str = "", /, **attributes: object) -> ET.Element:
    """Adds an element; attributes that are None or empty are left out."""
    element = ET.SubElement(parent, tag, {name: str(value) for name, value in attributes.items() if value not in (None, "")})
    if text:
        element.text = text
    return element


def block(inputs: Properties, name: str) -> Properties:
    """A nested object of the inputs, empty where it is absent."""
    found: Properties = inputs.get(name) or {}
    return found

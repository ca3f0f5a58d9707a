"""The mark on a domain by which this stand-in knows its own definition again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_NAMESPACE = "urn:underlay:lab"
_ELEMENT = f"{{{_NAMESPACE}}}made"

ET.register_namespace("underlay", _NAMESPACE)
ET.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")


@dataclass(frozen=True)
class Stamp:
    """Who defined a domain, and from what."""

    urn: str
    definition: str
    """The SHA-256 of the definition's text."""


def stamped(xml: str, urn: str) -> tuple[str, Stamp]:
    """The definition with its stamp in the domain's metadata, and the stamp."""
    domain = ET.fromstring(xml)  # noqa: S314 - the stylesheet's output, which libvirt parses too
    stamp = Stamp(urn, hashlib.sha256(ET.tostring(domain)).hexdigest())
    metadata = domain.find("metadata")
    if metadata is None:
        metadata = ET.SubElement(domain, "metadata")
    ET.SubElement(metadata, _ELEMENT, {"by": stamp.urn, "definition": stamp.definition})
    return ET.tostring(domain, encoding="unicode"), stamp


def stamp_of(xml: str) -> Stamp | None:
    """The stamp of a domain as libvirt describes it, None for a domain of somebody else."""
    element = ET.fromstring(xml).find(f"metadata/{_ELEMENT}")  # noqa: S314 - libvirt's own answer
    return None if element is None else Stamp(element.get("by", ""), element.get("definition", ""))

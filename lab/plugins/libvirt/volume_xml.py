"""Storage volume definitions, and what libvirt's own descriptions of volumes say."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from .elements import child


@dataclass(frozen=True)
class VolumeFacts:
    """A volume as libvirt describes it."""

    name: str
    path: str
    format: str
    capacity: int
    """Bytes."""
    backing: str
    """The backing file's path; empty without one."""


def volume_xml(name: str, size: int, format_: str, backing: VolumeFacts | None = None) -> str:
    """The definition as terraform-provider-libvirt 0.8.1 makes it, `size` in bytes, before any stylesheet."""
    volume = ET.Element("volume")
    child(volume, "name", name)
    child(volume, "capacity", str(size), unit="bytes")
    target = child(volume, "target")
    child(target, "format", type=format_)
    child(child(target, "permissions"), "mode", "644")
    if backing:
        store = child(volume, "backingStore")
        child(store, "path", backing.path)
        child(store, "format", type=backing.format or "raw")
    ET.indent(volume)
    return ET.tostring(volume, encoding="unicode")


def volume_facts(xml: str) -> VolumeFacts:
    """What a `virsh vol-dumpxml` says."""
    volume = ET.fromstring(xml)  # noqa: S314 - libvirt's own answer
    kind = volume.find("target/format")
    return VolumeFacts(
        name=volume.findtext("name", ""),
        path=volume.findtext("target/path", ""),
        format="" if kind is None else kind.get("type", ""),
        capacity=int(volume.findtext("capacity", "0")),
        backing=volume.findtext("backingStore/path", ""),
    )

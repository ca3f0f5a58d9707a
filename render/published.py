"""A manifest as its project publishes it, and its places that underlay changes: one that is not there is an error, never skipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from render.quantities import cpu, memory

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same language, ten times as fast where libyaml is there
Thing = dict[str, Any]
"""An object of a manifest, or a part of one."""


class ManifestError(ValueError):
    """A manifest that does not look as underlay knows it."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image's name in its parts; digest and registry are empty where it has none."""

    whole: str
    registry: str
    name: str
    tag: str
    digest: str


class Published:
    """The objects of one manifest, each found by kind and name."""

    def __init__(self, file: str, text: str) -> None:
        """`file` is how messages call the manifest."""
        self.file = file
        try:
            documents = [document for document in yaml.load_all(text, Loader=_LOADER) if document]
        except yaml.YAMLError as problem:
            raise ManifestError(f"{file}: is no YAML ({problem})") from None
        if not all(isinstance(document, dict) and {"apiVersion", "kind", "metadata"} <= document.keys() for document in documents):
            raise ManifestError(f"{file}: holds something that is no Kubernetes object; take the file as it is published")
        self.things: list[Thing] = [_stated(thing) for thing in documents]

    def the(self, kind: str, name: str) -> "Place":
        """The object of this kind and name."""
        found = [thing for thing in self.things if thing["kind"] == kind and thing["metadata"].get("name") == name]
        if len(found) != 1:
            raise ManifestError(f"{self.file}: has {len(found)} objects {kind}/{name}, needed 1; take the manifest of a version that underlay knows")
        return Place(f"{self.file}: {kind}/{name}", found[0])

    def drop(self, kind: str, name: str) -> None:
        """Leaves the object of this kind and name out."""
        self.things.remove(self.the(kind, name).thing)


class Place:
    """An object of a manifest, or a part of one, with the words that say where it is."""

    def __init__(self, path: str, thing: Thing) -> None:
        """`thing` is changed where it is."""
        self.path = path
        self.thing = thing

    def at(self, *keys: str) -> "Place":
        """The part under these keys."""
        place = self
        for key in keys:
            value = place.thing.get(key)
            if not isinstance(value, dict):
                raise place.missing(key)
            place = Place(f"{place.path}.{key}", value)  # pyright: ignore[reportUnknownArgumentType]
        return place

    def named(self, key: str, name: str) -> "Place":
        """The entry of a list that has this name."""
        entries: Any = self.thing.get(key)
        for entry in entries if isinstance(entries, list) else ():  # pyright: ignore[reportUnknownVariableType]
            if isinstance(entry, dict) and entry.get("name") == name:  # pyright: ignore[reportUnknownMemberType]
                return Place(f"{self.path}.{key}[{name}]", entry)  # pyright: ignore[reportUnknownArgumentType]
        raise self.missing(f"{key}[{name}]")

    def change(self, key: str, value: Any) -> None:
        """Another value for a key that is there."""
        if key not in self.thing:
            raise self.missing(key)
        self.thing[key] = value

    def merge(self, key: str, values: Mapping[str, Any]) -> None:
        """Further values in the map under a key, which need not be there."""
        self.thing[key] = {**self.thing.get(key, {}), **values}

    def change_env(self, name: str, value: str) -> None:
        """Another value for a variable that the container is given."""
        variable = self.named("env", name)
        variable.change("value", value)

    def put_env(self, name: str, value: str) -> None:
        """A variable that the container may not be given yet."""
        variables = [variable for variable in self.thing.get("env", []) if variable.get("name") != name]
        self.thing["env"] = [*variables, {"name": name, "value": value}]

    def missing(self, what: str) -> ManifestError:
        """The error that something is not here."""
        return ManifestError(f"{self.path}.{what} is not there; take the manifest of a version that underlay knows")


def _stated(thing: Thing) -> Thing:
    """The object without what an API server never gives back: it would differ for ever. That is nothing, the status, a default of 2019."""
    said: Thing = {key: _something(value) for key, value in thing.items() if value is not None and key != "status"}
    if said["kind"] == "CustomResourceDefinition" and said.get("spec", {}).get("preserveUnknownFields") is False:
        del said["spec"]["preserveUnknownFields"]
    return said


def _something(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _something(inner) for key, inner in cast("Thing", value).items() if inner is not None}
    return [_something(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def pod_of(workload: Place) -> Place:
    """The pod's specification in a DaemonSet or Deployment."""
    return workload.at("spec", "template", "spec")


def image_of(container: Place) -> "Image":
    """The parts of the image that a container runs."""
    image = container.thing.get("image")
    if not isinstance(image, str):
        raise container.missing("image")
    named, _, digest = image.partition("@")
    repository, _, tag = named.rpartition(":")
    registry, _, name = repository.rpartition("/")
    return Image(whole=image, registry=registry, name=name, tag=tag, digest=digest)


def set_requests(container: Place, cpu_millis: int, memory_mib: int) -> None:
    """CPU and memory that the scheduler keeps for a container; the CPU request is its weight too."""
    container.merge("resources", {"requests": {"cpu": cpu(cpu_millis), "memory": memory(memory_mib)}})

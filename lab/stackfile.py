"""Stack files as the lab sees them: data to read, and to complete with what differs from machine to machine."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, cast

import yaml

from lab import drives
from lab.network import LabNetwork
from lab.places import Lab, LabError, LibvirtHost

ENVIRONMENT = "underlay:environment"
THIS_MACHINE = "qemu:///system"
"""The hypervisor URI that stands for the machine at hand: the lab puts its own libvirt in its place."""

KERNEL = "vmlinuz"
"""The kernel's name in the node image's folder."""

Tree = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the machine at hand gives a stack: the node image's folder, and `kvm` or `qemu` once it is known which works."""

    domain_type: str | None
    image_dir: Path


def tracked(lab: Lab, stack: str) -> Path:
    """The stack file that people edit; LabError where there is none."""
    path = lab.checkout / "stacks" / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.name.split(".")[1] for file in path.parent.glob("Pulumi.*.yaml")))
        raise LabError(f"no stack {stack!r}: there is no {path.relative_to(lab.checkout)}; known stacks: {known}")
    return path


def yaml_object(path: Path) -> Tree:
    """A YAML file's content; LabError where it is no object."""
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise LabError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise LabError(f"{path} holds no YAML object")
    return cast("Tree", content)


def read(path: Path) -> Tree:
    """The stack file's content; LabError where it holds no environment."""
    content = yaml_object(path)
    config: Tree = content.get("config") or {}
    if not isinstance(config.get(ENVIRONMENT), dict):
        raise LabError(f"{path} has no object config: {ENVIRONMENT}")
    return content


def declared(lab: Lab, stack: str, settings: Iterable[tuple[str, Any]] = ()) -> Tree:
    """The environment of a tracked stack file with settings on top."""
    return assigned(environment(read(tracked(lab, stack))), settings)


def environment(content: Tree) -> Tree:
    """The environment inside a stack file's content."""
    return cast("Tree", content["config"][ENVIRONMENT])


def on_this_machine(content: Mapping[str, Any]) -> Iterator[str]:
    """Names of the hypervisors that are the machine at hand."""
    hypervisors = cast("Tree", content.get("hypervisors", {}))
    return (name for name, hypervisor in hypervisors.items() if hypervisor.get("uri") == THIS_MACHINE)


def libvirt_hosts(lab: Lab, content: Mapping[str, Any]) -> dict[str, LibvirtHost]:
    """The lab's hypervisor for each that is the machine at hand: the first one's paths are the lab's, others have their keys in theirs."""
    return {name: LibvirtHost(lab=lab, key=name if place else None) for place, name in enumerate(on_this_machine(content))}


def overrides(lab: Lab, machine: Machine, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the lab changes in an environment: dotted path and value. Nothing of a stack whose hypervisors are elsewhere."""
    local = libvirt_hosts(lab, content)
    for name, host in local.items():
        declared: Tree = content["hypervisors"][name]
        yield f"hypervisors.{name}.uri", host.uri
        if machine.domain_type:
            yield f"hypervisors.{name}.domain_type", machine.domain_type
        for pool, folder in (("pool", host.pool_dir), ("files_pool", host.files_dir)):
            if "path" in (declared.get(pool) or {}):
                yield f"hypervisors.{name}.{pool}.path", str(folder)
    for (name, drive), place in drives.devices(lab, content, local).items():
        yield f"hypervisors.{name}.drives.{drive}.device", str(place.link)
    if local:
        for key in ("source", "kernel", "initrd"):
            path = Path(str(cast("Tree", content.get("image", {})).get(key) or ""))
            if path.name and not path.is_absolute():
                yield f"image.{key}", str(machine.image_dir / path)


def on_top(lab: Lab, machine: Machine, content: Mapping[str, Any], settings: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """What comes over a tracked environment: a person's settings, and the machine's own values of what then is there, but for those they set."""
    given = list(settings)
    chosen = {path for path, _ in given}
    own = overrides(lab, machine, assigned(dict(content), given))
    return [*given, *((path, value) for path, value in own if path not in chosen)]


def assigned(tree: Tree, settings: Iterable[tuple[str, Any]]) -> Tree:
    """A copy with each dotted path set to its value; a null removes the key. LabError where a path leads through a plain value."""
    result = _unshared(tree)
    for path, value in settings:
        *parents, last = path.split(".")
        place: Any = result
        for key in parents:
            place = cast("Tree", place).setdefault(key, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            raise LabError(f"cannot set {path}: something above it in the stack file is not an object")
        if value is None:
            cast("Tree", place).pop(last, None)
        else:
            place[last] = value
    return result


def _unshared(value: Any) -> Any:
    """A copy in which what an anchor of YAML put into several places is there several times: a change of one is not one of the others."""
    if isinstance(value, dict):
        return {key: _unshared(inner) for key, inner in cast("Tree", value).items()}
    return [_unshared(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def parse_assignment(text: str) -> tuple[str, Any]:
    """`path.to.key=value` from the command line, the value in YAML; LabError on anything else."""
    path, equals, value = text.partition("=")
    if not equals or not all(path.split(".")):
        raise LabError(f"--set {text!r}: write path.to.key=value")
    return path, yaml.safe_load(value)


def completed(tracked_content: Tree, generated: Tree | None, settings: Iterable[tuple[str, Any]]) -> Tree:
    """The stack file that the engine reads: the tracked one with settings applied, and the engine's own keys of the generated one kept."""
    result = copy.deepcopy(tracked_content)
    result["config"][ENVIRONMENT] = assigned(environment(tracked_content), settings)
    for key in ("encryptionsalt", "secretsprovider"):
        if generated and key in generated:
            result[key] = generated[key]
    return result


def lab_network(content: Mapping[str, Any]) -> LabNetwork:
    """The wire that the environment expects to find; LabError where the lab cannot give it."""
    elsewhere = set(content.get("hypervisors", {})) - set(on_this_machine(content))
    if elsewhere:
        raise LabError(f"the lab brings up stacks on {THIS_MACHINE} only, and hypervisor {min(elsewhere)!r} is elsewhere")
    try:
        bridges = {str(hypervisor["network"]["bridge"]) for hypervisor in content["hypervisors"].values()}
        cidr, gateway = IPv4Network(content["network"]["cidr"]), IPv4Address(content["network"]["gateway"])
        pods = IPv4Network(content["pod_network"]["cidr"])
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"the lab needs hypervisors.*.network.bridge, network.cidr, network.gateway and pod_network.cidr: {error!r}") from error
    if len(bridges) != 1:
        raise LabError(f"the lab has one bridge, the stack file names {', '.join(sorted(bridges)) or 'none'}")
    return LabNetwork(bridge=bridges.pop(), gateway=IPv4Interface(f"{gateway}/{cidr.prefixlen}"), pods=pods)

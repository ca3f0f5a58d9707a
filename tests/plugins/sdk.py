"""The published SDKs' resource classes, and which of them a program uses: read from the installed packages and from source."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

PACKAGES = ("pulumi_command", "pulumi_kubernetes", "pulumi_libvirt", "pulumi_random", "pulumi_tls")


@dataclass(frozen=True)
class Use:
    """One call of a resource class (or of a provider's function): where, of what, with which arguments (wire names)."""

    place: str
    token: str
    inputs: frozenset[str]


def token(cls: type[pulumi.Resource]) -> str:
    """The type token the class registers itself with."""
    found = re.search(r"super\(.*?\)\.__init__\(\s*['\"]([^'\"]+)['\"]", inspect.getsource(cls))
    assert found, cls
    name = found.group(1)
    return f"pulumi:providers:{name}" if issubclass(cls, pulumi.ProviderResource) else name


def outputs(cls: type[pulumi.Resource]) -> frozenset[str]:
    """The wire names of its outputs."""
    return _wire_names(cls)


def inputs(cls: type[pulumi.Resource]) -> frozenset[str]:
    """The wire names of its inputs."""
    return _wire_names(_args(cls))


def required(cls: type[pulumi.Resource]) -> frozenset[str]:
    """The wire names of the inputs that have no default."""
    parameters = inspect.signature(_args(cls)).parameters.values()
    return frozenset(wire_name(cls, parameter.name) for parameter in parameters if parameter.default is inspect.Parameter.empty)


def secret_outputs(cls: type[pulumi.Resource]) -> frozenset[str]:
    """The wire names of the outputs that the SDK itself marks as secret."""
    found = re.search(r"additional_secret_outputs=\[(.*?)\]", inspect.getsource(cls))
    return frozenset(re.findall(r'"(\w+)"', found.group(1))) if found else frozenset()


def wire_name(cls: type[pulumi.Resource], argument: str) -> str:
    """The wire name of a Python argument."""
    return getattr(_args(cls), argument).fget._pulumi_name


def _args(cls: type[pulumi.Resource]) -> type[Any]:
    module = importlib.import_module(cls.__module__)
    return getattr(module, f"{cls.__name__}Args", None) or getattr(module, f"{cls.__name__}InitArgs")


def _wire_names(cls: type[Any]) -> frozenset[str]:
    properties = [value.fget for _, value in inspect.getmembers(cls, lambda member: isinstance(member, property))]
    return frozenset(getter._pulumi_name for getter in properties if hasattr(getter, "_pulumi_name"))


@functools.cache
def resources(package: str) -> dict[str, type[pulumi.CustomResource]]:
    """The resource classes of a small package by token, those of its submodules included."""
    found: dict[str, type[pulumi.CustomResource]] = {}
    for module in _modules(importlib.import_module(package)):
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, pulumi.CustomResource) and cls.__module__.startswith(package):
                found[token(cls)] = cls
    return found


def _modules(package: Any) -> Iterator[Any]:
    """The package and, as `pulumi_command` has its classes in two, its subpackages."""
    yield package
    for found in pkgutil.iter_modules(package.__path__):
        if found.ispkg:
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            getattr(module, "__all__", None)  # the SDK's subpackages load at the first access
            yield module


def uses(folder: Path) -> list[Use]:
    """Every resource of the known packages that the Python files below `folder` make."""
    return [use for path in sorted(folder.rglob("*.py")) for use in uses_in(path.read_text(), path.name)]


def uses_in(source: str, name: str = "<source>") -> list[Use]:
    """Every resource of the known packages that this source makes."""
    tree = ast.parse(source)
    roots = dict(_imports(tree))
    found: list[Use] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called: Any = _resolve(node.func, roots)
            place = f"{name}:{node.lineno}"
            if inspect.isclass(called) and issubclass(called, pulumi.CustomResource):
                names = [keyword.arg for keyword in node.keywords if keyword.arg and keyword.arg not in {"opts", "resource_name"}]
                found.append(Use(place, token(called), frozenset(wire_name(called, argument) for argument in names)))
            elif inspect.isfunction(called) or (inspect.isclass(called) and issubclass(called, pulumi.Resource)):
                found.append(Use(place, f"{called.__module__}.{called.__name__}", frozenset()))
    return found


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names the source binds to the known packages or what is in them, with their dotted origins."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in PACKAGES:
                    yield alias.asname or alias.name.split(".")[0], alias.name if alias.asname else alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _resolve(function: ast.expr, roots: dict[str, str]) -> Any:
    """What an expression such as `command.remote.Command` names in the known packages; None for anything else."""
    parts: list[str] = []
    while isinstance(function, ast.Attribute):
        parts.insert(0, function.attr)
        function = function.value
    if not isinstance(function, ast.Name) or function.id not in roots:
        return None
    package, *rest = [*roots[function.id].split("."), *parts]
    value: Any = importlib.import_module(package)
    for part in rest:
        value = getattr(value, part)
    return value

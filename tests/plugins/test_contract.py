"""The stand-ins against the published SDKs: what they declare is in the SDK, and what the product uses they have."""

from __future__ import annotations

import importlib
import inspect

import pulumi
import pytest

from lab.plugins.base import Provider, ProviderError, Resource
from lab.plugins.install import PROVIDERS
from tests.plugins import sdk
from tests.plugins.pulumi_project import CHECKOUT

DECLARED = ("random", "tls", "command", "libvirt")
"""The packages whose stand-ins declare every property; Kubernetes objects have schemas of their own, which the API server checks."""

NOT_GATHERED = {"command:local:Command": {"archive", "assets"}}
"""Outputs that come of inputs which the stand-in refuses."""

SAMPLE = """
import pulumi_command as command
import pulumi_tls
from pulumi_kubernetes.core import v1 as core
from pulumi_libvirt import Volume as Disk, DomainDiskArgs
def build(settings):
    disk = Disk("d", name="d", base_volume_id=settings.base, opts=None)
    pulumi_tls.PrivateKey("k", algorithm="RSA")
    disks = [DomainDiskArgs(volume_id=disk.id)]
    for name in settings.names:
        core.ConfigMapPatch(name, data={})
    return command.remote.Command("c", connection=command.remote.ConnectionArgs(host="h"), add_previous_output_in_env=False)
"""


def stand_in(package: str) -> Provider:
    """The provider object that the package's plugin serves."""
    name = PROVIDERS[package]
    home = importlib.import_module(name)
    module = importlib.import_module(f"{name}.provider") if hasattr(home, "__path__") else home
    classes = [cls for _, cls in inspect.getmembers(module, inspect.isclass) if issubclass(cls, Provider) and cls.__module__ == module.__name__]
    assert len(classes) == 1, f"{module.__name__} has {len(classes)} providers"
    return classes[0]()  # pyright: ignore[reportCallIssue] - every stand-in's own provider takes nothing


def handlers() -> list[Resource]:
    return [handler for package in DECLARED for handler in stand_in(package).types.values()]


def published(token: str) -> type[pulumi.CustomResource]:
    classes = sdk.resources(f"pulumi_{token.split(':')[0]}")
    assert token in classes, f"{token} is not in the published SDK"
    return classes[token]


@pytest.mark.parametrize("handler", handlers(), ids=lambda handler: handler.type)
def test_a_stand_in_declares_only_what_the_published_sdk_has(handler: Resource) -> None:
    cls = published(handler.type)
    assert handler.inputs <= sdk.inputs(cls)
    assert handler.computed | handler.secret_outputs <= sdk.outputs(cls)
    assert handler.volatile <= handler.computed
    assert handler.defaults.keys() <= handler.inputs
    assert handler.replaces_on == "all" or handler.replaces_on <= handler.inputs


@pytest.mark.parametrize("handler", handlers(), ids=lambda handler: handler.type)
def test_a_stand_in_requires_and_hides_what_the_published_sdk_does(handler: Resource) -> None:
    cls = published(handler.type)
    assert handler.required - {"name"} == sdk.required(cls) - {"name"}  # the vendor's plugins make a name up; the stand-ins may ask for it
    assert handler.secret_outputs >= sdk.secret_outputs(cls)


@pytest.mark.parametrize("handler", handlers(), ids=lambda handler: handler.type)
def test_every_output_of_the_published_sdk_is_an_input_or_computed(handler: Resource) -> None:
    cls = published(handler.type)
    refused = sdk.inputs(cls) - handler.inputs | NOT_GATHERED.get(handler.type, set())
    assert sdk.outputs(cls) - refused <= handler.inputs | handler.computed


def test_the_product_uses_no_type_or_input_that_the_stand_ins_lack() -> None:
    found = sdk.uses(CHECKOUT / "components")
    assert {use.token.split(":")[0] for use in found} >= {"tls", "random", "command", "libvirt"}, "the discovery finds nothing"
    missing = [problem for use in found for problem in lacks(use)]
    assert not missing, "\n".join(missing)


def lacks(use: sdk.Use) -> list[str]:
    """What the stand-ins lack of what is used."""
    if use.token.startswith("pulumi_"):
        return [f"{use.place}: {use.token} needs a provider's function or component, and the stand-ins have none"]
    if use.token.startswith("pulumi:providers:"):
        package = use.token.rsplit(":", 1)[1]
        return [f"{use.place}: {use.token} {name}" for name in use.inputs - stand_in(package).config_inputs]
    try:
        handler = stand_in(use.token.split(":")[0]).resource(use.token)
    except ProviderError as error:
        return [f"{use.place}: {error}"]
    if use.token.startswith("kubernetes:"):
        return []
    return [f"{use.place}: {use.token} has no input {name}" for name in sorted(use.inputs - handler.inputs)]


def test_the_discovery_finds_resources_however_they_are_imported() -> None:
    found = {use.token: use.inputs for use in sdk.uses_in(SAMPLE)}
    assert found == {
        "libvirt:index/volume:Volume": {"name", "baseVolumeId"},
        "tls:index/privateKey:PrivateKey": {"algorithm"},
        "kubernetes:core/v1:ConfigMapPatch": {"data"},
        "command:remote:Command": {"connection", "addPreviousOutputInEnv"},
    }


def test_a_type_and_an_input_that_are_missing_are_reported() -> None:
    source = [
        'import pulumi_random as r; r.RandomPet("p", length=2)',
        'import pulumi_command.local as c; c.Command("x", asset_paths=[])',
        'import pulumi_tls; pulumi_tls.get_public_key(private_key_pem="")',
        'from pulumi_kubernetes.yaml import v2; v2.ConfigGroup("g", objs=[])',
    ]
    reports = [report for use in sdk.uses_in("\n".join(source)) for report in lacks(use)]
    assert len(reports) == 4
    assert "RandomPet" in reports[0]
    assert reports[1].endswith("command:local:Command has no input assetPaths")
    assert "get_public_key" in reports[2]
    assert "ConfigGroup" in reports[3]

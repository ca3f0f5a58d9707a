"""Reading the contract from plain data: what is taken, and what each mistake says."""

import json
import pickle
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from samples import KUBECONFIG, OUTPUTS, published

from outputs import CONTRACT_VERSION, ContractError, Environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["text", "bytes", "mapping", "file", "path"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    text, path = json.dumps(OUTPUTS), tmp_path / "outputs.json"
    path.write_text(text)
    return {"text": f"\n{text}", "bytes": text.encode(), "mapping": OUTPUTS, "file": path, "path": str(path)}[request.param]


def test_every_form_of_source_gives_the_same_environment(source: Any) -> None:
    environment = Environment.from_json(source)
    assert environment == Environment.model_validate(OUTPUTS)
    assert environment.kubeconfig is not None
    assert environment.kubeconfig.get_secret_value() == KUBECONFIG
    assert environment.nodes[0].address == "10.20.0.11"
    assert environment.storage_class is None


def test_a_kubeconfig_that_was_masked_is_none_and_one_that_was_not_is_never_shown() -> None:
    assert Environment.from_json(published(kubeconfig="[secret]")).kubeconfig is None
    environment = Environment.from_json(OUTPUTS)
    for said in (repr(environment), str(environment), environment.model_dump_json(), str(environment.model_dump())):
        assert "swordfish" not in said
    assert b"swordfish" in pickle.dumps(environment), "the word is in it, so the above can fail"


def test_numbers_may_come_as_a_stack_reference_gives_them() -> None:
    assert Environment.from_json(published(networks__link_mtu=9000.0)).networks.link_mtu == 9000


def test_fields_and_values_of_newer_minor_versions_are_taken() -> None:
    newer = published(contract_version="1.7", colour="green", networks__jumbo=True, kube_proxy_mode="ebpf", ingress__controller="gateway")
    newer["nodes"][0]["rack"] = "a1"
    environment = Environment.from_json(newer)
    assert environment.contract_version == "1.7"
    assert environment.kube_proxy_mode == "ebpf"
    assert "colour" not in environment.model_dump()


MISTAKES: dict[str, tuple[Mapping[str, Any], list[str]]] = {
    "nothing is up": ({}, ["the mapping has no outputs yet: run `pulumi up`"]),
    "another program's stack": ({"url": "x"}, ["no contract_version: name a stack of underlay"]),
    "a newer major version": (
        published(contract_version="2.0"),
        ["publishes contract 2.0, this program reads 1.x", "install the package underlay-outputs"],
    ),
    "an older major version": (published(contract_version="0.9"), ["publishes contract 0.9, this program reads 1.x", "bring the stack up"]),
    "no version at all": (published(contract_version="latest"), ["contract_version is 'latest', no version such as '1.0'"]),
    "a number as version": (published(contract_version=1.0), ["contract_version is 1.0, no version"]),
    "a version of another script": (published(contract_version="\u0661.0"), ["no version such as"]),
    "a missing output": (published(networks=None), ["\n  - networks: is missing", "run `pulumi up` there"]),
    "a missing field": (published(limits__pods_per_node=None), ["\n  - limits.pods_per_node: is missing"]),
    "a missing kubeconfig": (published(kubeconfig=None), ["\n  - kubeconfig: is missing"]),
    "text for a number": (published(networks__link_mtu="9000"), ["\n  - networks.link_mtu: Input should be a valid integer"]),
    "true for a number": (published(networks__link_mtu=True), ["\n  - networks.link_mtu: Input should be a valid integer"]),
    "half a byte": (published(networks__link_mtu=9000.5), ["\n  - networks.link_mtu: Input should be a valid integer"]),
    "a negative number": (published(limits__pods_per_node=-1), ["\n  - limits.pods_per_node: Input should be greater than or equal to 0"]),
    "no network": (published(networks__pods="10.0.0.1/8"), ["\n  - networks.pods: 10.0.0.1/8 has host bits set"]),
    "no address": (
        published(bgp__routers=[{"name": "a", "address": "tor", "as_number": 1}]),
        ["\n  - bgp.routers[0].address: 'tor' does not appear"],
    ),
    "an empty kubeconfig": (published(kubeconfig=""), ["\n  - kubeconfig: "]),
    "two at once": (published(location=None, api__endpoint=""), ["\n  - location: is missing", "\n  - api.endpoint: String should have at least 1"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_says_what_and_what_to_do(name: str) -> None:
    outputs, said = MISTAKES[name]
    with pytest.raises(ContractError) as raised:
        Environment.from_json(outputs)
    for words in said:
        assert words in str(raised.value)
    assert str(raised.value).count("\n  - ") == sum(words.startswith("\n  - ") for words in said), "nothing else is found wrong"
    assert raised.value.__context__ is None or raised.value.__suppress_context__, "no other traceback comes before it"


def test_no_mistake_shows_the_kubeconfig() -> None:
    for kubeconfig in ({"token": "swordfish"}, ["swordfish"], 5512):
        with pytest.raises(ContractError, match="kubeconfig: ") as raised:
            Environment.from_json(published(kubeconfig=kubeconfig))
        assert "swordfish" not in str(raised.value)
        assert "5512" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "the text is not JSON"),
        ("", "the text is not JSON"),
        ("[1]", "the text holds no JSON object"),
        ("no-such-file.json", "file no-such-file.json cannot be read"),
        (Path("no-such-file.json"), "file no-such-file.json cannot be read"),
    ],
)
def test_what_is_no_output_of_pulumi_is_named(text: str | Path, said: str) -> None:
    with pytest.raises(ContractError, match=said) as raised:
        Environment.from_json(text)
    assert "pulumi stack output --json" in str(raised.value)


def test_the_model_itself_refuses_another_major_version() -> None:
    with pytest.raises(ValueError, match=r"publishes contract 2\.0"):
        Environment.model_validate(published(contract_version="2.0"))


ALONE = """
import builtins, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pulumi", "pulumi_kubernetes", "settings", "plan", "render", "components", "lab", "yaml"}:
            raise AssertionError(f"imported {name}")
sys.meta_path.insert(0, Refuse())
sys.path[:0] = [HERE, PACKAGES]
import outputs
print(outputs.Environment.from_json(sys.stdin.read()).api.endpoint, outputs.__file__)
"""


def test_alone_with_pydantic_it_reads_and_imports_neither_pulumi_nor_the_product(tmp_path: Path) -> None:
    (tmp_path / "outputs").symlink_to(ROOT / "outputs")
    program = ALONE.replace("HERE", repr(str(tmp_path))).replace("PACKAGES", repr(sysconfig.get_path("purelib")))
    words = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(words, input=json.dumps(OUTPUTS), capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["https://api.oslo.example:6443", f"{tmp_path}/outputs/__init__.py"]


def test_a_person_sees_the_facts_and_no_certificate(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "outputs", "show"]
    done = subprocess.run(words, input=json.dumps(published(kubeconfig="[secret]")), capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for fact in ("oslo (contract 1.0)", "https://api.oslo.example:6443", "oslo-cp-1", "10.20.128.10", "request body 10 MiB", "120 KiB", "AS 64600"):
        assert fact in done.stdout
    assert "CERTIFICATE" not in done.stdout
    (tmp_path / "wrong.json").write_text(json.dumps(published(contract_version="2.0")))
    wrong = subprocess.run([*words, str(tmp_path / "wrong.json")], capture_output=True, text=True, check=False, cwd=ROOT)
    assert wrong.returncode == 1
    assert wrong.stderr.count("\n") == 1
    assert "publishes contract 2.0" in wrong.stderr


def test_the_sample_is_of_this_version() -> None:
    assert OUTPUTS["contract_version"] == CONTRACT_VERSION

"""The contract's schema: checked in, frozen for each published version, and changed by additions only."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator
from samples import published

from outputs import CONTRACT_VERSION, fields, schema
from outputs.compatibility import compatible

ROOT = Path(__file__).resolve().parents[2]
FROZEN = sorted((Path(__file__).parent / "frozen").glob("v*.json"))
"""The schema of each minor version as it was published; never edited."""
Tree = dict[str, Any]


def frozen(version: str) -> Tree:
    return json.loads((Path(__file__).parent / "frozen" / f"v{version}.json").read_text())


def test_the_checked_in_schema_is_the_models() -> None:
    assert schema.FILE.read_text() == schema.text(), "run `python -m outputs schema --write`"


def test_the_schema_is_one_and_takes_what_the_model_takes() -> None:
    Draft202012Validator.check_schema(schema.schema())
    validator: Any = Draft202012Validator(schema.schema())
    newer = published(contract_version="1.4", colour="green", kube_proxy_mode="ebpf", networks__jumbo=True, ingress=None)
    for outputs in (published(), newer):
        validator.validate(outputs)
    for outputs in (published(contract_version="2.0"), published(networks=None), published(networks__link_mtu="9000"), published(kubeconfig="")):
        assert not validator.is_valid(outputs)


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_readers_of_every_published_version_can_read_todays_outputs(path: Path) -> None:
    assert compatible(json.loads(path.read_text()), schema.schema()) == []


def test_a_changed_contract_has_a_new_minor_version() -> None:
    def bare(node: Any) -> Any:
        if isinstance(node, list):
            return [bare(value) for value in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        fields = cast("Tree", node).items()
        return {key: bare(value) for key, value in fields if key not in {"description", "title"} or isinstance(value, dict)}

    published = frozen(CONTRACT_VERSION)
    assert bare(published) == bare(schema.schema()), f"raise CONTRACT_VERSION and freeze the new schema as v{CONTRACT_VERSION} stays as it is"


def define(tree: Tree, name: str) -> Tree:
    return tree["$defs"][name]["properties"]


def remove(tree: Tree) -> None:
    del define(tree, "Networks")["pod_mtu"]
    tree["$defs"]["Networks"]["required"].remove("pod_mtu")


def remove_output(tree: Tree) -> None:
    del tree["properties"]["storage_class"]


def remove_in_a_list(tree: Tree) -> None:
    del define(tree, "Node")["zone"]
    tree["$defs"]["Node"]["required"].remove("zone")


def retype(tree: Tree) -> None:
    define(tree, "Networks")["link_mtu"] = {"type": "string"}


def retype_a_list(tree: Tree) -> None:
    define(tree, "Bgp")["advertised"]["items"] = {"type": "integer"}


def unlist(tree: Tree) -> None:
    define(tree, "Networks")["load_balancers"] = {"type": "string"}


def retype_labels(tree: Tree) -> None:
    define(tree, "Node")["labels"]["additionalProperties"] = {"type": "integer"}


def require(tree: Tree) -> None:
    tree["required"].append("ingress")


def require_new(tree: Tree) -> None:
    define(tree, "Limits")["files"] = {"type": "integer"}
    tree["$defs"]["Limits"]["required"].append("files")


def no_longer_require(tree: Tree) -> None:
    tree["$defs"]["Api"]["required"].remove("endpoint")


def narrow(tree: Tree) -> None:
    tree["properties"]["kube_proxy_mode"]["anyOf"][0]["enum"].remove("iptables")


def close(tree: Tree) -> None:
    tree["properties"]["kube_proxy_mode"] = {"enum": ["ipvs", "nftables", "iptables"], "type": "string"}


def refuse_null(tree: Tree) -> None:
    tree["properties"]["storage_class"] = {"type": "string", "minLength": 1}


def allow_null(tree: Tree) -> None:
    define(tree, "Api")["endpoint"] = {"anyOf": [define(tree, "Api")["endpoint"], {"type": "null"}]}


def limit(tree: Tree) -> None:
    define(tree, "Limits")["pods_per_node"]["maximum"] = 500


def rename(tree: Tree) -> None:
    fields = define(tree, "Ingress")
    fields["class"] = fields.pop("class_name")
    tree["$defs"]["Ingress"]["required"] = [name for name in tree["$defs"]["Ingress"]["required"] if name != "class_name"]


BREAKS: dict[str, tuple[Callable[[Tree], None], list[str]]] = {
    "a field removed": (remove, ["networks.pod_mtu: removed"]),
    "an optional output removed": (remove_output, ["storage_class: removed"]),
    "a field of a list's items removed": (remove_in_a_list, ["nodes[].zone: removed"]),
    "a field renamed": (rename, ["ingress.class_name: removed"]),
    "a type changed": (retype, ["networks.link_mtu: type changed from integer to string"]),
    "a list's type changed": (retype_a_list, ["bgp.advertised[]: type changed from string to integer"]),
    "a list made text": (unlist, ["networks.load_balancers: type changed from array to string"]),
    "a map's type changed": (retype_labels, ["nodes[].labels{}: type changed from string to integer"]),
    "an optional field required": (require, ["ingress: newly required"]),
    "a required field added": (require_new, ["limits.files: newly required"]),
    "a field no longer required": (no_longer_require, ["api.endpoint: no longer required"]),
    "a known value removed": (narrow, ["kube_proxy_mode: value 'iptables' removed"]),
    "an open enumeration closed": (close, ["kube_proxy_mode: an open enumeration became a closed one"]),
    "null refused": (refuse_null, ["storage_class: may no longer be null"]),
    "null allowed": (allow_null, ["api.endpoint: may now be null"]),
    "a limit added": (limit, ["limits.pods_per_node: maximum changed from None to 500"]),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_kind_of_break_is_found_and_nothing_else(name: str) -> None:
    change, said = BREAKS[name]
    changed = frozen("1.0")
    change(changed)
    found = compatible(frozen("1.0"), changed)
    assert [line.startswith(words) for line, words in zip(found, said, strict=True)] == [True] * len(said), found


def test_additions_pass_at_every_depth() -> None:
    changed = frozen("1.0")
    changed["properties"]["registry"] = {"anyOf": [{"$ref": "#/$defs/Registry"}, {"type": "null"}], "default": None}
    changed["$defs"]["Registry"] = {"type": "object", "properties": {"host": {"type": "string"}}, "required": ["host"]}
    for part in ("Networks", "Node", "Router", "Ingress", "Limits"):
        define(changed, part)["colour"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    changed["properties"]["kube_proxy_mode"]["anyOf"][0]["enum"].append("ebpf")
    define(changed, "Api")["endpoint"]["description"] = "Said in other words."
    assert compatible(frozen("1.0"), changed) == []
    assert compatible(changed, frozen("1.0")) != [], "the other way round they are removals"


def test_a_definition_may_get_another_name() -> None:
    changed = json.loads(json.dumps(frozen("1.0")).replace("#/$defs/Networks", "#/$defs/Ranges").replace('"Networks": {', '"Ranges": {'))
    assert "Ranges" in changed["$defs"]
    assert compatible(frozen("1.0"), changed) == []


def enumeration(*values: str) -> Tree:
    return {"type": "object", "properties": {"mode": {"enum": list(values), "type": "string"}}, "required": ["mode"]}


def test_a_closed_enumeration_can_neither_shrink_nor_grow() -> None:
    assert compatible(enumeration("a", "b"), enumeration("a")) == ["mode: value 'b' removed from the enumeration"]
    assert compatible(enumeration("a", "b"), enumeration("a", "b", "c")) == [
        "mode: value 'c' added to a closed enumeration, which older readers refuse"
    ]
    three = enumeration("a", "b", "c")
    assert compatible(three, enumeration("c", "b", "a")) == []


def test_compare_says_it_by_its_exit_code(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    changed = copy.deepcopy(frozen("1.0"))
    remove(changed)
    old.write_text(json.dumps(frozen("1.0")))
    new.write_text(json.dumps(changed))

    def compare(*paths: Path) -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-m", "outputs", "compare", *map(str, paths)], capture_output=True, text=True, check=False, cwd=ROOT)
        return done.returncode, done.stdout

    assert compare(old, new) == (1, "networks.pod_mtu: removed\n")
    assert compare(old, old) == (0, "")


def test_the_page_has_every_field_as_it_is() -> None:
    page = (ROOT / "docs" / "outputs.md").read_text()
    assert fields.table() in page, "put what `python -m outputs fields` prints into docs/outputs.md"
    assert f"The fields of version {CONTRACT_VERSION}" in page
    assert f'version = "{CONTRACT_VERSION}.' in (ROOT / "outputs" / "pyproject.toml").read_text()

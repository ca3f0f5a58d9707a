"""Every file of checks/ is found, ids and probes do not collide, and names choose among them."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ops.stack import OpsError
from ops.verify import registry
from ops.verify.checks import nodes_reachable
from ops.verify.model import Area, Check, Probe
from ops.verify.select import select


def check(name: str, area: Area = "nodes", **fields: Any) -> Check:
    return Check(id=f"{area}.{name}", area=area, title=name, severity="error", judge=lambda _seen: (), **fields)


def module(name: str, *checks: Any) -> ModuleType:
    made = ModuleType(f"ops.verify.checks.{name}")
    vars(made)["CHECKS"] = checks
    return made


def test_every_file_of_checks_is_found_and_sound() -> None:
    found = registry.checks()
    files = {path.stem for path in Path(registry.room.__path__[0]).glob("[a-z]*.py")}
    assert {module.__name__.rpartition(".")[2] for module in registry.modules()} == files
    assert nodes_reachable.CHECKS[0] in found
    assert len({check.id for check in found}) == len(found)
    areas = [registry.AREAS.index(check.area) for check in found]
    assert areas == sorted(areas)


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ([module("nodes_a")], "has no CHECKS"),
        ([module("disks_a", check("a"))], "is of no area: .* services, pods"),
        ([module("nodes_a", "text")], "no Check"),
        ([module("nodes_a", check("a", "pods"))], r"belongs into a file pods_\*"),
    ],
)
def test_a_file_that_is_none_of_its_area_is_refused(modules: list[ModuleType], words: str) -> None:
    with pytest.raises(registry.RegistryError, match=words):
        list(registry.found(modules))


def test_two_files_do_not_share_an_id_or_a_key_of_different_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    def collected(*checks: Check) -> tuple[Check, ...]:
        monkeypatch.setattr(registry, "modules", lambda: [module(f"nodes_{number}", each) for number, each in enumerate(checks)])
        return registry.checks.__wrapped__()

    one, same = Probe(key="k", script=nodes_reachable.HERE.script), Probe(key="k", script=nodes_reachable.HERE.script)
    assert collected(check("b", probes=(one,)), check("a", probes=(same,)))[0].id == "nodes.a"
    with pytest.raises(registry.RegistryError, match=r"two checks are called 'nodes\.a'"):
        collected(check("a"), check("a"))
    with pytest.raises(registry.RegistryError, match=r"nodes\.a and nodes\.b have different probes with the key 'k'"):
        collected(check("a", probes=(one,)), check("b", probes=(Probe(key="k", script=one.script, heavy=True),)))


KNOWN = (check("mode", "services"), check("tables", "services"), check("mtu", "pods"), check("mode", "nodes"))


@pytest.mark.parametrize(
    ("only", "skip", "ids"),
    [
        ([], [], ["services.mode", "services.tables", "pods.mtu", "nodes.mode"]),
        (["services"], [], ["services.mode", "services.tables"]),
        (["*.mode"], [], ["services.mode", "nodes.mode"]),
        (["pods.mtu,nodes"], [], ["pods.mtu", "nodes.mode"]),
        (["s*"], ["services.tables"], ["services.mode"]),
        ([], ["services", "n*"], ["pods.mtu"]),
    ],
)
def test_checks_are_chosen_by_id_area_and_pattern(only: list[str], skip: list[str], ids: list[str]) -> None:
    assert [each.id for each in select(KNOWN, only, skip)] == ids


@pytest.mark.parametrize(
    ("only", "skip", "words"),
    [
        (
            ["services.mod"],
            [],
            r"^--only 'services.mod': no such check, near 'services.mode'; known: services: mode, tables; pods: mtu; nodes: mode$",
        ),
        ([], ["x*"], r"^--skip 'x\*': no such check; known: services: mode"),
        (["pods,"], [], "^--only '': no such check"),
        (["pods"], ["pods.mtu"], "no check is left"),
    ],
)
def test_a_name_that_matches_nothing_is_one_clear_error(only: list[str], skip: list[str], words: str) -> None:
    with pytest.raises(OpsError, match=words):
        select(KNOWN, only, skip)

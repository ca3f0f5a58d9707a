"""ingress-nginx' own parser and template, built from its module, against our ConfigMap and the file that we say comes of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from render.ingress.config import KEYS, entries
from render.ingress.server import nginx_conf
from settings.nginx import Nginx
from settings.nginx_defaults import INGRESS_NGINX
from tests.nginx import controller_program
from tests.nginx.conf_text import Directive, directives, plain
from tests.nginx.controller_program import NEWER, Answer
from tests.nginx.ingresses import EVERY_KNOB, PLANS, planned

pytestmark = pytest.mark.engine

CASES: dict[str, dict[str, Any]] = {
    **{name: ingress for name, ingress in PLANS.items() if ingress.get("controller") != "f5-nginx"},
    "every knob": {"nginx": EVERY_KNOB},
    "PROXY protocol": {"exposure": {"kind": "host-network", "proxy_protocol": ["10.20.0.230/32", "192.0.2.0/24"]}},
    "least": {
        "nginx": {
            "proxy_body_size_mib": 0,
            "proxy_max_temp_file_size_mib": 0,
            "keep_alive_s": 0,
            "upstream_keepalive_connections": 0,
            "gzip_min_length_bytes": 0,
        }
    },
    "HTTP/2 and sharing off": {"nginx": {"use_http2": False, "reuse_port": False, "enable_multi_accept": False}},
}
OF_THE_PLACE = frozenset({"set", "return", "access_log"})
"""Directives that are about the host or the machine: no key of ours reaches them."""


@pytest.fixture(scope="module")
def program() -> Path:
    """The controller's parser and template as a program; minutes the first time."""
    return controller_program.ensure(print)


@pytest.fixture(scope="module")
def answers(program: Path) -> Mapping[str, Answer]:
    """What the controller makes of each case, and of no entries at all."""
    maps = {"": {}, **{name: entries(planned(**ingress)) for name, ingress in CASES.items()}}
    return dict(zip(maps, controller_program.answers(program, list(maps.values())), strict=True))


def comparable(text: str) -> Iterator[Directive]:
    for found in directives(text):
        if found.name in OF_THE_PLACE or found.words[:1] == ("Host",):
            continue
        words = tuple(word for word in found.words if not word.startswith("backlog="))
        yield Directive(found.blocks, found.name, words)


def test_every_knob_is_turned() -> None:
    assert set(EVERY_KNOB) == set(Nginx.model_fields) - {"further"} == set(KEYS)


@pytest.mark.parametrize("name", CASES)
def test_the_controller_writes_every_directive_that_we_claim(name: str, answers: Mapping[str, Answer]) -> None:
    theirs = set(comparable(answers[name].file))
    ours = [found for found in comparable(nginx_conf(planned(**CASES[name]))) if found.name.replace("_", "-") not in NEWER]
    assert [found for found in ours if found not in theirs] == []
    assert len(ours) >= 55


@pytest.mark.parametrize("name", CASES)
def test_what_the_controller_writes_of_those_directives_is_in_our_file(name: str, answers: Mapping[str, Answer]) -> None:
    """So that none of them is there twice with two values, and none is left out."""
    ours = list(comparable(nginx_conf(planned(**CASES[name]))))
    claimed = {(found.blocks, found.name) for found in ours if not found.blocks[-1:] or not found.blocks[-1].startswith("server")}
    # Only the first server of the controller's file has this location, and both of its hosts have the same.
    theirs = {found for found in comparable(answers[name].file) if (found.blocks, found.name) in claimed}
    repeated = {"proxy_set_header", "set_real_ip_from"}
    assert {found for found in theirs if found.name not in repeated} <= set(ours)


@pytest.mark.parametrize("name", CASES)
def test_the_controller_reads_every_key(name: str, answers: Mapping[str, Answer]) -> None:
    read, untouched = answers[name].configuration, answers[""].configuration
    for key, value in entries(planned(**CASES[name])).items():
        if key in NEWER:
            continue
        assert spelt(key, read.get(key)) == spelt(key, value), key
        if name == "every knob":
            assert read.get(key) != untouched.get(key), f"{key} is not read"


def test_our_defaults_are_the_releases_own(answers: Mapping[str, Answer]) -> None:
    read = answers[""].configuration
    checked = {name: value for name, value in INGRESS_NGINX.items() if value != "auto"}
    for name, value in checked.items():
        key, form = KEYS[name]
        assert spelt(key, read.get(key)) == spelt(key, form(value)), name
    assert len(checked) == len(INGRESS_NGINX) - 1


def spelt(key: str, value: object) -> str:
    """A value as it compares: sizes in bytes, times in seconds, lists joined; Go leaves out what is off or 0."""
    if value is None or value is False or value == "false":
        return "0"
    if value is True:
        return "true"
    if isinstance(value, list):
        return ",".join(map(str, cast("list[object]", value)))
    return plain(key, str(value))

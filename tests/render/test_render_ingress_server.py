"""NGINX's configuration as the ConfigMap makes it; tests/nginx compares it with the real controller's, and runs it."""

import re

import pytest
from ingress_plans import F5_INGRESSES, INGRESSES, f5_plan, nginx_plan, planned

from plan.ingress import IngressPlan
from render.ingress.server import CONTROLLER, Places, nginx_conf, spelt

PLANS = {**{name: planned(nginx_plan(name)) for name in INGRESSES}, **{f"f5 {name}": planned(f5_plan(name)) for name in F5_INGRESSES}}
IN_THE_FILE = {
    "worker_processes": "worker_processes",
    "worker_connections": "max_worker_connections",
    "keepalive_requests": "keep_alive_requests",
    "client_max_body_size": "proxy_body_size_mib",
    "client_body_buffer_size": "client_body_buffer_size_kib",
    "large_client_header_buffers": "large_client_header_buffers",
    "proxy_buffer_size": "proxy_buffer_size_kib",
    "proxy_buffering": "proxy_buffering",
    "proxy_busy_buffers_size": "proxy_busy_buffers_size_kib",
    "proxy_max_temp_file_size": "proxy_max_temp_file_size_mib",
    "proxy_read_timeout": "proxy_read_timeout_s",
    "ssl_protocols": "ssl_protocols",
}


def first(text: str, directive: str) -> str | None:
    found = re.search(rf"^ *{directive} ([^;]*);$", text, re.MULTILINE)
    return found[1] if found else None


@pytest.mark.parametrize("name", PLANS)
def test_what_is_tuned_is_in_the_file_in_nginxs_units(name: str) -> None:
    plan = PLANS[name]
    text = nginx_conf(plan)
    for directive, setting in IN_THE_FILE.items():
        assert first(text, directive) == (spelt(setting, plan.tuned[setting].value) if setting in plan.tuned else None), directive


@pytest.mark.parametrize("name", PLANS)
def test_blocks_are_closed_and_lines_end(name: str) -> None:
    lines = nginx_conf(PLANS[name]).splitlines()
    assert sum(line.endswith("{") for line in lines) == sum(line.strip() == "}" for line in lines) > 4
    assert all(line.endswith(("{", "}", ";")) for line in lines)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("proxy_buffer_size_kib", 16, "16k"),
        ("proxy_body_size_mib", 0, "0m"),
        ("keep_alive_s", 75, "75s"),
        ("gzip_min_length_bytes", 256, "256"),
        ("proxy_buffers_number", 8, "8"),
        ("reuse_port", True, "on"),
        ("large_client_header_buffers", (4, 16), "4 16k"),
        ("gzip_types", ("text/css", "text/plain"), "text/css text/plain"),
        ("worker_processes", "auto", "auto"),
    ],
)
def test_values_get_their_unit_in_one_place(name: str, value: int | bool | str | tuple[str, ...] | tuple[int, int], expected: str) -> None:
    assert spelt(name, value) == expected


def test_places_are_the_controllers_unless_others_are_named() -> None:
    plan = PLANS["load-balancer"]
    other = Places(http="127.0.0.1:8080", folder="/elsewhere", server="127.0.0.1:9000")
    assert CONTROLLER.folder in nginx_conf(plan)
    text = nginx_conf(plan, other)
    assert CONTROLLER.folder not in text
    assert "server 127.0.0.1:9000;" in text
    assert "listen 127.0.0.1:8080;" in text


def without(plan: IngressPlan, directive: str) -> bool:
    return first(nginx_conf(plan), directive) is None


def test_what_is_off_is_left_out_where_the_controller_leaves_it_out() -> None:
    plain, everything = PLANS["load-balancer"], PLANS["everything"]
    assert without(plain, "gzip")
    assert not without(everything, "gzip")
    assert without(plain, "worker_rlimit_nofile")
    assert not without(everything, "worker_rlimit_nofile")
    assert "http2 on;" in nginx_conf(plain)
    assert "http2 on;" not in nginx_conf(everything)
    assert "proxy_protocol" not in nginx_conf(plain)
    assert "real_ip_header proxy_protocol;" in nginx_conf(everything)
    assert "reuseport" in nginx_conf(plain)
    assert "reuseport" not in nginx_conf(everything)

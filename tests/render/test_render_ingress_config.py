"""The controllers' ConfigMaps: every knob under a key, nothing that nobody asked for, values in the form that each key is read in."""

import re
from typing import Any

import pytest
from ingress_plans import (
    BALANCED,
    CONFIG_MAP_ONLY,
    EVERY_KNOB,
    EXTERNAL,
    F5_KNOBS_DECLARED,
    PROXIES,
    WEB,
    f5_plan,
    ingress_plan_of,
    knobs,
    nginx_plan,
    planned,
)

from render.ingress import config, f5
from settings.nginx_keys import F5_KNOBS

# How the controller reads a key: internal/ingress/controller/config and .../defaults of ingress-nginx, by Go type
NUMBERS = {
    "proxy-buffers-number",
    "max-worker-connections",
    "max-worker-open-files",
    "keep-alive",
    "keep-alive-requests",
    "upstream-keepalive-connections",
    "upstream-keepalive-requests",
    "upstream-keepalive-timeout",
    "proxy-connect-timeout",
    "proxy-read-timeout",
    "proxy-send-timeout",
    "client-header-timeout",
    "client-body-timeout",
    "http2-max-concurrent-streams",
    "gzip-level",
    "gzip-min-length",
}
FLAGS = {"reuse-port", "enable-multi-accept", "use-http2", "ssl-session-tickets", "use-gzip", "log-format-escape-json", "use-proxy-protocol"}
SWITCHES = {"proxy-buffering", "proxy-request-buffering"}
"""Texts for Go that are words of NGINX."""
SIZES = {key for key in (key for key, _ in config.KEYS.values()) if key.endswith("-size")}
TIMES = {"worker-shutdown-timeout", "ssl-session-timeout"}


def with_nginx(nginx: dict[str, Any], **ingress: Any) -> dict[str, str]:
    return config.entries(planned(ingress_plan_of(BALANCED, {**WEB, "nginx": nginx, **ingress})))


def test_every_knob_has_a_key_of_its_own() -> None:
    assert set(config.KEYS) == knobs()
    keys = [key for key, _ in config.KEYS.values()]
    assert len(keys) == len(set(keys))
    assert set(EVERY_KNOB) == {*knobs(), "further"}, "the plan that turns every knob turns every one"


def test_every_value_has_the_form_that_its_key_is_read_in() -> None:
    entries = config.entries(planned(nginx_plan("everything")))
    assert {key for key, _ in config.KEYS.values()} <= set(entries)
    forms = {**dict.fromkeys(NUMBERS, r"\d+"), **dict.fromkeys(FLAGS, "true|false"), **dict.fromkeys(SWITCHES, "on|off")}
    forms |= {**dict.fromkeys(SIZES, r"\d+[km]"), **dict.fromkeys(TIMES, r"\d+s"), "large-client-header-buffers": r"\d+ \d+k"}
    wrong = {key: entries[key] for key, form in forms.items() if not re.fullmatch(form, entries[key])}
    assert wrong == {}
    assert set(entries) - set(forms) == {
        "worker-processes",
        "ssl-protocols",
        "gzip-types",
        "log-format-upstream",
        "proxy-real-ip-cidr",
        "hsts",
        "proxy-next-upstream",
    }


def test_an_untouched_ingress_writes_nothing() -> None:
    assert with_nginx({}) == {}


@pytest.mark.parametrize("name", ["keep_alive_s", "proxy_max_temp_file_size_mib", "proxy_body_size_mib", "upstream_keepalive_connections"])
def test_a_declared_zero_is_written(name: str) -> None:
    key, _ = config.KEYS[name]
    assert set(with_nginx({name: 0})) >= {key}
    assert with_nginx({name: 0})[key].rstrip("msk") == "0"


def test_a_declared_false_is_written() -> None:
    assert with_nginx({"use_http2": False, "proxy_request_buffering": False}) == {"use-http2": "false", "proxy-request-buffering": "off"}


def test_the_reference_tuning_says_what_it_said_in_2019() -> None:
    entries = with_nginx({}, profile="reference")
    wanted = {"proxy-body-size": "10m", "proxy-buffer-size": "16k", "worker-processes": "4", "upstream-keepalive-connections": "32"}
    assert wanted.items() <= entries.items()


def test_what_is_declared_wins_over_the_profile() -> None:
    assert with_nginx({"proxy_body_size_mib": 3}, profile="reference")["proxy-body-size"] == "3m"


def test_a_response_that_should_fit_memory_gives_buffers_that_hold_it() -> None:
    ingress = planned(ingress_plan_of(BALANCED, {**WEB, "expected_response_kib": 500, "nginx": {"proxy_buffer_size_kib": 8}}))
    entries = config.entries(ingress)
    number, size = int(entries["proxy-buffers-number"]), int(entries["proxy-buffer-size"].removesuffix("k"))
    busy = int(entries["proxy-busy-buffers-size"].removesuffix("k"))
    assert entries["proxy-buffering"] == "on"
    assert number * size >= ingress.response.fits_kib >= 500
    assert size <= busy <= (number - 1) * size, "NGINX refuses others"


def test_the_proxy_protocol_is_believed_to_the_declared_networks_only() -> None:
    entries = config.entries(planned(nginx_plan("everything")))
    assert entries["use-proxy-protocol"] == "true"
    assert entries["proxy-real-ip-cidr"] == ",".join(PROXIES)
    without = config.entries(planned(nginx_plan("load-balancer")))
    assert not {"use-proxy-protocol", "proxy-real-ip-cidr"} & set(without)


def test_further_keys_pass_as_they_are() -> None:
    assert EVERY_KNOB["further"].items() <= config.entries(planned(nginx_plan("everything"))).items()
    assert F5_KNOBS_DECLARED["further"].items() <= f5.entries(planned(f5_plan("everything"))).items()


def test_somebody_elses_controller_gets_the_keys_of_ingress_nginx() -> None:
    entries = config.entries(planned(ingress_plan_of(EXTERNAL, CONFIG_MAP_ONLY)))
    assert set(entries) == {"proxy-buffering", "proxy-buffers-number", "proxy-busy-buffers-size"}


def test_f5_has_a_key_for_what_the_settings_believe_it_has() -> None:
    assert set(f5.KEYS) | {"proxy_buffers_number"} == F5_KNOBS
    assert knobs() > F5_KNOBS


def test_f5_gets_the_same_values_by_its_own_keys() -> None:
    entries = f5.entries(planned(f5_plan("everything")))
    assert entries["client-max-body-size"] == "10m"
    assert entries["proxy-buffers"] == "8 16k"
    assert entries["worker-connections"] == "8192"
    assert entries["keepalive"] == "256"
    assert entries["keepalive-timeout"] == "30s"
    assert entries["http2"] == "true"
    assert entries["log-format-escaping"] == "json"
    assert not {key for key, _ in config.KEYS.values()} & set(entries) - {key for key, _ in f5.KEYS.values()}


def test_f5_gets_number_and_size_of_buffers_together_as_they_are_one_key() -> None:
    ingress = {**WEB, "controller": "f5-nginx", "manifest": {"source": "/f5.yaml", "sha256": "0" * 64}}
    one = f5.entries(planned(ingress_plan_of(BALANCED, {**ingress, "nginx": {"proxy_buffer_size_kib": 16}})))
    assert re.fullmatch(r"\d+ 16k", one["proxy-buffers"])
    assert "proxy-buffers" not in f5.entries(planned(ingress_plan_of(BALANCED, ingress)))


def test_f5_believes_the_proxy_protocol_and_shows_a_nodes_address_where_no_service_has_one() -> None:
    ingress = planned(f5_plan("everything"))
    entries = f5.entries(ingress)
    assert (entries["proxy-protocol"], entries["real-ip-header"], entries["set-real-ip-from"]) == ("true", "proxy_protocol", ",".join(PROXIES))
    assert entries["external-status-address"] == str(ingress.addresses[0])
    assert "external-status-address" not in f5.entries(planned(f5_plan("load-balancer")))

"""The ingress' data: profiles, releases' defaults and keys agree with the models, with what is written, and with the published manifest."""

import pytest

from render.ingress import config, f5
from settings import load
from settings.ingress_versions import RELEASES, release_of
from settings.nginx import HeaderBuffers, Nginx
from settings.nginx_defaults import DEFAULTS, Controller, Value
from settings.nginx_keys import CODE, F5_KNOBS, FURTHER, OWNED, SECRET, TYPED, knobs
from settings.nginx_profiles import PROFILES, Profile
from tests.settings.documents import Tree, minimal

CONTROLLERS: dict[Controller, Tree] = {
    "ingress-nginx": {},
    "f5-nginx": {"manifest": {"source": "f5.yaml", "sha256": "0" * 64}},
    "configmap-only": {"namespace": "edge", "config_map": "tuning"},
}


def tuning(values: dict[str, Value]) -> Nginx:
    """The model with these values, which then are within its limits."""
    pair = values.get("large_client_header_buffers")
    large = {"large_client_header_buffers": dict(zip(HeaderBuffers.model_fields, pair, strict=True))} if isinstance(pair, tuple) else {}
    return Nginx.model_validate({**values, **large})


def test_the_reference_is_the_tuning_of_2019_and_nothing_else() -> None:
    assert {name: choice.value for name, choice in PROFILES["reference"].items()} == {
        "proxy_body_size_mib": 10,
        "proxy_buffer_size_kib": 16,
        "worker_processes": 4,
        "keep_alive_s": 75,
        "upstream_keepalive_connections": 32,
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_values_of_a_profile_could_be_declared_and_have_a_reason(profile: Profile) -> None:
    tuning({name: choice.value for name, choice in PROFILES[profile].items()})
    assert all(len(choice.reason.split()) > 3 for choice in PROFILES[profile].values())


@pytest.mark.parametrize("controller", CONTROLLERS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_goes_with_every_controller(profile: Profile, controller: Controller) -> None:
    environment = load(minimal(ingress={"controller": controller, "profile": profile, **CONTROLLERS[controller]}))
    assert environment.ingress is not None
    assert environment.ingress.profile == profile


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_defaults_are_of_knobs_that_the_controller_has_and_could_be_declared(controller: Controller) -> None:
    own = DEFAULTS[controller]
    assert own.keys() <= knobs(controller)
    tuning({name: value for name, value in own.items() if (name, value) not in (("worker_processes", "auto"), ("max_worker_open_files", 0))})


def test_settings_and_what_is_written_have_the_same_keys() -> None:
    assert set(config.KEYS) == TYPED
    proxy = {"use-proxy-protocol", "proxy-real-ip-cidr"}
    assert OWNED["ingress-nginx"].keys() == {key for key, _ in config.KEYS.values()} | proxy
    assert set(f5.KEYS) | {"proxy_buffers_number"} == F5_KNOBS
    proxy = {"proxy-protocol", "real-ip-header", "set-real-ip-from"}
    assert OWNED["f5-nginx"].keys() == {key for key, _ in f5.KEYS.values()} | {"proxy-buffers"} | proxy


@pytest.mark.parametrize("controller", FURTHER)
def test_a_further_key_is_neither_a_settings_nor_code_nor_a_secret(controller: Controller) -> None:
    keys = FURTHER[controller]
    assert not keys & OWNED[controller].keys()
    assert not keys & SECRET
    assert [key for key in keys if CODE.fullmatch(key)] == []
    assert len(keys) > 50


@pytest.mark.parametrize(
    "key", ["main-snippet", "http-snippet", "location-snippet", "modsecurity-snippet", "global-auth-snippet", "stream-snippets", "main-template"]
)
def test_a_key_that_runs_code_is_known_as_such(key: str) -> None:
    assert CODE.fullmatch(key)


def test_the_release_that_is_taken_is_one_that_underlay_can_write_for() -> None:
    for controller, release in RELEASES.items():
        assert release_of(controller) is release
        assert load(minimal(ingress={"controller": controller, "version": release.version, **CONTROLLERS[controller]})).ingress is not None

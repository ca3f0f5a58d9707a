"""Kubeconfigs: found, read, trusted, and never shown."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.plugins.base import ProviderError
from lab.plugins.kubernetes.cluster import Cluster
from lab.plugins.kubernetes.kubeconfig import access, read_kubeconfig
from lab.plugins.kubernetes.settings import settings
from tests.plugins.native_cluster import Authority


def config(user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "one", "user": "me", "namespace": "apps"}},
            {"name": "there", "context": {"cluster": "two", "user": "me"}},
            {"name": "broken", "context": {"cluster": "none", "user": "me"}},
        ],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443/", **(cluster or {})}} for name in ("one", "two")],
        "users": [{"name": "me", "user": user or {"token": "hush-hush"}}],
    }


def test_a_kubeconfig_is_yaml_json_or_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config()))
    for given in (yaml.safe_dump(config()), json.dumps(config()), str(path)):
        assert access(read_kubeconfig(given)).server == "https://one:6443"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert access(read_kubeconfig("~/config")).server == "https://one:6443"
    monkeypatch.setenv("KUBECONFIG", f"{path}:/nowhere")
    assert access(read_kubeconfig("")).server == "https://one:6443"


def test_the_context_and_the_cluster_may_be_chosen() -> None:
    found = read_kubeconfig(json.dumps(config()))
    assert access(found).namespace == "apps"
    assert access(found, context="there").server == "https://two:6443"
    assert access(found, cluster="two").server == "https://two:6443"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/nowhere/config", "/nowhere/config"),
        ("a: [b\nc", "neither YAML nor JSON"),
        ("just\ntext", "neither YAML nor JSON"),
        (json.dumps({**config(), "current-context": "nobody"}), "no context 'nobody'"),
        (json.dumps({**config(), "current-context": "broken"}), "no cluster 'none'"),
        (json.dumps(config(cluster={"server": "one:6443"})), "no server URL"),
        (json.dumps(config({"exec": {"command": "aws"}})), "'exec'"),
        (json.dumps(config(cluster={"certificate-authority-data": "!"})), "certificate-authority-data"),
        (json.dumps(config(cluster={"certificate-authority": "ca.crt"})), "ca.crt"),
    ],
)
def test_what_is_wrong_with_a_kubeconfig_is_said_without_its_content(text: str, part: str) -> None:
    with pytest.raises(ProviderError, match=part.replace(".", r"\.").replace("[", r"\[")) as caught:
        access(read_kubeconfig(text))
    assert "hush" not in str(caught.value)


def test_nothing_secret_shows_in_the_access() -> None:
    assert "hush" not in repr(access(read_kubeconfig(json.dumps(config()))))
    assert access(read_kubeconfig(json.dumps(config()))).headers() == {"Authorization": "Bearer hush-hush"}
    basic = access(read_kubeconfig(json.dumps(config({"username": "a", "password": "b"})))).headers()["Authorization"]
    assert base64.b64decode(basic.removeprefix("Basic ")) == b"a:b"


def held(folder: Path) -> tuple[int, list[Path]]:
    """How many files this process has open, and what lies in the folder."""
    return len(list(Path("/proc/self/fd").iterdir())), sorted(folder.iterdir())


def test_certificates_are_data_or_files_beside_the_kubeconfig_and_the_key_stays_in_memory(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("admin")
    files = {"client-certificate": "admin.crt", "client-key": "admin.key"}
    (tmp_path / "config").write_text(json.dumps(config(files, {"certificate-authority": "ca.crt"})))
    found = access(read_kubeconfig(str(tmp_path / "config")))
    before = held(tmp_path)
    context = found.tls()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert [certificate["subject"] for certificate in context.get_ca_certs()] == [((("commonName", "test-ca"),),)]
    assert held(tmp_path) == before


def test_a_key_of_another_certificate_is_an_error_in_one_line(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("admin")
    authority.issue("other")
    files = {"client-certificate": "admin.crt", "client-key": "other.key"}
    (tmp_path / "config").write_text(json.dumps(config(files)))
    with pytest.raises(ProviderError, match="belong together"):
        access(read_kubeconfig(str(tmp_path / "config"))).tls()


def test_verification_is_off_only_where_the_kubeconfig_says_so() -> None:
    assert access(read_kubeconfig(json.dumps(config()))).tls().verify_mode == ssl.CERT_REQUIRED
    lax = access(read_kubeconfig(json.dumps(config(cluster={"insecure-skip-tls-verify": True})))).tls()
    assert lax.verify_mode == ssl.CERT_NONE


def test_settings_come_as_text_from_the_sdk_or_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings({}).server_side_apply
    assert not settings({"enableServerSideApply": "false"}).server_side_apply
    assert settings({"enableConfigMapMutable": "true", "deleteUnreachable": True}).config_map_mutable
    monkeypatch.setenv("PULUMI_K8S_DELETE_UNREACHABLE", "true")
    assert settings({}).delete_unreachable
    assert not settings({"deleteUnreachable": "false"}).delete_unreachable


def test_the_namespace_is_the_providers_else_the_contexts() -> None:
    assert Cluster({"kubeconfig": json.dumps(config())}).namespace == "apps"
    assert Cluster({"kubeconfig": json.dumps(config()), "namespace": "mine"}).namespace == "mine"
    assert Cluster({"kubeconfig": "/nowhere/config"}).namespace == ""

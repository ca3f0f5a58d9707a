"""The kubeconfig, the discovery hash and the known hosts, read by kubectl, openssl and ssh-keygen."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from render.kubeconfig import discovery_hash, known_hosts, kubeconfig

Find = Callable[[str], str]


def run(*command: str, stdin: bytes | None = None) -> bytes:
    return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def key() -> bytes:
    return run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout")


def test_kubectl_reads_the_kubeconfig(program: Find, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        kubeconfig(cluster="oslo", server="https://10.20.0.10:6443", ca_certificate="CA\n", client_certificate="CRT\n", client_key="KEY\n")
    )
    seen = yaml.safe_load(run(program("kubectl"), "--kubeconfig", str(path), "config", "view", "--minify", "--raw"))
    assert seen["current-context"] == "oslo"
    assert seen["clusters"][0]["cluster"] == {"server": "https://10.20.0.10:6443", "certificate-authority-data": "Q0EK"}
    assert seen["users"][0]["user"] == {"client-certificate-data": "Q1JUCg==", "client-key-data": "S0VZCg=="}


def test_the_discovery_hash_is_that_of_the_public_keys_der(key: bytes) -> None:
    public = run("openssl", "pkey", "-pubout", stdin=key)
    der = run("openssl", "pkey", "-pubout", "-outform", "DER", stdin=key)
    assert discovery_hash(public.decode()) == f"sha256:{hashlib.sha256(der).hexdigest()}"


def test_ssh_finds_a_node_by_name_and_by_address(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", str(tmp_path / "key"))
    public = (tmp_path / "key.pub").read_text()
    path.write_text(known_hosts({"oslo-cp-1": ("10.20.0.11", public), "oslo-cp-2": ("10.20.0.12", public)}))
    for name in ("oslo-cp-1", "10.20.0.12"):
        assert public.split()[1].encode() in run("ssh-keygen", "-F", name, "-f", str(path))
    with pytest.raises(subprocess.CalledProcessError):
        run("ssh-keygen", "-F", "10.20.0.13", "-f", str(path))

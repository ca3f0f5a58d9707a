"""The admin's kubeconfig, and the discovery hash of a certificate authority."""

import base64
import hashlib

import yaml


def kubeconfig(*, cluster: str, server: str, ca_certificate: str, client_certificate: str, client_key: str) -> str:
    """A kubeconfig of one cluster and one user; the PEM texts are embedded, so the result is as secret as the client's key."""
    user = f"{cluster}-admin"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": _base64(ca_certificate)}}],
        "users": [{"name": user, "user": {"client-certificate-data": _base64(client_certificate), "client-key-data": _base64(client_key)}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def discovery_hash(public_key_pem: str) -> str:
    """What kubeadm pins a cluster by: SHA-256 of the CA's DER SubjectPublicKeyInfo, as `sha256:<hex>`."""
    body = "".join(line for line in public_key_pem.splitlines() if line and not line.startswith("-----"))
    return "sha256:" + hashlib.sha256(base64.b64decode(body)).hexdigest()


def known_hosts(hosts: dict[str, tuple[str, str]]) -> str:
    """OpenSSH's known_hosts from node name to (address, public host key)."""
    return "".join(f"{name},{address} {' '.join(key.split()[:2])}\n" for name, (address, key) in sorted(hosts.items()))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

"""A Kubernetes control plane without nodes, as processes of this machine on loopback, gone with the test."""

from __future__ import annotations

import base64
import datetime
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from image.parts import ensure_binaries


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Authority:
    """A CA that writes certificates and keys into `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test-ca")])
        builder = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write("ca", builder.sign(self._key, hashes.SHA256()), self._key)

    def issue(self, name: str, group: str = "") -> None:
        """Writes `<name>.crt` and `<name>.key`, good for 127.0.0.1 and as a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if group:
            names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = self._builder(x509.Name(names), key).add_extension(usages, critical=False).add_extension(address, critical=False)
        self._write(name, builder.sign(self._key, hashes.SHA256()), key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        (self.folder / f"{name}.key").write_bytes(pem)


@dataclass
class NativeCluster:
    """A running control plane; `kubeconfig` is an administrator's, with its certificates in it."""

    folder: Path
    programs: Path
    port: int = field(default_factory=free_port)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])
    _etcd_port: int = field(default_factory=free_port)

    @property
    def kubeconfig(self) -> str:
        """The kubeconfig's content."""

        def data(name: str) -> str:
            return base64.b64encode((self.folder / name).read_bytes()).decode()

        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
                "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{self.port}", "certificate-authority-data": data("ca.crt")}}],
                "users": [{"name": "admin", "user": {"client-certificate-data": data("admin.crt"), "client-key-data": data("admin.key")}}],
            }
        )

    def start(self) -> None:
        """Starts everything and waits until the API is ready."""
        authority = Authority(self.folder)
        authority.issue("server")
        authority.issue("admin", "system:masters")
        authority.issue("accounts")
        (self.folder / "kubeconfig").write_text(self.kubeconfig)
        self._start_etcd()
        self.start_api()
        self.start_controllers()

    def start_controllers(self) -> None:
        """Starts the controller manager (again)."""
        self._start("kube-controller-manager", self._controller_flags())

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{free_port()}"
        flags = ["--name=t", f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync", f"--listen-client-urls={client}"]
        flags += [f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
        self._start("etcd", [*flags, f"--initial-cluster=t={peer}"])

    def start_api(self) -> None:
        """Starts the API server (again) and waits until it is ready."""
        here = self.folder
        flags = [
            "--allow-privileged=true",  # as kubeadm writes it
            "--advertise-address=127.0.0.1",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--authorization-mode=Node,RBAC",
            "--endpoint-reconciler-type=none",
            f"--client-ca-file={here / 'ca.crt'}",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={here / 'accounts.crt'}",
            f"--service-account-signing-key-file={here / 'accounts.key'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--tls-cert-file={here / 'server.crt'}",
            f"--tls-private-key-file={here / 'server.key'}",
        ]
        self._start("kube-apiserver", flags)
        self._wait_until_ready()

    def stop_api(self) -> None:
        """Stops the API server and the controller manager, as when their node goes away; etcd stays."""
        for name in ("kube-controller-manager", "kube-apiserver"):
            self._processes[name].kill()
            self._processes[name].wait()

    def _controller_flags(self) -> list[str]:
        kubeconfig = self.folder / "kubeconfig"
        return [
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--leader-elect=false",
            f"--root-ca-file={self.folder / 'ca.crt'}",
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--cert-dir={self.folder / 'controller'}",
        ]

    def _start(self, name: str, flags: Sequence[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen([str(self.programs / name), *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait_until_ready(self) -> None:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.load_cert_chain(str(self.folder / "admin.crt"), str(self.folder / "admin.key"))
        deadline = time.monotonic() + 240  # a machine that emulates others is slow
        while time.monotonic() < deadline:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=5)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.2)
        pytest.fail(f"the API server is not ready: {(self.folder / 'kube-apiserver.log').read_text()[-2000:]}")

    def kubectl(self, *args: str, stdin: str = "") -> str:
        """What kubectl says; a failure fails the test."""
        done = self._kubectl(*args, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refused(self, *args: str, stdin: str = "") -> str:
        """Why kubectl fails; that it does not fails the test."""
        done = self._kubectl(*args, stdin=stdin)
        assert done.returncode != 0, done.stdout
        return done.stderr.strip()

    def _kubectl(self, *args: str, stdin: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.programs / "kubectl"), f"--kubeconfig={self.folder / 'kubeconfig'}", *args]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env={"HOME": str(self.folder)})

    def get(self, *args: str) -> Any:
        """An object, with its managed fields."""
        return json.loads(self.kubectl("get", "--show-managed-fields", "-o", "json", *args))

    def make(self, thing: dict[str, Any]) -> None:
        """Makes an object, as kubeadm does: by a plain create."""
        self.kubectl("create", "-f", "-", stdin=json.dumps(thing))

    def stop(self) -> None:
        """Ends every process, last things first."""
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()


@contextmanager
def native_cluster() -> Generator[NativeCluster]:
    """A cluster for the time of a test module."""
    programs = ensure_binaries(print)
    folder = Path(tempfile.mkdtemp(prefix="native-cluster-"))
    cluster = NativeCluster(folder, programs)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)

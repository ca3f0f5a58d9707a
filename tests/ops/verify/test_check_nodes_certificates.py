"""nodes.certificates, on certificates that are made here."""

import base64
import re
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ops.verify.checks import nodes_certificates
from ops.verify.model import Seen
from tests.ops.verify.made_seen import CP, WORKER, findings, found, lab_plan, seen_with, statuses, unreachable

CHECK = nodes_certificates.CHECKS[0]
NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
PASSED = {CP: "passed", WORKER: "passed"}


@cache
def pem(days_left: float, days: float = 365) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    ends = NOW + timedelta(days=days_left)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key()).serial_number(7)
    made = builder.not_valid_before(ends - timedelta(days=days)).not_valid_after(ends).sign(KEY, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def parts(node: str, days_left: float = 300) -> dict[str, str | None]:
    planned = next(one for one in lab_plan().nodes if one.name == node)
    paths = nodes_certificates.required_files(planned)
    configs = {path: base64.b64encode(pem(days_left).encode()).decode() for path in paths if path.endswith(".conf")}
    return {**{path: pem(days_left) for path in paths}, **configs, "/var/lib/kubelet/pki/kubelet.crt": pem(days_left), "end": ""}


def seen(changes: dict[str, str | None] | None = None, clock_s: float = NOW.timestamp()) -> Seen:
    """The control plane's answer has the changes."""
    own = {**parts(CP), **(changes or {})}
    return seen_with(lab_plan(), "node-certificates", own, others={WORKER: parts(WORKER)}, clock_s=clock_s)


def test_certificates_that_hold_pass_and_the_soonest_end_is_a_figure() -> None:
    said = findings(CHECK, seen())
    assert {where: finding.status for where, finding in said.items()} == PASSED
    assert said[CP].found == "15 certificates, the first ends on 2027-11-11"
    assert said[WORKER].found == "3 certificates, the first ends on 2027-11-11"
    assert round(said[CP].figures[0].value) == 300


@pytest.mark.parametrize(
    ("path", "text", "says", "remedy"),
    [
        (
            "/etc/kubernetes/pki/apiserver.crt",
            pem(29.9),
            "/etc/kubernetes/pki/apiserver.crt ends on 2027-02-14 05:36 UTC, in 29.9 days",
            "kubeadm certs",
        ),
        ("/etc/kubernetes/pki/apiserver.crt", pem(-1), "/etc/kubernetes/pki/apiserver.crt ended on 2027-01-14 08:00 UTC", "kubeadm certs renew"),
        (
            "/var/lib/kubelet/pki/kubelet-client-current.pem",
            pem(2),
            "/var/lib/kubelet/pki/kubelet-client-current.pem ends on 2027-01-17 08:00 UTC, in 2.0 days",
            "systemctl restart kubelet",
        ),
        (
            "/etc/kubernetes/pki/etcd/ca.crt",
            pem(9, 3650),
            "/etc/kubernetes/pki/etcd/ca.crt ends on 2027-01-24 08:00 UTC, in 9.0 days",
            "authority_days",
        ),
        (
            "/etc/kubernetes/scheduler.conf",
            base64.b64encode(pem(1).encode()).decode(),
            "/etc/kubernetes/scheduler.conf ends on 2027-01-16 08:00 UTC, in 1.0 days",
            "kubeadm certs renew",
        ),
        ("/etc/kubernetes/pki/ca.crt", "", "/etc/kubernetes/pki/ca.crt is missing or no certificate", "authority"),
        ("/etc/kubernetes/admin.conf", "bm90aGluZw==", "/etc/kubernetes/admin.conf is missing or no certificate", "kubeadm certs renew"),
        (
            "/var/lib/kubelet/pki/kubelet.crt",
            pem(370),
            "/var/lib/kubelet/pki/kubelet.crt holds from 2027-01-20 08:00 UTC on alone",
            "restart kubelet",
        ),
    ],
)
def test_what_ends_soon_or_is_missing_is_named_with_its_remedy(path: str, text: str, says: str, remedy: str) -> None:
    changed = seen({path: text})
    assert found(CHECK, changed, CP) == says
    assert remedy in findings(CHECK, changed)[CP].remedy
    assert statuses(CHECK, changed)[WORKER] == "passed"


def test_short_lived_ones_may_use_most_of_their_life() -> None:
    path = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    assert statuses(CHECK, seen({path: pem(2, 10)})) == PASSED
    assert "ends on" in found(CHECK, seen({path: pem(0.9, 10)}), CP)


def test_half_an_answer_and_an_unknown_time_are_not_checked() -> None:
    assert findings(CHECK, unreachable(seen(), WORKER))[WORKER].found == "no route to host"
    assert statuses(CHECK, seen({"end": None}))[CP] == "not checked"
    assert statuses(CHECK, seen(clock_s=0)) == {CP: "not checked", WORKER: "not checked"}


def test_the_script_sends_certificates_and_never_keys(tmp_path: Path) -> None:
    key = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    (tmp_path / "client.pem").write_text(pem(300) + key)
    (tmp_path / "admin.conf").write_text(
        f"users:\n- user:\n    client-certificate-data: {base64.b64encode(pem(30).encode()).decode()}\n    client-key-data: c2VjcmV0\n"
    )
    script = CHECK.probes[0].script(lab_plan(), lab_plan().nodes[0])
    script = re.sub(r"/var/lib/kubelet/pki/kubelet-client-current\.pem", str(tmp_path / "client.pem"), script)
    script = re.sub(r"/etc/kubernetes/admin\.conf", str(tmp_path / "admin.conf"), script)
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert pem(300) in said
    assert base64.b64encode(pem(30).encode()).decode() in said
    assert "PRIVATE" not in said
    assert key.splitlines()[1] not in said
    assert "c2VjcmV0" not in said

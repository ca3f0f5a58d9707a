"""The stand-in for `tls`."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key, load_ssh_private_key, load_ssh_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.plugins.base import ProviderError, State
from lab.plugins.tls import certificates
from lab.plugins.tls.certificates import LocallySignedCert, SelfSignedCert
from lab.plugins.tls.keys import PrivateKey
from lab.plugins.tls.requests import CertRequest
from tests.plugins.calls import Log, created, refusals, replaced_by, run

ALGORITHMS = [{"algorithm": "ED25519"}, {"algorithm": "RSA"}, *({"algorithm": "ECDSA", "ecdsaCurve": f"P{bits}"} for bits in (224, 256, 384, 521))]


@pytest.fixture(scope="module")
def authority() -> dict[str, Any]:
    """An authority's key and certificate, and the inputs it was made from."""
    key = created(PrivateKey(), {"algorithm": "ECDSA", "ecdsaCurve": "P256"}).outputs["privateKeyPem"]
    inputs = {
        "privateKeyPem": key,
        "allowedUses": ["cert_signing", "crl_signing", "digital_signature"],
        "isCaCertificate": True,
        "validityPeriodHours": 48,
        "subject": {"commonName": "kubernetes"},
    }
    return {"key": key, "inputs": inputs, "state": created(SelfSignedCert(), inputs)}


@pytest.fixture(scope="module")
def leaf(authority: dict[str, Any]) -> tuple[dict[str, Any], State]:
    """A client certificate of that authority, with its inputs."""
    key = created(PrivateKey(), {"algorithm": "RSA"}).outputs["privateKeyPem"]
    names = {"dnsNames": ["a.b"], "ipAddresses": ["10.0.0.1", "fd00::1"], "uris": ["spiffe://x"]}
    request = created(CertRequest(), {"privateKeyPem": key, "subject": {"commonName": "admin", "organization": "admins"}, **names})
    inputs = {
        "caCertPem": authority["state"].outputs["certPem"],
        "caPrivateKeyPem": authority["key"],
        "certRequestPem": request.outputs["certRequestPem"],
        "allowedUses": ["client_auth", "key_encipherment"],
        "validityPeriodHours": 24,
    }
    return inputs, created(LocallySignedCert(), inputs)


def certificate(state: State) -> x509.Certificate:
    return x509.load_pem_x509_certificate(state.outputs["certPem"].encode())


def extension(state: State, kind: type[Any]) -> Any:
    return certificate(state).extensions.get_extension_for_class(kind)


@pytest.mark.parametrize("inputs", ALGORITHMS, ids=str)
def test_all_forms_of_a_key_are_the_same_key(inputs: dict[str, Any], tmp_path: Path) -> None:
    outputs = created(PrivateKey(), inputs).outputs
    public = load_pem_public_key(outputs["publicKeyPem"].encode())
    assert load_pem_private_key(outputs["privateKeyPem"].encode(), None).public_key() == public
    assert load_pem_private_key(outputs["privateKeyPemPkcs8"].encode(), None).public_key() == public
    headers = {"RSA": "RSA PRIVATE KEY", "ECDSA": "EC PRIVATE KEY", "ED25519": "PRIVATE KEY"}
    assert outputs["privateKeyPem"].startswith(f"-----BEGIN {headers[inputs['algorithm']]}-----")
    if inputs.get("ecdsaCurve") == "P224":
        assert outputs["privateKeyOpenssh"] == outputs["publicKeyOpenssh"] == outputs["publicKeyFingerprintMd5"] == ""
        return
    assert load_ssh_private_key(outputs["privateKeyOpenssh"].encode(), None).public_key() == public
    assert load_ssh_public_key(outputs["publicKeyOpenssh"].encode()) == public
    path = tmp_path / "key.pub"
    path.write_text(outputs["publicKeyOpenssh"])
    for digest, name in (("md5", "publicKeyFingerprintMd5"), ("sha256", "publicKeyFingerprintSha256")):
        shown = subprocess.run(["ssh-keygen", "-l", "-E", digest, "-f", str(path)], check=True, capture_output=True, text=True).stdout
        assert shown.split()[1].removeprefix("MD5:") == outputs[name]


def test_keys_default_as_the_vendors_do_and_every_change_replaces_them() -> None:
    old = created(PrivateKey(), {"algorithm": "ECDSA"})
    assert (old.outputs["ecdsaCurve"], old.outputs["rsaBits"]) == ("P224", 2048)
    assert replaced_by(PrivateKey(), old, {"algorithm": "ECDSA", "ecdsaCurve": "P224"}) == set()
    assert replaced_by(PrivateKey(), old, {"algorithm": "ECDSA", "ecdsaCurve": "P256"}) == {"ecdsaCurve"}


def test_unknown_algorithms_and_curves_are_refused() -> None:
    assert refusals(PrivateKey(), {"algorithm": "DSA"}) == ["algorithm: algorithm must be one of RSA, ECDSA, ED25519"]
    assert refusals(PrivateKey(), {"algorithm": "ECDSA", "ecdsaCurve": "P128"})


def test_an_authority_may_sign_and_says_so_critically(authority: dict[str, Any]) -> None:
    state = authority["state"]
    constraints, usage = extension(state, x509.BasicConstraints), extension(state, x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, None)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign, usage.value.key_encipherment) == (True, True, True, False)
    assert extension(state, x509.SubjectKeyIdentifier).value == x509.SubjectKeyIdentifier.from_public_key(certificate(state).public_key())
    assert state.id == str(certificate(state).serial_number)
    assert (state.outputs["keyAlgorithm"], state.outputs["readyForRenewal"]) == ("ECDSA", False)
    certificate(state).verify_directly_issued_by(certificate(state))


def test_a_signed_certificate_takes_its_names_from_the_request(authority: dict[str, Any], leaf: tuple[dict[str, Any], State]) -> None:
    state = leaf[1]
    certificate(state).verify_directly_issued_by(certificate(authority["state"]))
    names = {attribute.oid: attribute.value for attribute in certificate(state).subject}
    assert names == {NameOID.ORGANIZATION_NAME: "admins", NameOID.COMMON_NAME: "admin"}
    alternatives = extension(state, x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["a.b"]
    assert alternatives.get_values_for_type(x509.IPAddress) == [ip_address("10.0.0.1"), ip_address("fd00::1")]
    assert alternatives.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://x"]
    usage = extension(state, x509.ExtendedKeyUsage)
    assert (usage.critical, list(usage.value)) == (False, [ExtendedKeyUsageOID.CLIENT_AUTH])
    assert extension(state, x509.BasicConstraints).value == x509.BasicConstraints(ca=False, path_length=None)
    identifier = extension(authority["state"], x509.SubjectKeyIdentifier).value.digest
    assert extension(state, x509.AuthorityKeyIdentifier).value.key_identifier == identifier
    assert certificate(state).not_valid_after_utc - certificate(state).not_valid_before_utc == timedelta(hours=24)
    assert state.outputs["validityEndTime"] == certificate(state).not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_key_identifiers_are_there_when_asked_for_only(authority: dict[str, Any]) -> None:
    inputs = {**authority["inputs"], "isCaCertificate": False}
    plain = certificate(created(SelfSignedCert(), inputs)).extensions
    assert not [found for found in plain if isinstance(found.value, x509.SubjectKeyIdentifier | x509.AuthorityKeyIdentifier)]
    with pytest.raises(ProviderError, match="setAuthorityKeyId needs"):
        created(SelfSignedCert(), {**inputs, "setAuthorityKeyId": True})
    both = created(SelfSignedCert(), {**inputs, "setAuthorityKeyId": True, "setSubjectKeyId": True})
    assert extension(both, x509.AuthorityKeyIdentifier).value.key_identifier == extension(both, x509.SubjectKeyIdentifier).value.digest


def test_a_path_length_bounds_an_authority_only(authority: dict[str, Any]) -> None:
    bounded = created(SelfSignedCert(), {**authority["inputs"], "maxPathLength": 0})
    assert extension(bounded, x509.BasicConstraints).value.path_length == 0
    no_authority = created(SelfSignedCert(), {**authority["inputs"], "maxPathLength": 0, "isCaCertificate": False})
    assert extension(no_authority, x509.BasicConstraints).value.path_length is None


def test_an_authority_without_a_subject_is_refused(authority: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="needs a subject"):
        created(SelfSignedCert(), {**authority["inputs"], "subject": {}})


def test_a_signer_that_is_no_authority_is_warned_of(leaf: tuple[dict[str, Any], State]) -> None:
    log = Log()
    created(LocallySignedCert(), {**leaf[0], "caCertPem": leaf[1].outputs["certPem"]}, log)
    assert [severity for severity, _ in log.messages] == ["warning"]


def test_errors_name_the_input_and_never_quote_it(authority: dict[str, Any]) -> None:
    for name in ("caCertPem", "caPrivateKeyPem", "certRequestPem"):
        inputs = {"caCertPem": authority["state"].outputs["certPem"], "caPrivateKeyPem": authority["key"]}
        request = created(CertRequest(), {"privateKeyPem": authority["key"]}).outputs["certRequestPem"]
        complete: dict[str, Any] = {**inputs, "certRequestPem": request, "allowedUses": [], "validityPeriodHours": 1, name: "hush"}
        with pytest.raises(ProviderError, match=name) as caught:
            created(LocallySignedCert(), complete)
        assert "hush" not in str(caught.value)


def test_names_uses_and_hours_that_cannot_be_are_refused(authority: dict[str, Any]) -> None:
    wrong = {"ipAddresses": ["10.0.0"], "uris": ["x"], "subject": {"cn": "x"}, "allowedUses": ["any"], "validityPeriodHours": -1}
    found = refusals(SelfSignedCert(), {**authority["inputs"], **wrong})
    assert {refusal.split(":")[0] for refusal in found} == {"ipAddresses[0]", "uris[0]", "subject.cn", "allowedUses[0]", "validityPeriodHours"}


def test_all_but_early_renewal_replaces_a_certificate(leaf: tuple[dict[str, Any], State]) -> None:
    inputs, old = leaf
    resource = LocallySignedCert()
    assert replaced_by(resource, old, {**inputs, "earlyRenewalHours": 1}) == {""}
    assert replaced_by(resource, old, {**inputs, "earlyRenewalHours": 0, "isCaCertificate": False}) == set()
    assert replaced_by(resource, old, {**inputs, "validityPeriodHours": 25}) == {"validityPeriodHours"}
    assert replaced_by(resource, old, {**inputs, "caCertPem": "other"}) == {"caCertPem"}
    updated = run(resource.update(Log().call(), old, {**inputs, "earlyRenewalHours": 1}))
    assert (updated["certPem"], updated["earlyRenewalHours"]) == (old.outputs["certPem"], 1)


def test_a_certificate_near_its_end_is_replaced_though_nothing_changed(leaf: tuple[dict[str, Any], State], monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, old = {**leaf[0], "earlyRenewalHours": 2}, leaf[1]
    resource = LocallySignedCert()
    kept = State(old.id, {**old.outputs, "earlyRenewalHours": 2}, inputs)
    assert replaced_by(resource, kept, inputs) == set()
    end = certificate(old).not_valid_after_utc
    monkeypatch.setattr(certificates, "now", lambda: end - timedelta(hours=1))
    assert replaced_by(resource, kept, inputs) == {"readyForRenewal"}
    refreshed = run(resource.read(Log().call(), kept))
    assert refreshed is not None
    assert refreshed.outputs["readyForRenewal"] is True
    assert replaced_by(resource, kept, {**inputs, "earlyRenewalHours": 0}) == {""}

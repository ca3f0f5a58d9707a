"""A certificate from its template, as Go's x509 package makes it for the vendor's plugin."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ObjectIdentifier

from .keys import Key

KEY_USAGES: Final = {
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}
"""The provider's names of key usages, and the library's."""

EXTENDED_KEY_USAGES: Final = {
    "any_extended": "2.5.29.37.0",
    "server_auth": "1.3.6.1.5.5.7.3.1",
    "client_auth": "1.3.6.1.5.5.7.3.2",
    "code_signing": "1.3.6.1.5.5.7.3.3",
    "email_protection": "1.3.6.1.5.5.7.3.4",
    "ipsec_end_system": "1.3.6.1.5.5.7.3.5",
    "ipsec_tunnel": "1.3.6.1.5.5.7.3.6",
    "ipsec_user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8",
    "ocsp_signing": "1.3.6.1.5.5.7.3.9",
    "microsoft_server_gated_crypto": "1.3.6.1.4.1.311.10.3.3",
    "netscape_server_gated_crypto": "2.16.840.1.113730.4.1",
    "microsoft_commercial_code_signing": "1.3.6.1.4.1.311.2.1.22",
    "microsoft_kernel_code_signing": "1.3.6.1.4.1.311.61.1.1",
}

_SERIAL_BITS: Final = 128


@dataclass(frozen=True, kw_only=True)
class Template:
    """What a certificate is to say, and who signs it."""

    subject: x509.Name
    issuer: x509.Name
    public_key: CertificatePublicKeyTypes
    alternatives: x509.SubjectAlternativeName | None
    start: datetime
    validity: timedelta
    uses: tuple[str, ...]
    is_ca: bool
    max_path_length: int | None
    with_subject_key_id: bool
    authority_key_id: bytes | None


def digest(key: Key) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """The digest to sign with: as strong as the curve; Ed25519 has its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
        return hashes.SHA384()
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP521R1):
        return hashes.SHA512()
    return hashes.SHA256()


def sign(template: Template, key: Key) -> x509.Certificate:
    """The certificate, with a random serial number, signed with the issuer's key."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(template.issuer)
        .public_key(template.public_key)
        .serial_number(secrets.randbits(_SERIAL_BITS) or 1)
        .not_valid_before(template.start)
        .not_valid_after(template.start + template.validity)
    )
    for extension, critical in _extensions(template):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, digest(key))


def _extensions(template: Template) -> Iterable[tuple[x509.ExtensionType, bool]]:
    """The extensions in Go's order, each with whether it is critical."""
    wanted = {library for name, library in KEY_USAGES.items() if name in template.uses}
    if wanted:
        yield x509.KeyUsage(**{library: library in wanted for library in KEY_USAGES.values()}), True
    extended = [ObjectIdentifier(EXTENDED_KEY_USAGES[name]) for name in template.uses if name in EXTENDED_KEY_USAGES]
    if extended:
        yield x509.ExtendedKeyUsage(extended), False
    yield x509.BasicConstraints(ca=template.is_ca, path_length=template.max_path_length if template.is_ca else None), True
    if template.is_ca or template.with_subject_key_id:
        yield x509.SubjectKeyIdentifier.from_public_key(template.public_key), False
    if template.authority_key_id is not None:
        yield x509.AuthorityKeyIdentifier(template.authority_key_id, None, None), False
    if template.alternatives is not None:
        yield template.alternatives, not template.subject.rdns

"""Subjects and alternative names: from a resource's inputs to X.509."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final, cast

from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.plugins.base import Failure, Properties, ProviderError, has_unknown

NAME_INPUTS: Final = frozenset({"dnsNames", "ipAddresses", "subject", "uris"})

_ATTRIBUTES: Final = {
    "country": NameOID.COUNTRY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "postalCode": NameOID.POSTAL_CODE,
    "commonName": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
"""A subject's inputs in the order in which Go's x509 package, and so the vendor's plugin, writes them."""


def check_names(inputs: Properties) -> list[Failure]:
    """What is wrong with the names among the inputs, as far as they are known."""
    known = {name: value for name, value in inputs.items() if name in NAME_INPUTS and not has_unknown(value)}
    failures = [
        Failure(f"subject.{name}", f"'{name}' is no part of a subject; those are {', '.join(_ATTRIBUTES)}")
        for name in known.get("subject", {})
        if name not in _ATTRIBUTES
    ]
    failures += [
        Failure(f"ipAddresses[{index}]", f"'{address}' is not an IP address")
        for index, address in enumerate(known.get("ipAddresses", ()))
        if not _is_address(address)
    ]
    failures += [
        Failure(f"uris[{index}]", f"'{uri}' is not a URI: it has no scheme") for index, uri in enumerate(known.get("uris", ())) if ":" not in uri
    ]
    return failures


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def subject(inputs: Properties) -> x509.Name:
    """The subject, empty when there is none. Raises ProviderError for values X.509 has no room for."""
    given: dict[str, Any] = inputs.get("subject", {})
    pairs = [(oid, value) for name, oid in _ATTRIBUTES.items() for value in _values(given.get(name))]
    try:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])
    except ValueError as error:
        raise ProviderError(f"subject: {error}") from None


def _values(given: Any) -> list[str]:
    """One attribute for each street address; empty values are left out."""
    values = cast("list[str]", given) if isinstance(given, list) else [given]
    return [value for value in values if value]


def alternative_names(inputs: Properties) -> x509.SubjectAlternativeName | None:
    """The subject's alternative names: DNS names, then addresses, then URIs; None when there are none."""
    names: list[x509.GeneralName] = [
        *(x509.DNSName(name) for name in inputs.get("dnsNames", ())),
        *(x509.IPAddress(ip_address(address)) for address in inputs.get("ipAddresses", ())),
        *(x509.UniformResourceIdentifier(uri) for uri in inputs.get("uris", ())),
    ]
    return x509.SubjectAlternativeName(names) if names else None

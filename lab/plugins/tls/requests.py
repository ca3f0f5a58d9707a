"""`tls.CertRequest`."""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lab.plugins.base import Call, Failure, Properties, ProviderError, Resource, State

from . import keys
from .names import NAME_INPUTS, alternative_names, check_names, subject
from .signing import digest


def load(text: str) -> x509.CertificateSigningRequest:
    """The request in a PEM text. Raises ProviderError."""
    try:
        return x509.load_pem_x509_csr(text.encode())
    except ValueError:
        raise ProviderError("certRequestPem is not a certificate request in PEM") from None


class CertRequest(Resource):
    """A certificate request, signed with the key it is for. Every change replaces it."""

    type = "tls:index/certRequest:CertRequest"
    inputs = NAME_INPUTS | {"privateKeyPem"}
    required = frozenset({"privateKeyPem"})
    computed = frozenset({"certRequestPem", "keyAlgorithm"})
    secret_outputs = frozenset({"privateKeyPem"})
    replaces_on = "all"

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """Refuses names that cannot be."""
        checked, failures = super().check(inputs, old_inputs)
        return checked, failures + check_names(checked)

    async def create(self, call: Call, inputs: Properties) -> State:
        """Signs the request; the id is its SHA-1."""
        del call
        key = keys.load(inputs["privateKeyPem"], "privateKeyPem")
        name = subject(inputs)
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        alternatives = alternative_names(inputs)
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=not name.rdns)
        request = builder.sign(key, digest(key))
        identity = hashlib.sha1(request.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest()
        pem = request.public_bytes(Encoding.PEM).decode()
        return State(identity, {**inputs, "certRequestPem": pem, "keyAlgorithm": keys.algorithm(key)})

    async def delete(self, call: Call, old: State) -> None:
        """Forgets the request with the state."""

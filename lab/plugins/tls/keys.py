"""`tls.PrivateKey`, and how the other types read a private key."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64decode, b64encode
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from lab.plugins.base import Call, Failure, Properties, ProviderError, Resource, State, has_unknown

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}
_DEFAULT_RSA_BITS: Final = 2048
_DEFAULT_CURVE: Final = "P224"
_ALGORITHMS: Final = ("RSA", "ECDSA", "ED25519")


def load(text: str, what: str) -> Key:
    """The key in a PEM text. Raises ProviderError, which names `what` and never the text."""
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        raise ProviderError(f"{what} is not a private key in PEM that can be read without a password") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise ProviderError(f"{what} is of an algorithm other than {', '.join(_ALGORITHMS)}")
    return key


def algorithm(key: Key) -> str:
    """The name of the key's algorithm."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


class PrivateKey(Resource):
    """A private key. Every change replaces it."""

    type = "tls:index/privateKey:PrivateKey"
    inputs = frozenset({"algorithm", "ecdsaCurve", "rsaBits"})
    required = frozenset({"algorithm"})
    secret_outputs = frozenset({"privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"})
    computed = (
        frozenset({"publicKeyFingerprintMd5", "publicKeyFingerprintSha256", "publicKeyOpenssh", "publicKeyPem", "ecdsaCurve", "rsaBits"})
        | secret_outputs
    )
    replaces_on = "all"

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """Refuses unknown algorithms and curves."""
        checked, failures = super().check(inputs, old_inputs)
        if failures or has_unknown(checked):
            return checked, failures
        if checked["algorithm"] not in _ALGORITHMS:
            failures.append(Failure("algorithm", f"algorithm must be one of {', '.join(_ALGORITHMS)}"))
        if checked.get("ecdsaCurve", _DEFAULT_CURVE) not in CURVES:
            failures.append(Failure("ecdsaCurve", f"ecdsaCurve must be one of {', '.join(CURVES)}"))
        return checked, failures

    def settled(self, inputs: Properties) -> Properties:
        """Size and curve are reported for every algorithm, as the vendor's plugin does."""
        return {"rsaBits": _DEFAULT_RSA_BITS, "ecdsaCurve": _DEFAULT_CURVE, **inputs}

    async def create(self, call: Call, inputs: Properties) -> State:
        """Generates the key; the id is the SHA-1 of its public part."""
        del call
        settings = self.settled(inputs)
        key = await asyncio.to_thread(_generate, settings)
        public = key.public_key()
        identity = hashlib.sha1(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), usedforsecurity=False).hexdigest()
        return State(identity, {**settings, **_private_texts(key), **_public_texts(key)})

    async def delete(self, call: Call, old: State) -> None:
        """Forgets the key with the state."""


def _generate(settings: Properties) -> Key:
    if settings["algorithm"] == "RSA":
        try:
            return rsa.generate_private_key(65537, settings["rsaBits"])
        except ValueError as error:
            raise ProviderError(f"rsaBits is {settings['rsaBits']}: {error}") from None
    if settings["algorithm"] == "ECDSA":
        return ec.generate_private_key(CURVES[settings["ecdsaCurve"]]())
    return ed25519.Ed25519PrivateKey.generate()


def _has_openssh(key: Key) -> bool:
    """OpenSSH has no format for P224: those outputs are then empty."""
    return not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP224R1))


def _private_texts(key: Key) -> Properties:
    def text(form: PrivateFormat) -> str:
        return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()

    traditional = PrivateFormat.PKCS8 if isinstance(key, ed25519.Ed25519PrivateKey) else PrivateFormat.TraditionalOpenSSL
    return {
        "privateKeyPem": text(traditional),
        "privateKeyPemPkcs8": text(PrivateFormat.PKCS8),
        "privateKeyOpenssh": text(PrivateFormat.OpenSSH) if _has_openssh(key) else "",
    }


def _public_texts(key: Key) -> Properties:
    public = key.public_key()
    texts = {
        "publicKeyPem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "publicKeyOpenssh": "",
        "publicKeyFingerprintMd5": "",
        "publicKeyFingerprintSha256": "",
    }
    if not _has_openssh(key):
        return dict(texts)
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    blob = b64decode(line.split()[1])
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return {
        **texts,
        "publicKeyOpenssh": line.decode() + "\n",
        "publicKeyFingerprintMd5": ":".join(md5[index : index + 2] for index in range(0, len(md5), 2)),
        "publicKeyFingerprintSha256": "SHA256:" + b64encode(hashlib.sha256(blob).digest()).decode().rstrip("="),
    }

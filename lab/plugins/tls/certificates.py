"""`tls.SelfSignedCert` and `tls.LocallySignedCert`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lab.plugins.base import UNKNOWN, Call, Difference, Failure, Properties, ProviderError, Resource, State, has_unknown

from . import keys, requests
from .names import NAME_INPUTS, alternative_names, check_names, subject
from .signing import EXTENDED_KEY_USAGES, KEY_USAGES, Template, sign

Found = TypeVar("Found", bound=x509.ExtensionType)

_RENEWAL: Final = ("readyForRenewal",)
_UNSET: Final[Properties] = {"earlyRenewalHours": 0, "isCaCertificate": False, "maxPathLength": -1, "setSubjectKeyId": False}


def now() -> datetime:
    """The present, in whole seconds as certificates have it."""
    return datetime.now(UTC).replace(microsecond=0)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ready_for_renewal(outputs: Properties, early_renewal_hours: int) -> bool:
    """Whether the certificate has expired or is within its time of early renewal."""
    end = outputs.get("validityEndTime")
    return isinstance(end, str) and datetime.fromisoformat(end) - timedelta(hours=early_renewal_hours) <= now()


class _Certificate(Resource):
    """What both kinds have in common: every change but that of `earlyRenewalHours` replaces, and so does the time of renewal."""

    inputs = frozenset({"allowedUses", "validityPeriodHours", *_UNSET})
    required = frozenset({"allowedUses", "validityPeriodHours"})
    computed = frozenset({"certPem", "readyForRenewal", "validityEndTime", "validityStartTime", *_UNSET})
    unset: ClassVar[Properties] = _UNSET

    def settled(self, inputs: Properties) -> Properties:
        """What is not said is off."""
        return {**self.unset, **inputs}

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """Refuses unknown uses and negative hours."""
        checked, failures = super().check(inputs, old_inputs)
        uses = checked.get("allowedUses", ())
        if uses is not UNKNOWN:
            accepted = sorted(KEY_USAGES.keys() | EXTENDED_KEY_USAGES.keys())
            failures += [
                Failure(f"allowedUses[{index}]", f"'{use}' is no key usage; those are {', '.join(accepted)}")
                for index, use in enumerate(uses)
                if use is not UNKNOWN and use not in accepted
            ]
        failures += [
            Failure(name, f"{name} must be at least 0")
            for name in ("validityPeriodHours", "earlyRenewalHours")
            if not has_unknown(checked.get(name, 0)) and checked.get(name, 0) < 0
        ]
        return checked, failures

    def diff(self, old: State, inputs: Properties) -> Difference:
        """A certificate due for renewal is replaced though no input changed."""
        found = super().diff(old, inputs)
        replaces = frozenset(path for path in found.changes if path[0] != "earlyRenewalHours")
        early = inputs.get("earlyRenewalHours", 0)
        if early is not UNKNOWN and ready_for_renewal(old.outputs, early):
            changes = {**found.changes, _RENEWAL: "update"}
            return replace(found, changes=changes, replaces=replaces | {_RENEWAL}, outputs=frozenset({_RENEWAL}))
        return replace(found, replaces=replaces)

    def planned(self, inputs: Properties) -> Properties:
        """It is known before that a new certificate needs no renewal."""
        return {**super().planned(inputs), "readyForRenewal": False}

    async def read(self, call: Call, old: State) -> State | None:
        """The state, with whether it is time for renewal."""
        del call
        early = old.outputs.get("earlyRenewalHours", 0)
        return replace(old, outputs={**old.outputs, "readyForRenewal": ready_for_renewal(old.outputs, early)})

    async def update(self, call: Call, old: State, inputs: Properties) -> Properties:
        """Takes the new hours of early renewal; the certificate stays."""
        del call
        return {**self.planned_update(old, inputs), "readyForRenewal": False}

    async def delete(self, call: Call, old: State) -> None:
        """Forgets the certificate with the state; it cannot be revoked."""

    def issue(self, template: Template, key: keys.Key, inputs: Properties, extra: Properties) -> State:
        """Signs the template and makes the state of it; the id is the serial number."""
        if template.is_ca and not template.subject.rdns:
            raise ProviderError("a certificate authority needs a subject with at least one part")
        certificate = sign(template, key)
        times = {"validityStartTime": _text(template.start), "validityEndTime": _text(template.start + template.validity)}
        pem = certificate.public_bytes(Encoding.PEM).decode()
        outputs = {**self.settled(inputs), **extra, **times, "certPem": pem, "readyForRenewal": False}
        return State(str(certificate.serial_number), outputs)

    def template(self, inputs: Properties, request: Template) -> Template:
        """The request completed with what the inputs say of validity and use."""
        length = inputs.get("maxPathLength", -1)
        return replace(
            request,
            start=now(),
            validity=timedelta(hours=inputs["validityPeriodHours"]),
            uses=tuple(inputs["allowedUses"]),
            is_ca=inputs.get("isCaCertificate", False),
            max_path_length=None if length < 0 else length,
            with_subject_key_id=inputs.get("setSubjectKeyId", False),
        )


def _request(name: x509.Name, issuer: x509.Name, public_key: object, alternatives: x509.SubjectAlternativeName | None) -> Template:
    """A template of who is certified by whom, without validity and use."""
    return Template(
        subject=name,
        issuer=issuer,
        public_key=public_key,  # pyright: ignore[reportArgumentType] - what a key or request gives, a certificate takes
        alternatives=alternatives,
        start=now(),
        validity=timedelta(),
        uses=(),
        is_ca=False,
        max_path_length=None,
        with_subject_key_id=False,
        authority_key_id=None,
    )


class SelfSignedCert(_Certificate):
    """A certificate signed with its own key."""

    type = "tls:index/selfSignedCert:SelfSignedCert"
    unset: ClassVar[Properties] = {**_UNSET, "setAuthorityKeyId": False}
    inputs = _Certificate.inputs | NAME_INPUTS | {"privateKeyPem", "setAuthorityKeyId"}
    required = _Certificate.required | {"privateKeyPem"}
    computed = _Certificate.computed | {"keyAlgorithm", "setAuthorityKeyId"}
    secret_outputs = frozenset({"privateKeyPem"})

    def check(self, inputs: Properties, old_inputs: Properties) -> tuple[Properties, list[Failure]]:
        """Refuses names that cannot be, too."""
        checked, failures = super().check(inputs, old_inputs)
        return checked, failures + check_names(checked)

    async def create(self, call: Call, inputs: Properties) -> State:
        """Signs the certificate."""
        del call
        key = keys.load(inputs["privateKeyPem"], "privateKeyPem")
        name = subject(inputs)
        template = self.template(inputs, _request(name, name, key.public_key(), alternative_names(inputs)))
        if inputs.get("setAuthorityKeyId"):
            if not (template.is_ca or template.with_subject_key_id):
                raise ProviderError("setAuthorityKeyId needs setSubjectKeyId or isCaCertificate: a self-signed certificate is its own authority")
            template = replace(template, authority_key_id=x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest)
        return self.issue(template, key, inputs, {"keyAlgorithm": keys.algorithm(key)})


class LocallySignedCert(_Certificate):
    """A certificate for a request, signed with an authority's key."""

    type = "tls:index/locallySignedCert:LocallySignedCert"
    inputs = _Certificate.inputs | {"caCertPem", "caPrivateKeyPem", "certRequestPem"}
    required = _Certificate.required | {"caCertPem", "caPrivateKeyPem", "certRequestPem"}
    computed = _Certificate.computed | {"caKeyAlgorithm"}
    secret_outputs = frozenset({"caPrivateKeyPem"})

    async def create(self, call: Call, inputs: Properties) -> State:
        """Signs the certificate."""
        request = requests.load(inputs["certRequestPem"])
        key = keys.load(inputs["caPrivateKeyPem"], "caPrivateKeyPem")
        authority = _authority(inputs["caCertPem"])
        if not _may_sign(authority):
            await call.log("warning", "caCertPem is not the certificate of a certificate authority: what it signs may be refused")
        alternatives = _extension(request.extensions, x509.SubjectAlternativeName)
        template = self.template(inputs, _request(request.subject, authority.subject, request.public_key(), alternatives))
        identifier = _extension(authority.extensions, x509.SubjectKeyIdentifier)
        if identifier is not None:
            template = replace(template, authority_key_id=identifier.digest)
        return self.issue(template, key, inputs, {"caKeyAlgorithm": keys.algorithm(key)})


def _authority(text: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        raise ProviderError("caCertPem is not a certificate in PEM") from None


def _may_sign(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate.extensions, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _extension(extensions: x509.Extensions, kind: type[Found]) -> Found | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None

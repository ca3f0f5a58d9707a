"""A serving certificate for something inside the cluster, with an authority of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_tls as tls
from pulumi import ResourceOptions

from components.authorities import CA_USES, HOURS_PER_DAY
from settings.cluster import Certificates

SERVER_USES = ("digital_signature", "key_encipherment", "server_auth")


@dataclass(frozen=True, kw_only=True)
class ServingCertificateArgs:
    """Whom it names, the most important name first, and how long it and its authority live."""

    names: Sequence[str]
    lifetimes: Certificates


class ServingCertificate(pulumi.ComponentResource):
    """A key and its certificate, renewed in place of the old one near its end. Its authority vouches for nothing else, so it may be replaced."""

    def __init__(self, name: str, args: ServingCertificateArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:authorities:ServingCertificate", name, None, opts)
        own = ResourceOptions(parent=self)
        authority_key = tls.PrivateKey(f"{name}-authority-key", algorithm="ECDSA", ecdsa_curve="P256", opts=own)
        authority = tls.SelfSignedCert(
            f"{name}-authority",
            private_key_pem=authority_key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{args.names[0]}-ca"),
            is_ca_certificate=True,
            set_subject_key_id=True,
            allowed_uses=list(CA_USES),
            validity_period_hours=args.lifetimes.authority_days * HOURS_PER_DAY,
            early_renewal_hours=args.lifetimes.renew_days * HOURS_PER_DAY,
            opts=own,
        )
        key = tls.PrivateKey(f"{name}-key", algorithm="ECDSA", ecdsa_curve="P256", opts=own)
        request = tls.CertRequest(
            f"{name}-request",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=args.names[0]),
            dns_names=list(args.names),
            opts=own,
        )
        certificate = tls.LocallySignedCert(
            f"{name}-certificate",
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=authority_key.private_key_pem,
            ca_cert_pem=authority.cert_pem,
            allowed_uses=list(SERVER_USES),
            validity_period_hours=args.lifetimes.admin_days * HOURS_PER_DAY,
            early_renewal_hours=args.lifetimes.renew_days * HOURS_PER_DAY,
            opts=own,
        )
        self.authority_pem: pulumi.Output[str] = authority.cert_pem
        self.certificate_pem: pulumi.Output[str] = certificate.cert_pem
        self.key_pem: pulumi.Output[str] = pulumi.Output.secret(key.private_key_pem)
        self.register_outputs({"certificate_pem": self.certificate_pem})

"""The cluster's authorities and credentials, known before any machine exists."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_random as random
import pulumi_tls as tls
from pulumi import ResourceOptions

from plan import Plan
from render.kubeconfig import discovery_hash, kubeconfig

HOURS_PER_DAY = 24
CA_USES = ("digital_signature", "key_encipherment", "cert_signing", "crl_signing")
CLIENT_USES = ("digital_signature", "key_encipherment", "client_auth")
ADMIN_GROUP = "kubeadm:cluster-admins"
"""Bound to cluster-admin by kubeadm init, so it can be revoked; system:masters never can."""


@dataclass(frozen=True, kw_only=True)
class AuthoritiesArgs:
    """What the authorities need to know."""

    plan: Plan


@dataclass(frozen=True, kw_only=True)
class AuthorityArgs:
    """What one authority is called, how long it lives, and whether it may go."""

    common_name: str
    days: int
    protect: bool


class Authority(pulumi.ComponentResource):
    """A key and its self-signed CA certificate, both protected (protection.authorities): replacing them cuts every node off."""

    def __init__(self, name: str, args: AuthorityArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:authorities:Authority", name, None, opts)
        keep = ResourceOptions(parent=self, protect=args.protect)
        key = tls.PrivateKey(f"{name}-key", algorithm="ECDSA", ecdsa_curve="P256", opts=keep)
        certificate = tls.SelfSignedCert(
            f"{name}-certificate",
            private_key_pem=key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=args.common_name),
            is_ca_certificate=True,
            set_subject_key_id=True,
            allowed_uses=list(CA_USES),
            validity_period_hours=args.days * HOURS_PER_DAY,
            opts=keep,
        )
        self.key_pem: pulumi.Output[str] = key.private_key_pem
        self.public_key_pem: pulumi.Output[str] = key.public_key_pem
        self.certificate_pem: pulumi.Output[str] = certificate.cert_pem
        self.register_outputs({"certificate_pem": self.certificate_pem})


class Authorities(pulumi.ComponentResource):
    """Cluster, etcd and front-proxy CA, service-account key, admin certificate, bootstrap token, encryption key, SSH key.

    The admin certificate renews itself in place of the old one near its end; everything else stays for the environment's life.
    """

    def __init__(self, name: str, args: AuthoritiesArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("underlay:authorities:Authorities", name, None, opts)
        plan = args.plan
        days = plan.settings.cluster.certificates.authority_days
        own = ResourceOptions(parent=self)
        protect = plan.settings.protection.authorities
        keep = ResourceOptions(parent=self, protect=protect)

        def authority(kind: str, common_name: str) -> Authority:
            return Authority(f"{name}-{kind}", AuthorityArgs(common_name=common_name, days=days, protect=protect), own)

        self.cluster_ca = authority("cluster-ca", "kubernetes")
        self.etcd_ca = authority("etcd-ca", "etcd-ca")
        self.front_proxy_ca = authority("front-proxy-ca", "front-proxy-ca")
        self._service_accounts = tls.PrivateKey(f"{name}-service-accounts-key", algorithm="ECDSA", ecdsa_curve="P256", opts=keep)
        self._encryption = random.RandomBytes(f"{name}-encryption-key", length=32, opts=keep)
        operator = tls.PrivateKey(f"{name}-operator-key", algorithm="ED25519", opts=own)
        self.operator_key: pulumi.Output[str] = operator.private_key_openssh
        self.operator_public_key: pulumi.Output[str] = operator.public_key_openssh.apply(str.strip)
        self.bootstrap_token = self._token(name)
        self.kubeconfig = self._kubeconfig(name, plan)
        self.ca_hash: pulumi.Output[str] = self.cluster_ca.public_key_pem.apply(discovery_hash)
        self.encryption_key: pulumi.Output[str] = self._encryption.base64
        self.register_outputs({"ca_hash": self.ca_hash})

    def control_plane_files(self) -> dict[str, pulumi.Output[str]]:
        """Path on a control plane to PEM text, without the encryption configuration."""
        pki = "/etc/kubernetes/pki"
        return {
            f"{pki}/ca.crt": self.cluster_ca.certificate_pem,
            f"{pki}/ca.key": self.cluster_ca.key_pem,
            f"{pki}/etcd/ca.crt": self.etcd_ca.certificate_pem,
            f"{pki}/etcd/ca.key": self.etcd_ca.key_pem,
            f"{pki}/front-proxy-ca.crt": self.front_proxy_ca.certificate_pem,
            f"{pki}/front-proxy-ca.key": self.front_proxy_ca.key_pem,
            f"{pki}/sa.key": self._service_accounts.private_key_pem,
            f"{pki}/sa.pub": self._service_accounts.public_key_pem,
        }

    def _token(self, name: str) -> pulumi.Output[str]:
        """kubeadm's form: [a-z0-9]{6}.[a-z0-9]{16}; the first half is public, the second is secret."""
        own = ResourceOptions(parent=self)
        token_id = random.RandomString(f"{name}-token-id", length=6, upper=False, special=False, opts=own)
        token_secret = random.RandomPassword(f"{name}-token-secret", length=16, upper=False, special=False, opts=own)
        return pulumi.Output.secret(pulumi.Output.concat(token_id.result, ".", token_secret.result))

    def _kubeconfig(self, name: str, plan: Plan) -> pulumi.Output[str]:
        own = ResourceOptions(parent=self)
        lifetimes = plan.settings.cluster.certificates
        key = tls.PrivateKey(f"{name}-admin-key", algorithm="ECDSA", ecdsa_curve="P256", opts=own)
        subject = tls.CertRequestSubjectArgs(common_name=f"{plan.settings.name}-admin", organization=ADMIN_GROUP)
        request = tls.CertRequest(f"{name}-admin-request", private_key_pem=key.private_key_pem, subject=subject, opts=own)
        certificate = tls.LocallySignedCert(
            f"{name}-admin-certificate",
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=self.cluster_ca.key_pem,
            ca_cert_pem=self.cluster_ca.certificate_pem,
            allowed_uses=list(CLIENT_USES),
            validity_period_hours=lifetimes.admin_days * HOURS_PER_DAY,
            early_renewal_hours=lifetimes.renew_days * HOURS_PER_DAY,
            opts=own,
        )

        def assemble(parts: Sequence[str]) -> str:
            authority, client, client_key = parts
            return kubeconfig(
                cluster=plan.settings.name, server=plan.api_url, ca_certificate=authority, client_certificate=client, client_key=client_key
            )

        parts = pulumi.Output.all(self.cluster_ca.certificate_pem, certificate.cert_pem, key.private_key_pem)
        return pulumi.Output.secret(parts.apply(assemble))

"""How long the certificates on each node's disk still hold. Only certificates leave a node, never the keys beside them."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from ops.verify.model import Check, Figure, Finding, Probe, Seen, missing
from ops.verify.reading.answers import PRELUDE, Sections, Verdict, each_node
from plan import NodePlan, Plan

CHECK = "nodes.certificates"
LIFETIME_PARTS = 10
"""A certificate may be so short that the declared days are most of its life; kubelet renews at a fifth or more."""
PKI = "/etc/kubernetes/pki"
KUBELET_CLIENT, KUBELET_SERVER = "/var/lib/kubelet/pki/kubelet-client-current.pem", "/var/lib/kubelet/pki/kubelet.crt"
CONTROL_PLANE_FILES = (
    *(f"{PKI}/{name}.crt" for name in ("apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-ca", "front-proxy-client")),
    *(f"{PKI}/etcd/{name}.crt" for name in ("ca", "server", "peer", "healthcheck-client")),
)
CONTROL_PLANE_CONFIGS = tuple(f"/etc/kubernetes/{name}.conf" for name in ("admin", "controller-manager", "scheduler"))
OPTIONAL_CONFIGS = ("/etc/kubernetes/super-admin.conf",)
AUTHORITIES = (f"{PKI}/ca.crt", f"{PKI}/front-proxy-ca.crt", f"{PKI}/etcd/ca.crt")


def required_files(node: NodePlan) -> tuple[str, ...]:
    """Certificates, and kubeconfigs with one, that every node of its kind has."""
    own = (f"{PKI}/ca.crt", KUBELET_CLIENT)
    return (*own, *CONTROL_PLANE_FILES, *CONTROL_PLANE_CONFIGS) if node.is_control_plane else own


def _script(_plan: Plan, node: NodePlan) -> str:
    configs = (*CONTROL_PLANE_CONFIGS, *OPTIONAL_CONFIGS) if node.is_control_plane else ()
    files = [path for path in (*required_files(node), KUBELET_SERVER) if path not in configs]
    return f"""{PRELUDE}
certificates() {{ sed -n '/^-----BEGIN CERTIFICATE-----$/,/^-----END CERTIFICATE-----$/p' "$1"; }}
in_config() {{ sed -n 's/^ *client-certificate-data: *//p' "$1"; }}
for path in {" ".join(files)}; do [[ ! -r $path ]] || ask "$path" certificates "$path"; done
for path in {" ".join(configs)}; do [[ ! -r $path ]] || ask "$path" in_config "$path"; done
ask end true
"""


PROBE = Probe(key="node-certificates", script=_script)


@dataclass(frozen=True, kw_only=True)
class Life:
    """From when to when a certificate holds."""

    path: str
    begins: datetime
    ends: datetime

    def limit(self, renew: timedelta) -> timedelta:
        """What must be left at least."""
        return min(renew, (self.ends - self.begins) / LIFETIME_PARTS)


def _life(path: str, text: str) -> Life | None:
    """A certificate in PEM, or that in base64 as a kubeconfig has it; None where it is none."""
    try:
        pem = text.encode() if text.startswith("-----") else base64.b64decode("".join(text.split()), validate=True)
        found = x509.load_pem_x509_certificates(pem)[0]
    except (ValueError, IndexError, binascii.Error):
        return None
    return Life(path=path, begins=found.not_valid_before_utc, ends=found.not_valid_after_utc)


def _remedy(path: str, node: NodePlan) -> str:
    if path in AUTHORITIES:
        return "the authority ends: see cluster.certificates.authority_days; a new one is a new cluster"
    if path.startswith("/var/lib/kubelet"):
        return f"systemctl restart kubelet on {node.name} and see its log: it renews its own"
    return f"on {node.name}: kubeadm certs renew all, then restart the static pods (move their files out of /etc/kubernetes/manifests and back)"


def _certificates(seen: Seen) -> Iterator[Finding]:
    renew = timedelta(days=seen.plan.settings.cluster.certificates.renew_days)

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        if said.text("end") is None or not seen.clock_s:
            yield missing(CHECK, node.name, "the node's answer is not whole" if seen.clock_s else "it is not known what time it is")
            return
        now = datetime.fromtimestamp(seen.clock_s, UTC)
        lives = [life for path, text in said.texts.items() if path.startswith("/") and (life := _life(path, text))]
        unread = [path for path in required_files(node) if path not in {life.path for life in lives}]
        due = [life for life in lives if life.ends - now < life.limit(renew)]
        early = [life for life in lives if life.begins > now]
        first = next((life.path for life in (*due, *early)), unread[0] if unread else "")
        verdict = Verdict(
            check=CHECK,
            where=node.name,
            declared=f"{renew.days} days left (cluster.certificates.renew_days), or a tenth of the whole time",
            remedy=_remedy(first, node),
        )
        lines = [f"{path} is missing or no certificate" for path in unread]
        lines += [_due(life, now) for life in sorted(due, key=lambda life: life.ends)]
        lines += [f"{life.path} holds from {life.begins:%Y-%m-%d %H:%M} UTC on alone" for life in early]
        soonest = min((life.ends for life in lives), default=now)
        figures = [Figure(name="soonest end of a certificate", value=(soonest - now) / timedelta(days=1), unit="days")] if lives else []
        yield verdict.of(lines, f"{len(lives)} certificates, the first ends on {soonest:%Y-%m-%d}", figures)

    yield from each_node(CHECK, PROBE, judge, seen)


def _due(life: Life, now: datetime) -> str:
    when = f"{life.ends:%Y-%m-%d %H:%M} UTC"
    return f"{life.path} ended on {when}" if life.ends <= now else f"{life.path} ends on {when}, in {(life.ends - now) / timedelta(days=1):.1f} days"


CHECKS: tuple[Check, ...] = (
    Check(
        id=CHECK,
        area="nodes",
        title="No certificate on a node ends soon",
        severity="error",
        judge=_certificates,
        probes=(PROBE,),
    ),
)

"""Faults of nodes."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ops.verify.sabotage import Sabotage

SERVING = "/var/lib/kubelet/pki/kubelet.crt"
ANOTHER_ADDRESS = """cat >{state}.sh <<'END'
while :; do
  kubectl patch node {node} --subresource=status --type json --patch '[{"op": "replace", "path": "/status/addresses/0/address", "value": "10.77.0.99"}]'
  sleep 0.5
done
END
setsid bash {state}.sh >/dev/null 2>&1 & echo $! >{state}; sleep 5"""


def ended() -> str:
    """A certificate that ended with the year 2025, in PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sabotage")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = builder.not_valid_before(datetime(2025, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2026, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        name="nodes.kernel",
        names=frozenset({"nodes.kernel"}),
        breaks="sed 's/nowatchdog//' /proc/cmdline >/run/{unit} && mount --bind /run/{unit} /proc/cmdline",
        mends="umount /proc/cmdline 2>/dev/null || true; rm -f /run/{unit}",
        says="the command line lacks nowatchdog",
    ),
    Sabotage(
        name="nodes.modules",
        names=frozenset({"nodes.modules"}),
        breaks="modprobe -r ip_vs_sh",
        mends="modprobe ip_vs_sh",
        says="ip_vs_sh is not loaded",
    ),
    Sabotage(
        name="nodes.sysctls",
        names=frozenset({"nodes.sysctls"}),
        breaks="sysctl -qw net.core.somaxconn=128",
        mends="sysctl -qw net.core.somaxconn=32768",
        says="net.core.somaxconn is 128, declared 32768",
    ),
    Sabotage(
        name="nodes.swap",
        names=frozenset({"nodes.swap"}),
        breaks="dd if=/dev/zero of=/swapfile bs=1M count=16 status=none && chmod 600 /swapfile && mkswap /swapfile >/dev/null && swapon /swapfile",
        mends="swapoff /swapfile 2>/dev/null || true; rm -f /swapfile",
        says="swap on /swapfile",
    ),
    Sabotage(
        name="nodes.files",
        names=frozenset({"nodes.files"}),
        breaks="cp -p /etc/modprobe.d/underlay.conf /run/{unit} && echo '# by hand' >>/etc/modprobe.d/underlay.conf",
        mends="[[ ! -e /run/{unit} ]] || mv /run/{unit} /etc/modprobe.d/underlay.conf",
        says="/etc/modprobe.d/underlay.conf differs from what is declared",
    ),
    Sabotage(
        name="nodes.containerd",
        names=frozenset({"nodes.containerd"}),
        breaks="cp -p /etc/containerd/config.toml /run/{unit} && echo '# by hand' >>/etc/containerd/config.toml",
        mends="[[ ! -e /run/{unit} ]] || mv /run/{unit} /etc/containerd/config.toml",
        says="/etc/containerd/config.toml differs from what is declared",
    ),
    Sabotage(
        name="nodes.kubelet",
        names=frozenset({"nodes.kubelet"}),
        breaks="cp -p /var/lib/kubelet/config.yaml /run/{unit} && sed -i 's/^failSwapOn: true/failSwapOn: false/' /var/lib/kubelet/config.yaml",
        mends="[[ ! -e /run/{unit} ]] || mv /run/{unit} /var/lib/kubelet/config.yaml",
        says="failSwapOn is false, declared true",
    ),
    Sabotage(
        name="nodes.access",
        names=frozenset({"nodes.access"}),
        breaks="cp -p /root/.ssh/authorized_keys /run/{unit} && echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIStranger x' >>/root/.ssh/authorized_keys",
        mends="[[ ! -e /run/{unit} ]] || mv /run/{unit} /root/.ssh/authorized_keys",
        says="1 more keys than declared may log in",
    ),
    Sabotage(
        name="nodes.clock",
        alone=True,
        names=frozenset({"nodes.clock"}),
        # ten seconds are less than leases and tokens bear; chrony steps only while it is young
        breaks="date --set '+10 seconds' >/dev/null",
        mends="chronyc burst 4/4 >/dev/null; sleep 10; chronyc makestep >/dev/null",
        says="ahead of 10.77.0.1, limit 5000 ms",
    ),
    Sabotage(
        name="nodes.certificates",
        names=frozenset({"nodes.certificates"}),
        # kubelet has read its own long ago
        breaks=f"cp -p {SERVING} /run/{{unit}} && cat >{SERVING} <<'END'\n{ended()}END\n",
        mends=f"[[ ! -e /run/{{unit}} ]] || mv /run/{{unit}} {SERVING}",
        says=f"{SERVING} ended on 2026-01-01 00:00 UTC",
    ),
    Sabotage(
        name="nodes.ready",
        names=frozenset({"nodes.ready"}),
        where="cluster",
        breaks="kubectl cordon {node} >/dev/null",
        mends="kubectl uncordon {node} >/dev/null",
        says="cordoned",
    ),
    Sabotage(
        name="nodes.labels",
        names=frozenset({"nodes.labels"}),
        where="cluster",
        breaks="kubectl label node {node} underlay.dev/pool=other --overwrite >/dev/null",
        mends="kubectl label node {node} underlay.dev/pool=worker --overwrite >/dev/null",
        says="label underlay.dev/pool is other, declared worker",
    ),
    Sabotage(
        name="nodes.addresses",
        names=frozenset({"nodes.addresses"}),
        where="cluster",
        only=("nodes.addresses", "nodes.labels", "nodes.ready", "residency.nodes"),
        # kubelet writes it again every ten seconds; the questions are the API's alone.
        breaks=ANOTHER_ADDRESS,
        mends="kill -- -$(cat {state}) 2>/dev/null; rm -f {state} {state}.sh; for n in $(seq 60); do kubectl get node {node} -o jsonpath={.status.addresses} "
        "| grep -q {address} && exit 0; sleep 2; done; exit 1",
        says="10.77.0.99",
    ),
    Sabotage(
        name="nodes.reachable",
        alone=True,
        names=frozenset({"nodes.reachable"}),
        where="hypervisor",
        # For whoever asks from here; the nodes reach each other.
        breaks="ip -n {namespace} route add unreachable {address}/32",
        mends="ip -n {namespace} route delete unreachable {address}/32 2>/dev/null || true",
        silences=True,
        says="No route to host",
    ),
)

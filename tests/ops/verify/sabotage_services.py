"""Faults of Services and of connection tracking; for mode ipvs and the lab's stack."""

from tests.ops.verify.sabotage import Sabotage, again, stop

STALE = "10.111.255.254"
"""A Service address that nobody has."""
KUBE_DNS = "10.96.0.10"
OFTEN_S = 0.4
"""Between two breaks of what each sync of kube-proxy removes at its end: a look in that gap would find all well. Less starves an emulated node."""
FIRST_REAL = f"$(ipvsadm -Ln -t {KUBE_DNS}:53 | awk '$1 == \"->\" && $2 ~ /^[0-9]/ {{ print $2; exit }}')"

LIGHT = tuple(
    f"services.{name}" for name in ("mode", "configuration", "leftovers", "tables", "addresses", "sets", "ipvs-settings", "sync", "dns-answers")
)
"""Without the trial, whose Service a kube-proxy that is busy sees late."""
ONE_PORT = "-p udp -d {gateway} --dport 9 -j SNAT --to-source {address}:5000"
METRIC = "kubeproxy_sync_proxy_rules_iptables_restore_failures_total"
SYNC_FAILED = (
    "for n in $(seq 120); do "
    f"curl -s --max-time 2 http://127.0.0.1:10249/metrics | grep -Eq '^{METRIC}(\\{{[^}}]*\\}})? [1-9]' && exit 0; sleep 1; done; exit 1"
)


def runs(mode: str) -> str:
    """Wait until kube-proxy says that it runs in this mode, two minutes at most."""
    return f"for n in $(seq 120); do [[ $(curl -s --max-time 2 http://127.0.0.1:10249/proxyMode) == {mode} ]] && exit 0; sleep 1; done; exit 1"


RESTARTED = f"kill $(pgrep -x kube-proxy); sleep 5; {runs('ipvs')}"
ANOTHER_MODE = (
    "systemctl stop kubelet; pid=$(pgrep -x kube-proxy); "
    "sed 's/mode: ipvs/mode: iptables/' /proc/$pid/root/var/lib/kube-proxy/config.conf > /proc/$pid/root/tmp.conf; "
    'systemd-run --quiet --collect --unit {unit} bash -c "exec 9</proc/$pid/ns/mnt; kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.2; done; '
    'exec nsenter --mount=/proc/self/fd/9 -- /usr/local/bin/kube-proxy --config=/tmp.conf --hostname-override={node}"; ' + runs("iptables")
)
"""kubelet puts back what is changed in a ConfigMap's volume before it starts the container again: so it stands still, and kube-proxy runs beside it."""


SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        name="services.mode",
        alone=True,
        names=frozenset({"services.mode", "services.configuration", "services.leftovers"}),
        may=frozenset({"services.tables", "services.addresses", "services.sets", "services.sync", "services.ipvs-settings", "nodes.sysctls"}),
        only=(*LIGHT, "conntrack"),
        breaks=ANOTHER_MODE,
        # IPVS mode never removes what iptables mode left.
        mends="systemctl stop {unit} 2>/dev/null || true; iptables -w -t nat -F KUBE-SERVICES; systemctl start kubelet; for act in F X; do "
        "iptables-save -t nat | grep -oE '^:KUBE-(SVC|SEP)-[A-Z0-9]+' | tr -d : | xargs -rn 1 iptables -w -t nat -$act; done; " + runs("ipvs"),
        says="iptables",
    ),
    Sabotage(
        name="services.configuration",
        # kubelet brings it to the nodes within a minute, where kube-proxy would start again with it
        only=("services.configuration", "services.mode", "conntrack"),
        names=frozenset({"services.configuration"}),
        where="cluster",
        at="cluster",
        breaks="kubectl -n kube-system get configmap kube-proxy -o json | sed 's/scheduler: rr/scheduler: lc/' | kubectl apply -f - >/dev/null",
        mends="kubectl -n kube-system get configmap kube-proxy -o json | sed 's/scheduler: lc/scheduler: rr/' | kubectl apply -f - >/dev/null",
        says='the ConfigMap\'s ipvs.scheduler is "lc"',
    ),
    Sabotage(
        name="services.tables",
        names=frozenset({"services.tables"}),
        breaks=again(f"ipvsadm -A -t {STALE}:80 -s rr 2>/dev/null"),
        mends=stop(f"ipvsadm -D -t {STALE}:80"),
        says=f"tcp {STALE}:80 is in the kernel and no Service's",
    ),
    Sabotage(
        name="services.tables scheduler",
        names=frozenset({"services.tables"}),
        breaks=again("ipvsadm -E -t 10.96.0.1:443 -s wlc"),
        mends=stop("ipvsadm -E -t 10.96.0.1:443 -s rr"),
        says="has scheduler wlc, declared rr",
    ),
    Sabotage(
        name="services.tables weight",
        names=frozenset({"services.tables"}),
        breaks=f"ipvsadm -e -t {KUBE_DNS}:53 -r {FIRST_REAL} -m -w 0",
        mends=f"ipvsadm -e -t {KUBE_DNS}:53 -r {FIRST_REAL} -m -w 1",
        says="weight 0, though ready",
    ),
    Sabotage(
        name="services.leftovers",
        names=frozenset({"services.leftovers"}),
        breaks="iptables -t nat -N KUBE-SVC-SABOTAGE",
        mends="iptables -t nat -X KUBE-SVC-SABOTAGE 2>/dev/null || true",
        says="iptables mode's chains in table nat: KUBE-SVC-SABOTAGE",
    ),
    Sabotage(
        name="services.leftovers nftables",
        names=frozenset({"services.leftovers"}),
        breaks="nft add table ip kube-proxy",
        mends="nft delete table ip kube-proxy 2>/dev/null || true",
        says="nftables mode's table ip kube-proxy",
    ),
    Sabotage(
        name="services.addresses",
        names=frozenset({"services.addresses"}),
        breaks=again(f"ip address replace {STALE}/32 dev kube-ipvs0", OFTEN_S),
        mends=stop(f"ip address delete {STALE}/32 dev kube-ipvs0"),
        says=f"{STALE} is no Service's",
    ),
    Sabotage(
        name="services.sets",
        names=frozenset({"services.sets"}),
        breaks=again(f"ipset add -exist KUBE-CLUSTER-IP {STALE},tcp:80"),
        mends=stop(f"ipset del -exist KUBE-CLUSTER-IP {STALE},tcp:80"),
        says=f"KUBE-CLUSTER-IP has {STALE},tcp:80",
    ),
    Sabotage(
        name="services.strict-arp",
        names=frozenset({"services.strict-arp"}),
        breaks="sysctl -qw net.ipv4.conf.all.arp_ignore=0",
        mends="sysctl -qw net.ipv4.conf.all.arp_ignore=1",
        says="net.ipv4.conf.all.arp_ignore is 0",
    ),
    Sabotage(
        name="services.ipvs-settings",
        names=frozenset({"services.ipvs-settings"}),
        breaks="sysctl -qw net.ipv4.vs.expire_nodest_conn=0",
        mends="sysctl -qw net.ipv4.vs.expire_nodest_conn=1",
        says="net.ipv4.vs.expire_nodest_conn is 0",
    ),
    Sabotage(
        name="services.sync",
        alone=True,
        names=frozenset({"services.sync"}),
        may=frozenset({"services.tables", "services.sets", "services.addresses", "services.keeps-answering"}),
        # In its own container, whose next start is from the image again.
        breaks=f"ln -sf /bin/false /proc/$(pgrep -x kube-proxy)/root/usr/sbin/iptables-restore && {SYNC_FAILED}",
        mends=RESTARTED,
        says="failed since kube-proxy started",
    ),
    Sabotage(
        name="services.api-answers",
        names=frozenset({"services.api-answers"}),
        breaks="iptables -t raw -I OUTPUT -d 10.96.0.1/32 -p tcp --dport 443 -j DROP",
        mends="iptables -t raw -D OUTPUT -d 10.96.0.1/32 -p tcp --dport 443 -j DROP 2>/dev/null || true",
        says="api ended with 28",
    ),
    Sabotage(
        name="services.dns-answers",
        names=frozenset({"services.dns-answers"}),
        breaks=f"iptables -t raw -I OUTPUT -d {KUBE_DNS}/32 -p udp --dport 53 -j DROP",
        mends=f"iptables -t raw -D OUTPUT -d {KUBE_DNS}/32 -p udp --dport 53 -j DROP 2>/dev/null || true",
        says="no answer in 3 tries",
    ),
    Sabotage(
        name="services.keeps-answering",
        names=frozenset({"services.keeps-answering"}),
        only=("services.keeps-answering", "services.tables", "nodes.reachable"),
        # It stands still: the kernel keeps what it has, and nothing new comes.
        breaks="kill -STOP $(pgrep -x kube-proxy)",
        mends="kill -CONT $(pgrep -x kube-proxy)",
        says="did not answer lab-worker-1",
    ),
    Sabotage(
        name="conntrack.maximum",
        names=frozenset({"conntrack.maximum"}),
        breaks="sysctl -qw net.netfilter.nf_conntrack_max=65536",
        mends="sysctl -qw net.netfilter.nf_conntrack_max=131072",
        says="net.netfilter.nf_conntrack_max is 65536, declared 131072",
    ),
    Sabotage(
        name="conntrack.hash",
        names=frozenset({"conntrack.hash"}),
        breaks="echo 8192 >/sys/module/nf_conntrack/parameters/hashsize",
        mends="echo 32768 >/sys/module/nf_conntrack/parameters/hashsize",
        says="the hash has 8192 buckets, declared 32768",
    ),
    Sabotage(
        name="conntrack.timeouts",
        names=frozenset({"conntrack.timeouts"}),
        breaks="sysctl -qw net.netfilter.nf_conntrack_udp_timeout=31",
        mends="sysctl -qw net.netfilter.nf_conntrack_udp_timeout=30",
        says="nf_conntrack_udp_timeout is 31, declared 30",
    ),
    Sabotage(
        name="conntrack.headroom",
        # A hundred thousand connections take minutes to make where machines are emulated: the table is a smaller one, too.
        names=frozenset({"conntrack.headroom", "conntrack.maximum"}),
        breaks="sysctl -qw net.netfilter.nf_conntrack_max=4096 && "
        "for port in $(seq 3400); do echo -I -p udp -s 198.51.100.1 -d 203.0.113.1 --sport $port --dport 9 -t 300; done >/run/{unit} && "
        "conntrack -R /run/{unit} >/dev/null 2>&1",
        mends="sysctl -qw net.netfilter.nf_conntrack_max=131072; conntrack -D -d 203.0.113.1 >/dev/null 2>&1 || true",
        says="in use",
    ),
    Sabotage(
        name="conntrack.losses",
        names=frozenset({"conntrack.losses"}),
        # Connections that would all leave from one port: the second is not taken into the table.
        breaks=f"iptables -t nat -I POSTROUTING {ONE_PORT} && " + again("for n in 1 2 3 4; do echo >/dev/udp/{gateway}/9; done 2>/dev/null"),
        mends=stop(f"iptables -t nat -D POSTROUTING {ONE_PORT}"),
        says="insert_failed grew by",
    ),
    Sabotage(
        name="conntrack.kube-proxy",
        # kubelet brings it to the nodes within a minute, where kube-proxy would start again with it
        only=("services.configuration", "services.mode", "conntrack"),
        names=frozenset({"conntrack.kube-proxy"}),
        where="cluster",
        at="cluster",
        breaks="kubectl -n kube-system get configmap kube-proxy -o json | sed 's/maxPerCore: 0/maxPerCore: 32768/' | kubectl apply -f - >/dev/null",
        mends="kubectl -n kube-system get configmap kube-proxy -o json | sed 's/maxPerCore: 32768/maxPerCore: 0/' | kubectl apply -f - >/dev/null",
        says="the ConfigMap's conntrack.maxPerCore is 32768, declared 0",
    ),
)

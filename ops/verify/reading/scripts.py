"""The questions to nodes that more than one check asks."""

from ops.verify.model import Probe
from ops.verify.reading.answers import PRELUDE
from plan import NodePlan, Plan
from render.kube_proxy import METRICS_PORT


def _kube_proxy(_plan: Plan, _node: NodePlan) -> str:
    get = "curl --silent --show-error --fail --noproxy '*' --max-time 15"
    metrics = "^kubeproxy_(sync_proxy_rules_(duration_seconds|last|iptables_restore_failures|nftables_sync_failures)|network_programming_duration)"
    return f"""{PRELUDE}
metrics() {{ local said; said=$({get} http://127.0.0.1:{METRICS_PORT}/metrics 2>&1) || {{ echo "$said"; return 1; }}; grep -E '{metrics}' <<<"$said"; }}
ask mode {get} http://127.0.0.1:{METRICS_PORT}/proxyMode
ask configz {get} http://127.0.0.1:{METRICS_PORT}/configz
ask metrics metrics
ask now printf '%s' "${{EPOCHREALTIME/,/.}}"
"""


def _service_tables(plan: Plan, _node: NodePlan) -> str:
    mode = plan.settings.kube_proxy.mode
    own = {
        "ipvs": "ask sets ipset save",
        "nftables": "ask sets ipset list -name\nask nft nft list table ip kube-proxy",
        "iptables": "ask sets ipset list -name\nask nat nat",
    }[mode]
    return f"""{PRELUDE}
servers() {{ [[ ! -e /proc/net/ip_vs ]] || cat /proc/net/ip_vs; }}
nat() {{ iptables-save -t nat; }}
chains() {{ local said; said=$(nat 2>&1) || {{ echo "$said"; return 1; }}; grep '^:KUBE-' <<<"$said" || true; }}
ask servers servers
ask addresses ip -4 -o address show
ask tables nft list tables
ask chains chains
{own}
"""


def _service_sysctls(_plan: Plan, _node: NodePlan) -> str:
    return f"""{PRELUDE}
values() {{
  local path value
  for path in net/ipv4/conf/all/arp_ignore net/ipv4/conf/all/arp_announce net/ipv4/vs/{{conntrack,expire_nodest_conn,expire_quiescent_template}}; do
    value=absent
    [[ ! -r /proc/sys/$path ]] || IFS= read -r value <"/proc/sys/$path"
    echo "${{path//\\//.}} $value"
  done
}}
ask values values
ask timeouts ipvsadm -L --timeout
"""


KUBE_PROXY = Probe(key="kube-proxy", script=_kube_proxy, timeout_s=60)
SERVICE_TABLES = Probe(key="service-tables", script=_service_tables, timeout_s=60)
SERVICE_SYSCTLS = Probe(key="service-sysctls", script=_service_sysctls)

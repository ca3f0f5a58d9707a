"""What a hypervisor's shell is asked: what libvirt cannot tell. One script for all of it; it only reads, and sends pings."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ops.doctor import guest
from ops.verify.model import Said
from plan import NodePlan, Plan
from settings.hypervisor import Hypervisor

LOCAL = ("qemu", "qemu+unix")
PARALLEL = 64
_PART = re.compile(r"@@underlay:([^@]+)@@\n(.*?)\n?@@exit:(\d+)@@", re.DOTALL)

BLOCK = """\
for target in {paths}; do
    case $target in
    /dev/*)
        [ -b "$target" ] || {{ echo "missing $target"; continue; }}
        source=$target
        lsblk -bdno SIZE "$source" | sed 's/^ */device /' ;;
    *)
        while [ ! -e "$target" ] && [ "$target" != / ]; do target=$(dirname "$target"); done
        df -B1 --output=avail "$target" | tail -n 1 | sed 's/^ */available /'
        source=$(findmnt -nvo SOURCE -T "$target") ;;
    esac
    lsblk -snpPo NAME,TYPE,TRAN,ROTA "$source"
done
"""
TIME = """\
echo "clock $now"
timedatectl show -p NTPSynchronized 2>/dev/null
chronyc -n tracking 2>/dev/null
true
"""
LINK = """\
cat /sys/class/net/{bridge}/mtu || exit 1
[ -d /sys/class/net/{bridge}/bridge ] || echo 'no bridge'
for port in /sys/class/net/{bridge}/brif/*; do [ -e "$port" ] && echo "port $(basename "$port") $(cat "/sys/class/net/$(basename "$port")/mtu")"; done
true
"""
VHOST = "[ -c /dev/vhost-net ] && echo there || { modinfo vhost_net >/dev/null 2>&1 && echo 'a module that loads by itself'; }\n"
ADDRESSES = """\
export bridge={bridge} LC_ALL=C
probe() {{
    asked= answered=
    ping -n -q -c 1 -W 1 "$1" >/dev/null 2>&1
    case $? in 0) asked=yes answered=ping;; 1) asked=yes;; esac
    if command -v arping >/dev/null && [ -n "$bridge" ]; then
        said=$(arping -D -c 2 -w 2 -I "$bridge" "$1" 2>/dev/null)
        case $?$said in 0*) asked=yes;; *'reply from'*) asked=yes answered=arp;; esac
    fi
    mac=$(ip -4 neigh show "$1" 2>/dev/null | sed -n 's/.* lladdr \\([0-9a-f:]*\\).*REACHABLE.*/\\1/p' | head -n 1)
    if [ -n "$mac$answered" ]; then echo "$1 ${{mac:--}}"; elif [ -n "$asked" ]; then echo "$1 silent"; fi
}}
export -f probe
command -v ping >/dev/null || {{ echo 'no ping here'; exit 1; }}
printf '%s\\n' {addresses} | xargs -P {parallel} -I '{{}}' bash -c 'probe {{}}'
"""
ISOLATION = """\
echo "isolated $(cat /sys/devices/system/cpu/isolated)"
sed -n 's/^Cpus_allowed_list:[[:space:]]*/init /p' /proc/1/status
for slice in system.slice user.slice init.scope; do
    [ -e "/sys/fs/cgroup/$slice/cpuset.cpus.effective" ] && echo "$slice $(cat "/sys/fs/cgroup/$slice/cpuset.cpus.effective")"
done
true
"""
"""Which CPUs the kernel balances nothing on, and which what is no machine may have."""
DRIVES = """\
for device in $(lsblk -dnpo NAME); do
    case $device in /dev/nvme*) lsblk -nPo NAME,TYPE,FSTYPE,MOUNTPOINT "$device" | sed "s|^|$device |";; esac
done
true
"""
"""What lies on each NVMe drive."""


def reach(uri: str) -> tuple[str, ...] | None:
    """The words that start a shell on a hypervisor, without asking anybody for a password; None where its URI gives no way to one."""
    parts = urlsplit(uri)
    if parts.scheme in LOCAL and not parts.hostname:
        return ("bash", "-s")
    if parts.scheme != "qemu+ssh" or not parts.hostname:
        return None
    options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ClearAllForwardings=yes", "-T"]
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    options += ["-p", str(parts.port)] if parts.port else []
    options += ["-l", parts.username] if parts.username else []
    options += ["-i", query["keyfile"]] if "keyfile" in query else []
    options += ["-o", f"UserKnownHostsFile={query['knownhosts']}"] if "knownhosts" in query else []
    options += ["-o", "StrictHostKeyChecking=no"] if query.get("no_verify", "0") != "0" else []
    return (query.get("command", "ssh"), *options, "--", parts.hostname, "exec bash -s")


def whole(plan: Plan, hypervisor: Hypervisor, nodes: Sequence[NodePlan], *, places: Mapping[str, Sequence[str]], emulator: str) -> str:
    """The script for one hypervisor. `places` are paths of pools by their question's key."""
    parts = {"time": TIME}
    parts |= {f"{key}-block": BLOCK.format(paths=" ".join(map(shlex.quote, paths))) for key, paths in places.items()}
    if hypervisor.network.bridge is not None:
        parts["bridge"] = LINK.format(bridge=shlex.quote(hypervisor.network.bridge))
    if any(node.cpu_policy == "dedicated" for node in nodes):
        parts["isolation"] = ISOLATION
    if any(node.nic.driver == "vhost" for node in nodes):
        parts["vhost"] = VHOST
    if addresses := [str(address) for address in probed(plan)]:
        bridge = shlex.quote(hypervisor.network.bridge or "")
        parts["addresses"] = ADDRESSES.format(bridge=bridge, addresses=" ".join(addresses), parallel=PARALLEL)
    if hypervisor.domain_type == "kvm":
        local = urlsplit(hypervisor.uri).scheme in LOCAL
        parts["kvm"] = guest.script(emulator or "qemu-system-x86_64", _kernels(plan) if local else ())
    if hypervisor.drives:
        parts["drives"] = DRIVES
    # the clock is read before the first word, whose arrival it is held against
    return asking(parts)


def asking(parts: Mapping[str, str]) -> str:
    """One script that asks everything, its parts kept apart."""
    head = "PATH=$PATH:/usr/sbin:/sbin\nexport LC_ALL=C PATH\nnow=$(date +%s.%N)\n"
    return head + "".join(f"echo '@@underlay:{key}@@'\n(\n{text})  2>&1 </dev/null\necho \"@@exit:$?@@\"\n" for key, text in parts.items())


def _kernels(plan: Plan) -> list[str]:
    """The nodes' own kernel, where it is a file of this machine."""
    kernel = plan.settings.image.kernel
    return [str(Path(kernel).resolve())] if kernel and "://" not in kernel else []


def probed(plan: Plan) -> list[str]:
    """Addresses that nobody may have yet: the nodes', and the API's where nodes will hold it."""
    endpoint = plan.settings.cluster.endpoint
    own = [endpoint.address] if endpoint.held_by == "keepalived" else []
    return [str(address) for address in [*(node.address for node in plan.nodes), *own]]


def split(said: Said) -> dict[str, Said]:
    """The parts of what the script said; a part that was not reached is missing."""
    return {key: Said(output=text, exit_code=int(code)) for key, text, code in _PART.findall(said.output)}

main() {
# Read whole before it runs (it comes on standard input); what it starts reads from /dev/null.
set -euo pipefail
umask 022
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/run
STEP=start
LOGS=()

# step NAME [LOG...]: a LOG is a file (a pattern may name several) or unit:NAME; its end is shown when the step fails
step() { STEP=$1; shift; LOGS=("$@"); }

say() { printf 'underlay: %s: %s\n' "$NODE" "$*"; }

fail() { printf 'underlay: %s: %s\n' "$NODE" "$*" >&2; exit 1; }

on_exit() {
  local code=$? log file
  trap - EXIT
  [[ $code -ne 0 ]] || exit 0
  printf "underlay: %s: step '%s' failed (exit %d)\n" "$NODE" "$STEP" "$code" >&2
  for log in "${LOGS[@]}"; do
    if [[ $log == unit:* ]]; then
      printf -- '--- journal of %s, last 20 lines\n' "${log#unit:}" >&2
      journalctl --no-pager --output=short --lines=20 --unit="${log#unit:}" >&2 || true
      continue
    fi
    # shellcheck disable=SC2086 # the pattern is meant to name files
    for file in $log; do
      [[ -s $file ]] || continue
      printf -- '--- %s, last 20 lines\n' "$file" >&2
      tail -n 20 -- "$file" >&2 || true
    done
  done
  exit "$code"
}

# lock NAME SECONDS: one script at a time; a run that lost its connection goes on, so wait for it
lock() {
  mkdir -p /run/lock /run/underlay
  exec 9>"/run/lock/$1"
  flock -n 9 && return
  say "an earlier run is still at work: waiting for it, at most $2 s"
  flock -w "$2" 9 || fail "an earlier run still held /run/lock/$1 after $2 s"
}

# put MODE FILE [UNIT]: keeps FILE as standard input says; UNIT is restarted later if it changed
put() {
  local mode=$1 path=$2 unit=${3:-} wanted='' found='' old=0
  IFS= read -r -d '' wanted || true
  if [[ -f $path ]]; then
    IFS= read -r -d '' found <"$path" || true
    old=$(stat -c %a "$path")
    [[ $found != "$wanted" || $old != "${mode#0}" ]] || return 0
  fi
  # marked first: a run broken off after this still restarts the unit next time
  [[ -z $unit ]] || : >"/run/underlay/restart-$unit"
  [[ -d ${path%/*} ]] || mkdir -p "${path%/*}"
  (umask 077; printf %s "$wanted" >"$path.underlay")
  chmod "$mode" "$path.underlay"
  mv -f "$path.underlay" "$path"
  say "wrote $path"
}

  NODE=oslo-cp-1
  trap on_exit EXIT
  step "wait for an earlier run"
  lock underlay 1320

  step "wait for cloud-init" unit:cloud-init-local /var/log/cloud-init.log
  wait_for_cloud_init

  step "check the node image"
  local manifest=''
  [[ -r /etc/underlay/image.json ]] || fail "the image has no /etc/underlay/image.json: build it with python -m image build"
  IFS= read -r -d '' manifest </etc/underlay/image.json || true
  [[ $manifest =~ \"kubernetes\":\ *\"v?([^\"]*)\" ]] || fail "/etc/underlay/image.json does not name a Kubernetes version"
  [[ ${BASH_REMATCH[1]} == 1.36.3 ]] ||
    fail "the image holds Kubernetes ${BASH_REMATCH[1]}, cluster.kubernetes_version is 1.36.3: build the image anew or name its version"

  step "write files"
  write_files

  step "load kernel modules" unit:systemd-modules-load
  load_modules

  step "size connection tracking"
  size_conntrack

  step "set sysctls"
  set_sysctls

  step "turn swap off"
  turn_swap_off

  step "find disks"
  own_disks

  step "start containerd" unit:containerd
  restart_if_changed containerd
  [[ -S /run/containerd/containerd.sock ]] || fail "containerd runs without its socket /run/containerd/containerd.sock"

  # it was stopped where a disk had to be filled
  if [[ -e /var/lib/kubelet/config.yaml ]] && ! systemctl is-active --quiet kubelet; then
    systemctl start kubelet
    say "started kubelet"
  fi

  step "start chrony" unit:chrony
  restart_if_changed chrony

  step "keepalived" unit:keepalived
  local wanted=/etc/systemd/system/multi-user.target.wants/keepalived.service
  # what `systemctl enable` does for the next boot, without its ten seconds of reloads on an emulated node
  [[ -L $wanted ]] || { ln -s /lib/systemd/system/keepalived.service "$wanted"; say "enabled keepalived"; }
  # a reload keeps the address where it is
  restart_if_changed keepalived reload-or-restart
  say "prepared in $SECONDS s"
}

wait_for_cloud_init() {
  local status=''
  until cloud_init_finished; do
    ((SECONDS < 300)) || fail "cloud-init has not finished after 300 s (cluster.timeouts.boot_s)"
    sleep 1
  done
  [[ ! -r /run/cloud-init/status.json ]] || IFS= read -r -d '' status </run/cloud-init/status.json || true
  if [[ $status =~ \"errors\":\ *\[[[:space:]]*(\"[^]]*)\] ]]; then
    fail "cloud-init reports ${BASH_REMATCH[1]}"
  fi
}

# The last stage writes result.json. An image whose last stage is masked is done with the first one.
cloud_init_finished() {
  local status=''
  [[ ! -e /run/cloud-init/result.json ]] || return 0
  [[ -r /run/cloud-init/status.json && /etc/systemd/system/cloud-final.service -ef /dev/null ]] || return 1
  IFS= read -r -d '' status </run/cloud-init/status.json || true
  [[ $status =~ \"stage\":\ *null && $status =~ \"finished\":\ *[0-9] ]]
}

write_files() {
put 0644 /etc/chrony/chrony.conf chrony <<'UNDERLAY_END_OF_FILE'
# Written by underlay.
server 10.20.0.2 iburst
server ntp.example.net iburst
driftfile /var/lib/chrony/chrony.drift
# step the clock only while the node is young: certificates need the right time soon, programs a steady one later
makestep 1 3
rtcsync
# a client, not a server
port 0
UNDERLAY_END_OF_FILE
put 0644 /etc/containerd/config.toml containerd <<'UNDERLAY_END_OF_FILE'
# Written by underlay.
version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.k8s.io/pause:3.10.2'

# here, not in cri.v1.images: there it would turn the transfer service off for pulls
[plugins.'io.containerd.transfer.v1.local']
  max_concurrent_downloads = 10

[plugins.'io.containerd.cri.v1.runtime']
  # The default is 1s. Only UsageNanoCores of CRI's statistics comes from it, which kubelet does not read
  # (PodAndContainerStatsFromCRI is off); on emulated nodes it was the largest idle consumer.
  stats_collect_period = '60s'
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = 'runc'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        SystemdCgroup = true
UNDERLAY_END_OF_FILE
put 0644 /etc/hosts <<'UNDERLAY_END_OF_FILE'
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
10.20.0.11 oslo-cp-1
10.20.0.10 api.oslo.example.net
UNDERLAY_END_OF_FILE
put 0644 /etc/keepalived/keepalived.conf keepalived <<'UNDERLAY_END_OF_FILE'
# Written by underlay.
global_defs {
    router_id oslo-cp-1
    script_user root
    enable_script_security
    vrrp_garp_master_refresh 60
}

vrrp_script api {
    script "/usr/local/lib/underlay/check-api"
    interval 3
    timeout 2
    fall 3
    rise 2
    # A node with an unhealthy API is overtaken by a healthy one; alone, or while all are unhealthy
    # (kubeadm init), it keeps the address, so that the API can be reached as soon as it comes up.
    weight -50
}

vrrp_instance api {
    state BACKUP
    interface eth0
    virtual_router_id 77
    priority 100
    advert_int 1
    unicast_src_ip 10.20.0.11
    unicast_peer {
        10.20.0.12
        10.20.0.13
    }
    virtual_ipaddress {
        10.20.0.10/32 dev eth0
    }
    track_script {
        api
    }
}
UNDERLAY_END_OF_FILE
put 0644 /etc/modprobe.d/underlay.conf <<'UNDERLAY_END_OF_FILE'
# Written by underlay.
options nf_conntrack hashsize=262144
options ip_vs conn_tab_bits=18
UNDERLAY_END_OF_FILE
put 0644 /etc/sysctl.d/90-underlay.conf <<'UNDERLAY_END_OF_FILE'
# Written by underlay.
# pods are behind the node (kubeadm's preflight asks for it)
net.ipv4.ip_forward = 1
# each device's own value counts; Calico's Felix refuses to run with 2 here
net.ipv4.conf.all.rp_filter = 0
# loose: packets may come back another way (RFC 3704)
net.ipv4.conf.default.rp_filter = 2
# the same for the node's own link
net.ipv4.conf.eth0.rp_filter = 2
# accept queue of busy servers; programs ask for less themselves
net.core.somaxconn = 32768
# neighbours kept: pods and nodes of a large layer-3 network
net.ipv4.neigh.default.gc_thresh1 = 4096
# soft limit of neighbours
net.ipv4.neigh.default.gc_thresh2 = 8192
# hard limit of neighbours (the kernel's 1024 loses packets beyond)
net.ipv4.neigh.default.gc_thresh3 = 16384
# kubelet, containerd and pods of one user share them (default 128)
fs.inotify.max_user_instances = 8192
# the same for watches
fs.inotify.max_user_watches = 524288
# kubelet's own value (pkg/kubelet/cm, protectKernelDefaults)
vm.overcommit_memory = 1
# kubelet's own value
vm.panic_on_oom = 0
# kubelet's own value: restart 10 s after a panic
kernel.panic = 10
# kubelet's own value
kernel.panic_on_oops = 1
# kubelet's own value: runc takes a key for each container
kernel.keys.root_maxkeys = 1000000
# kubelet's own value
kernel.keys.root_maxbytes = 25000000
# conntrack.max_entries; kube-proxy is told to keep off
net.netfilter.nf_conntrack_max = 1048576
# declared; kube-proxy is told to keep off
net.netfilter.nf_conntrack_tcp_timeout_close_wait = 3600
# declared; kube-proxy is told to keep off
net.netfilter.nf_conntrack_tcp_timeout_established = 86400
# declared; kube-proxy is told to keep off
net.netfilter.nf_conntrack_udp_timeout = 30
# declared; kube-proxy is told to keep off
net.netfilter.nf_conntrack_udp_timeout_stream = 120
# out-of-window packets: declared
net.netfilter.nf_conntrack_tcp_be_liberal = 1
# declared in node.sysctls
net.ipv4.conf.*.send_redirects = 0
# declared in node.sysctls
net/ipv4/conf/eth0.7/rp_filter = 2
# declared in node.sysctls
net.ipv4.tcp_rmem = 4096 131072 6291456
UNDERLAY_END_OF_FILE
put 0600 /root/.ssh/authorized_keys <<'UNDERLAY_END_OF_FILE'
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEnvironmentsOwnKey underlay
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOperator ops@example.net
UNDERLAY_END_OF_FILE
put 0755 /usr/local/lib/underlay/check-api <<'UNDERLAY_END_OF_FILE'
#!/bin/sh
# Written by underlay; run by keepalived. -k is safe here: on loopback there is nobody between, and
# the certificate's authority is not what is asked. /readyz is open to all (system:public-info-viewer).
exec curl -fsk -o /dev/null --noproxy '*' --max-time 2 https://127.0.0.1:6443/readyz
UNDERLAY_END_OF_FILE
put 0755 /usr/local/lib/underlay/leave <<'UNDERLAY_END_OF_FILE'
#!/bin/bash
# Written by underlay. Run on a control plane for a node that leaves the cluster:
#   leave drain NODE SECONDS    moves its pods elsewhere; what does not move in time fails the step
#   leave remove NODE           takes its etcd member and its Node object away
main() {
# Read whole before it runs (it comes on standard input); what it starts reads from /dev/null.
set -euo pipefail
umask 022
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/run
STEP=start
LOGS=()

# step NAME [LOG...]: a LOG is a file (a pattern may name several) or unit:NAME; its end is shown when the step fails
step() { STEP=$1; shift; LOGS=("$@"); }

say() { printf 'underlay: %s: %s\n' "$NODE" "$*"; }

fail() { printf 'underlay: %s: %s\n' "$NODE" "$*" >&2; exit 1; }

on_exit() {
  local code=$? log file
  trap - EXIT
  [[ $code -ne 0 ]] || exit 0
  printf "underlay: %s: step '%s' failed (exit %d)\n" "$NODE" "$STEP" "$code" >&2
  for log in "${LOGS[@]}"; do
    if [[ $log == unit:* ]]; then
      printf -- '--- journal of %s, last 20 lines\n' "${log#unit:}" >&2
      journalctl --no-pager --output=short --lines=20 --unit="${log#unit:}" >&2 || true
      continue
    fi
    # shellcheck disable=SC2086 # the pattern is meant to name files
    for file in $log; do
      [[ -s $file ]] || continue
      printf -- '--- %s, last 20 lines\n' "$file" >&2
      tail -n 20 -- "$file" >&2 || true
    done
  done
  exit "$code"
}

# lock NAME SECONDS: one script at a time; a run that lost its connection goes on, so wait for it
lock() {
  mkdir -p /run/lock /run/underlay
  exec 9>"/run/lock/$1"
  flock -n 9 && return
  say "an earlier run is still at work: waiting for it, at most $2 s"
  flock -w "$2" 9 || fail "an earlier run still held /run/lock/$1 after $2 s"
}

# put MODE FILE [UNIT]: keeps FILE as standard input says; UNIT is restarted later if it changed
put() {
  local mode=$1 path=$2 unit=${3:-} wanted='' found='' old=0
  IFS= read -r -d '' wanted || true
  if [[ -f $path ]]; then
    IFS= read -r -d '' found <"$path" || true
    old=$(stat -c %a "$path")
    [[ $found != "$wanted" || $old != "${mode#0}" ]] || return 0
  fi
  # marked first: a run broken off after this still restarts the unit next time
  [[ -z $unit ]] || : >"/run/underlay/restart-$unit"
  [[ -d ${path%/*} ]] || mkdir -p "${path%/*}"
  (umask 077; printf %s "$wanted" >"$path.underlay")
  chmod "$mode" "$path.underlay"
  mv -f "$path.underlay" "$path"
  say "wrote $path"
}
# The API as its administrator, by curl: to start kubectl takes seconds of CPU, and minutes on a busy emulated node.
open_api() {
  local config='' folder=/run/underlay/admin-$NODE
  [[ -s /etc/kubernetes/admin.conf ]] || fail "this node has no /etc/kubernetes/admin.conf: is it a control plane?"
  IFS= read -r -d '' config </etc/kubernetes/admin.conf || true
  (umask 077; mkdir -p "$folder")
  [[ $config =~ client-certificate-data:\ *([A-Za-z0-9+/=]+) ]] && (umask 077; base64 -d <<<"${BASH_REMATCH[1]}" >"$folder/crt")
  [[ $config =~ client-key-data:\ *([A-Za-z0-9+/=]+) ]] && (umask 077; base64 -d <<<"${BASH_REMATCH[1]}" >"$folder/key")
  [[ $config =~ server:\ *(https://[^[:space:]]+) ]] || fail "/etc/kubernetes/admin.conf names no server"
  API=(curl -sS --noproxy '*' --max-time 60 --write-out '\n%{http_code}' --cacert /etc/kubernetes/pki/ca.crt --cert "$folder/crt" --key "$folder/key")
  SERVER=${BASH_REMATCH[1]}
}

# api METHOD PATH [TYPE BODY]: the answer in ANSWER, its HTTP status in STATUS; an API that does not answer is waited for
api() {
  local out body=() until=$((SECONDS + 120))
  if (($# > 2)); then body=(--header "Content-Type: $3" --data-binary @-); fi
  while :; do
    out=$("${API[@]}" --request "$1" "${body[@]}" "$SERVER$2" 2>&1 <<<"${4:-}") || out="$out"$'\n'000
    STATUS=${out##*$'\n'} ANSWER=${out%$'\n'*}
    [[ $STATUS == 000 || $STATUS == 429 || $STATUS == 5* ]] || return 0
    ((SECONDS < until)) || fail "the API at $SERVER does not answer: ${ANSWER##*$'\n'} ($STATUS)"
    sleep 2
  done
}

# get_node: the Node object as JSON in the variable object, empty where there is none
get_node() {
  api GET "/api/v1/nodes/$NODE"
  case $STATUS in
    200) object=$ANSWER ;;
    404) object='' ;;
    *) fail "the API does not give the Node object: $(reason)" ;;
  esac
}

# patch_node TYPE BODY: fails where somebody else changed meanwhile what the patch tests
patch_node() {
  api PATCH "/api/v1/nodes/$NODE" "application/$1-patch+json" "$2"
  case $STATUS in
    200) ;;
    409 | 422) return 1 ;;
    *) fail "the API does not take the change of the Node object: $(reason)" ;;
  esac
}

reason() { jq -r '.message // "no reason given"' <<<"$ANSWER" 2>/dev/null || printf %s "HTTP status $STATUS"; }

  local verb=${1:-} object=''
  NODE=${2:-}
  [[ -n $NODE && ($verb == remove || ($verb == drain && ${3:-} =~ ^[0-9]+$)) ]] || { echo "usage: leave drain NODE SECONDS | leave remove NODE" >&2; exit 2; }
  trap on_exit EXIT
  step "wait for an earlier run"
  lock "underlay-$NODE" 600
  open_api
  if [[ $verb == drain ]]; then drain "$3"; else remove; fi
}

drain() {
  local seconds=$1 ready unschedulable skip=()
  step "read the Node object"
  get_node
  [[ -n $object ]] || { say "the cluster has no such node: nothing to drain"; return 0; }
  read -r ready unschedulable <<<"$(jq -r '[([.status.conditions[]? | select(.type == "Ready").status][0] // "Unknown"), (.spec.unschedulable // false)] | @tsv' <<<"$object")"
  step "cordon"
  if [[ $unschedulable == false ]]; then
    patch_node merge '{"metadata":{"annotations":{"underlay.dev/cordoned":"true"}},"spec":{"unschedulable":true}}' || fail "the API refuses: $(reason)"
    say "cordoned"
  fi
  step "drain"
  # nobody confirms the end of pods on a node that does not answer; waiting counts from the end of their grace period
  if [[ $ready == Unknown ]]; then skip=(--grace-period=1 --skip-wait-for-delete-timeout=2); fi
  if [[ $(left_pods) == none ]]; then
    say "no pods to move"
    return 0
  fi
  kubectl --kubeconfig /etc/kubernetes/admin.conf drain "$NODE" --ignore-daemonsets --delete-emptydir-data --timeout="${seconds}s" "${skip[@]}" ||
    fail "not drained within $seconds s (cluster.timeouts.drain_s); still on the node: $(left_pods)"
  say "drained"
}

# Pods that a drain has to move: neither a DaemonSet's nor a static pod's mirror nor finished.
left_pods() {
  api GET "/api/v1/pods?fieldSelector=spec.nodeName%3D$NODE"
  [[ $STATUS == 200 ]] || { reason; return; }
  jq -r '
    [.items[] | select((.metadata.annotations // {})["kubernetes.io/config.mirror"] == null)
     | select(any(.metadata.ownerReferences[]?; .kind == "DaemonSet") | not)
     | select(.status.phase != "Succeeded" and .status.phase != "Failed")
     | "\(.metadata.namespace)/\(.metadata.name)" + (if .metadata.ownerReferences then "" else " (no controller: delete it yourself)" end)]
    | if length == 0 then "none" else join(", ") end' <<<"$ANSWER" || echo "unknown"
}

remove() {
  local members addresses id others
  step "read etcd's members"
  get_node
  addresses=$(jq -c '[.status.addresses[]? | select(.type == "InternalIP").address]' <<<"${object:-null}")
  members=$(etcd member/list '{}')
  # a member that never started has no name: then its peer address tells
  id=$(jq -r --arg name "$NODE" --argjson addresses "$addresses" '
    [.members[] | select(.name == $name or any(.peerURLs[]; sub("^https://"; "") | sub(":[0-9]+$"; "") | IN($addresses[])))][0].ID // empty' <<<"$members")
  if [[ -n $id ]]; then
    others=$(jq -r --arg id "$id" '[.members[] | select(.ID != $id and (.isLearner | not)) | .clientURLs[0] // "none"] | join(" ")' <<<"$members")
    if [[ -z $others ]]; then
      say "is the last control plane: the cluster ends with it, nothing to remove"
      return 0
    fi
    step "remove the etcd member"
    # shellcheck disable=SC2086 # a list of URLs
    enough_are_healthy $others
    # for some seconds after any other change of its members etcd refuses the next one
    until etcd member/remove "{\"ID\":\"$id\"}" >/dev/null; do
      ((SECONDS < 60)) || fail "etcd has not let its member go after 60 s"
      sleep 5
    done
    say "removed its etcd member"
  fi
  step "delete the Node object"
  [[ -n $object ]] || { say "the cluster has no such Node object"; return 0; }
  api DELETE "/api/v1/nodes/$NODE"
  [[ $STATUS == 200 || $STATUS == 202 || $STATUS == 404 ]] || fail "the API does not delete the Node object: $(reason)"
  say "deleted its Node object"
}

# Those that stay must be a quorum of themselves, else the cluster would stop with this removal.
enough_are_healthy() {
  local healthy=0 url answer quorum=$(($# / 2 + 1))
  for url in "$@"; do
    answer=$(etcd_curl "$url/health" 2>/dev/null) || answer=''
    if [[ $answer == *'"health":"true"'* ]]; then healthy=$((healthy + 1)); fi
  done
  ((healthy >= quorum)) || fail "only $healthy of the $# other etcd members are healthy, a quorum is $quorum: repair them first"
}

# etcd's JSON gateway: the image of etcd need not hold etcdctl, and a pod need not run for it
etcd() {
  local answer
  answer=$(etcd_curl --data "$2" "https://127.0.0.1:2379/v3/cluster/$1") || { say "etcd's $1: $answer" >&2; return 1; }
  printf %s "$answer"
}

etcd_curl() {
  local pki=/etc/kubernetes/pki/etcd
  curl -sS --fail-with-body --noproxy '*' --max-time 30 --cacert "$pki/ca.crt" --cert "$pki/healthcheck-client.crt" --key "$pki/healthcheck-client.key" "$@"
}

main "$@" </dev/null; exit
UNDERLAY_END_OF_FILE
}

load_modules() {
  local kernel name builtin='' missing=() absent=() present=() loaded=()
  local wanted=(overlay nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh vfio_pci ip_vs_lc ip_vs_wlc ip_vs_lblc ip_vs_lblcr ip_vs_dh ip_vs_sed ip_vs_nq ip_vs_mh ip_set xt_set dummy)
  read -r kernel </proc/sys/kernel/osrelease
  # part of nf_conntrack since Linux 4.19
  if kernel_is_before 4 19 "$kernel"; then wanted+=(nf_conntrack_ipv4); fi
  [[ ! -r /lib/modules/$kernel/modules.builtin ]] || IFS= read -r -d '' builtin <"/lib/modules/$kernel/modules.builtin" || true
  for name in "${wanted[@]}"; do
    module_is_there "$name" "$builtin" || missing+=("$name")
  done
  if ((${#missing[@]})); then
    modprobe --all --quiet "${missing[@]}" || true
    for name in "${missing[@]}"; do
      if module_is_there "$name" "$builtin"; then loaded+=("$name"); fi
    done
    ((${#loaded[@]} == 0)) || say "loaded ${loaded[*]}"
  fi
  for name in "${wanted[@]}"; do
    if module_is_there "$name" "$builtin"; then present+=("$name"); else absent+=("$name"); fi
  done
  for name in overlay nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh vfio_pci; do
    [[ " ${absent[*]} " != *" $name "* ]] || fail "kernel $kernel cannot load $name: boot a kernel that has it"
  done
  ((${#absent[@]} == 0)) || say "kernel $kernel does without ${absent[*]}"
  printf '# Written by underlay.\n%s' "$(printf '%s\n' "${present[@]}")"$'\n' | put 0644 /etc/modules-load.d/underlay.conf
}

# module_is_there NAME BUILTIN: a module is named with _ and its file with _ or -
module_is_there() { [[ -d /sys/module/$1 || $2 == *"/$1.ko"* || $2 == *"/${1//_/-}.ko"* ]]; }

kernel_is_before() {
  local major=${3%%.*} rest=${3#*.}
  local minor=${rest%%[!0-9]*}
  ((major < $1 || (major == $1 && minor < $2)))
}

size_conntrack() {
  local hash=/sys/module/nf_conntrack/parameters/hashsize buckets bits
  read -r buckets <"$hash"
  if [[ $buckets != 262144 ]]; then
    echo 262144 >"$hash"
    say "connection tracking: $buckets buckets, now 262144"
    read -r buckets <"$hash"
    [[ $buckets == 262144 ]] || fail "connection tracking has $buckets buckets, wanted 262144: has the node memory for them?"
  fi
  [[ -r /sys/module/ip_vs/parameters/conn_tab_bits ]] || return 0
  read -r bits </sys/module/ip_vs/parameters/conn_tab_bits
  [[ $bits == 18 ]] || say "ip_vs has conn_tab_bits $bits, 18 from the next boot on"
}

set_sysctls() {
  local changed=()
  set_sysctl net.ipv4.ip_forward 1 /proc/sys/net/ipv4/ip_forward
  set_sysctl net.ipv4.conf.all.rp_filter 0 /proc/sys/net/ipv4/conf/all/rp_filter
  set_sysctl net.ipv4.conf.default.rp_filter 2 /proc/sys/net/ipv4/conf/default/rp_filter
  set_sysctl net.ipv4.conf.eth0.rp_filter 2 /proc/sys/net/ipv4/conf/eth0/rp_filter
  set_sysctl net.core.somaxconn 32768 /proc/sys/net/core/somaxconn
  set_sysctl net.ipv4.neigh.default.gc_thresh1 4096 /proc/sys/net/ipv4/neigh/default/gc_thresh1
  set_sysctl net.ipv4.neigh.default.gc_thresh2 8192 /proc/sys/net/ipv4/neigh/default/gc_thresh2
  set_sysctl net.ipv4.neigh.default.gc_thresh3 16384 /proc/sys/net/ipv4/neigh/default/gc_thresh3
  set_sysctl fs.inotify.max_user_instances 8192 /proc/sys/fs/inotify/max_user_instances
  set_sysctl fs.inotify.max_user_watches 524288 /proc/sys/fs/inotify/max_user_watches
  set_sysctl vm.overcommit_memory 1 /proc/sys/vm/overcommit_memory
  set_sysctl vm.panic_on_oom 0 /proc/sys/vm/panic_on_oom
  set_sysctl kernel.panic 10 /proc/sys/kernel/panic
  set_sysctl kernel.panic_on_oops 1 /proc/sys/kernel/panic_on_oops
  set_sysctl kernel.keys.root_maxkeys 1000000 /proc/sys/kernel/keys/root_maxkeys
  set_sysctl kernel.keys.root_maxbytes 25000000 /proc/sys/kernel/keys/root_maxbytes
  set_sysctl net.netfilter.nf_conntrack_max 1048576 /proc/sys/net/netfilter/nf_conntrack_max
  set_sysctl net.netfilter.nf_conntrack_tcp_timeout_close_wait 3600 /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait
  set_sysctl net.netfilter.nf_conntrack_tcp_timeout_established 86400 /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established
  set_sysctl net.netfilter.nf_conntrack_udp_timeout 30 /proc/sys/net/netfilter/nf_conntrack_udp_timeout
  set_sysctl net.netfilter.nf_conntrack_udp_timeout_stream 120 /proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream
  set_sysctl net.netfilter.nf_conntrack_tcp_be_liberal 1 /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal
  set_sysctl 'net.ipv4.conf.*.send_redirects' 0 /proc/sys/net/ipv4/conf/*/send_redirects
  set_sysctl net/ipv4/conf/eth0.7/rp_filter 2 /proc/sys/net/ipv4/conf/eth0.7/rp_filter
  set_sysctl net.ipv4.tcp_rmem '4096 131072 6291456' /proc/sys/net/ipv4/tcp_rmem
  ((${#changed[@]} == 0)) || say "set ${changed[*]}"
}

# set_sysctl NAME VALUE PATH...: PATHs below /proc/sys as the pattern gave them
set_sysctl() {
  local name=$1 value path now
  read -ra value <<<"$2"
  shift 2
  for path in "$@"; do
    [[ -e $path ]] || fail "sysctl $name: this kernel has no ${path#/proc/sys/}"
    read -ra now <"$path" || true # an empty value
    [[ ${now[*]} != "${value[*]}" ]] || continue
    printf '%s\n' "${value[*]}" 2>/dev/null >"$path" || fail "sysctl $name: the kernel refuses ${value[*]}"
    read -ra now <"$path" || true
    [[ ${now[*]} == "${value[*]}" ]] || fail "sysctl $name: the kernel keeps ${now[*]}, wanted ${value[*]}"
    path=${path#/proc/sys/}
    changed+=("${path//\//.}=${value[*]}")
  done
}

turn_swap_off() {
  local swaps line kind table='' edited=0
  mapfile -t swaps </proc/swaps
  if ((${#swaps[@]} > 1)); then
    swapoff --all
    say "turned swap off"
  fi
  [[ -r /etc/fstab ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    read -r _ _ kind _ <<<"$line" || true
    if [[ $line != \#* && ${kind:-} == swap ]]; then
      line="# underlay: no swap on a Kubernetes node: $line"
      edited=1
    fi
    table+=$line$'\n'
  done </etc/fstab
  ((edited == 0)) || put 0644 /etc/fstab <<<"${table%$'\n'}"
}

declare -A STATE=()

own_disks() {
  # every disk is looked at before anything is stopped for one
  look_at etcd /dev/disk/by-id/virtio-underlay-etcd /var/lib/etcd var-lib-etcd.mount 9c4073c9-9ce2-57d7-9ccb-5638086bdf48 underlay-etcd
  look_at containerd /dev/disk/by-id/virtio-underlay-containerd /var/lib/containerd var-lib-containerd.mount 97416c0d-1fef-5312-a4c6-11d9fe520cd4 underlay-images
put 0644 /etc/systemd/system/var-lib-etcd.mount units <<'UNDERLAY_END_OF_FILE'
# Written by underlay. Nothing pulls it in but what needs it, so that a missing disk leaves the node reachable.
[Unit]
Description=The disk of /var/lib/etcd

[Mount]
What=/dev/disk/by-label/underlay-etcd
Where=/var/lib/etcd
Type=ext4
Options=noatime
UNDERLAY_END_OF_FILE
put 0644 /etc/systemd/system/var-lib-containerd.mount units <<'UNDERLAY_END_OF_FILE'
# Written by underlay. Nothing pulls it in but what needs it, so that a missing disk leaves the node reachable.
[Unit]
Description=The disk of /var/lib/containerd

[Mount]
What=/dev/disk/by-label/underlay-images
Where=/var/lib/containerd
Type=ext4
Options=noatime
UNDERLAY_END_OF_FILE
put 0644 /etc/systemd/system/kubelet.service.d/20-underlay-disks.conf units <<'UNDERLAY_END_OF_FILE'
# Written by underlay. Without the disk, what lies below the mount point is not what it seems: then this does not start, and stops.
[Unit]
RequiresMountsFor=/var/lib/etcd
BindsTo=var-lib-etcd.mount
RequiresMountsFor=/var/lib/containerd
BindsTo=var-lib-containerd.mount
UNDERLAY_END_OF_FILE
put 0644 /etc/systemd/system/containerd.service.d/20-underlay-disks.conf units <<'UNDERLAY_END_OF_FILE'
# Written by underlay. Without the disk, what lies below the mount point is not what it seems: then this does not start, and stops.
[Unit]
RequiresMountsFor=/var/lib/containerd
BindsTo=var-lib-containerd.mount
UNDERLAY_END_OF_FILE
  # from here on kubelet and containerd run with their disks or not at all
  if [[ -e /run/underlay/restart-units ]]; then
    systemctl daemon-reload
    rm -f /run/underlay/restart-units
  fi
  own_disk etcd /dev/disk/by-id/virtio-underlay-etcd /var/lib/etcd var-lib-etcd.mount 9c4073c9-9ce2-57d7-9ccb-5638086bdf48 underlay-etcd 0700
  own_disk containerd /dev/disk/by-id/virtio-underlay-containerd /var/lib/containerd var-lib-containerd.mount 97416c0d-1fef-5312-a4c6-11d9fe520cd4 underlay-images 0710
}

# look_at PURPOSE DEVICE PLACE UNIT UUID LABEL: what is on the disk, in STATE; anything that is not this node's own is refused
look_at() {
  local purpose=$1 device=$2 place=$3 unit=$4 uuid=$5 label=$6 before=$3.before found kind='' has_uuid='' has_label='' more=''
  until [[ -b $device ]]; do
    ((SECONDS < 300)) || fail "the disk for $place, $device, is not there: has the domain it (virsh dumpxml $NODE)?"
    sleep 1
  done
  if is_on "$place" "$device"; then STATE[$purpose]=mounted; return 0; fi
  [[ ! -d $place || $(stat -c %d "$place") == "$(stat -c %d "${place%/*}")" ]] || fail "something else is mounted on $place: unmount it, and take it out of /etc/fstab"
  found=$(wipefs --noheadings --output TYPE,UUID,LABEL "$device") || fail "the disk for $place, $device, cannot be read"
  { read -r kind has_uuid has_label; read -r more; } <<<"$found" || true
  if [[ -z $kind || (-z $more && $has_uuid == "$uuid" && $has_label == underlay-new) ]]; then
    STATE[$purpose]=new
    [[ $purpose != etcd || ! -e /etc/underlay/kubeadm.finished || -d $place/member || -d $before/member ]] ||
      fail "the disk for etcd, $device, is blank, and this node has its etcd elsewhere: give it that disk back (placements), or replace its root volume too"
  elif [[ -z $more && $kind == ext4 && $has_uuid == "$uuid" && $has_label == "$label" ]]; then
    STATE[$purpose]=ours
    # of an earlier root volume of this node: what was left there is worth nothing to this one
    [[ -e /etc/systemd/system/$unit || (-e /etc/underlay/kubeadm.finished && ! -d $before && -z $(ls -A "$place" 2>/dev/null)) ]] || STATE[$purpose]=new
  else
    fail "the disk for $place, $device, carries ${found//$'\n'/, }, which is not this node's: if nobody needs it run wipefs --all $device, else give another disk"
  fi
}

# own_disk PURPOSE DEVICE PLACE UNIT UUID LABEL MODE
own_disk() {
  local purpose=$1 device=$2 place=$3 unit=$4 label=$6 mode=$7 before=$3.before
  if [[ ${STATE[$purpose]} == new ]]; then
    stop_pods
    fill_disk "$@"
    tune2fs -L "$label" "$device" >/dev/null
    say "$place is on its own disk, $device"
  fi
  [[ -d $place ]] || mkdir -m "$mode" "$place"
  [[ ${STATE[$purpose]} == mounted ]] || systemctl start "$unit"
  is_on "$place" "$device" || fail "$unit is started, and $place is not on $device"
  # what was copied is on the disk now, and would only grow old here
  [[ ! -d $before ]] || rm -rf "$before"
}

# fill_disk: a file system with all that lay in PLACE before; broken off anywhere it is done again, from PLACE.before
fill_disk() {
  local device=$2 place=$3 uuid=$5 mode=$7 before=$3.before target=/run/underlay/disk-$1
  if [[ -d $place && -n $(ls -A "$place") ]]; then
    rm -rf "$before"
    mv "$place" "$before"
  fi
  if [[ -d $target && $(stat -c %d "$target") != "$(stat -c %d "${target%/*}")" ]]; then umount "$target"; fi
  mkfs.ext4 -q -F -m 0 -U "$uuid" -L underlay-new "$device"
  mkdir -p "$target"
  mount -t ext4 -o noatime "$device" "$target"
  rmdir "$target/lost+found" # kubeadm takes an empty folder alone
  chmod "$mode" "$target"
  if [[ -d $before ]]; then cp -a "$before/." "$target/"; fi
  sync -f "$target"
  umount "$target"
}

# is_on PLACE DEVICE: whether the folder is the root of that disk
is_on() {
  local major minor
  [[ -d $1 ]] || return 1
  read -r major minor <<<"$(stat -L -c '%t %T' "$2")"
  major=$((16#$major)) minor=$((16#$minor))
  [[ $(stat -c %d "$1") == $((major << 8 | minor & 0xff | (minor & ~0xff) << 12)) ]]
}

# Pods go on without kubelet and containerd, etcd too: nothing may write while it is copied.
stop_pods() {
  local group
  systemctl stop kubelet containerd
  for group in /sys/fs/cgroup/kubepods*; do
    [[ -e $group/cgroup.kill ]] || continue
    echo 1 >"$group/cgroup.kill"
    until [[ $(<"$group/cgroup.events") == *"populated 0"* ]]; do
      ((SECONDS < 300)) || fail "pods in $group do not end"
      sleep 1
    done
  done
}

# restart_if_changed UNIT [VERB]: the mark goes last, so that a run broken off here does it again
restart_if_changed() {
  if [[ -e /run/underlay/restart-$1 ]] || ! systemctl is-active --quiet "$1"; then
    systemctl "${2:-restart}" "$1"
    rm -f "/run/underlay/restart-$1"
    say "${2:-restart} $1"
  fi
}

main </dev/null; exit

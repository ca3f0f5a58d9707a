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

  NODE=oslo-web-1
  trap on_exit EXIT
  step "wait until the node is ready" unit:kubelet '/var/log/pods/kube-system_kube-proxy-*/kube-proxy/*.log'
  local missing=''
  # the cheapest question first: most of the time it is the only one
  until service_is_in_the_kernel && proxy_has_its_mode && node_is_ready; do
    ((SECONDS < 600)) || fail "not ready after 600 s (cluster.timeouts.ready_s): $(everything_missing)"
    sleep 2
  done
  say "Ready, kube-proxy in ipvs mode, $SECONDS s"
}

everything_missing() {
  local check all=''
  for check in node_is_ready proxy_has_its_mode service_is_in_the_kernel; do
    "$check" || all+="${all:+; }$missing"
  done
  printf %s "${all:-nothing any more}"
}

# As kubelet asks, with kubelet's own certificate: an API call for some 20 ms where kubectl takes a second here.
node_is_ready() {
  local config='' answer server
  [[ -s /etc/kubernetes/kubelet.conf && -s /var/lib/kubelet/pki/kubelet-client-current.pem ]] ||
    { missing="kubelet has no certificate yet"; return 1; }
  IFS= read -r -d '' config </etc/kubernetes/kubelet.conf || true
  [[ $config =~ server:\ *(https://[^[:space:]]+) ]] || { missing="/etc/kubernetes/kubelet.conf names no server"; return 1; }
  server=${BASH_REMATCH[1]}
  answer=$(curl -sS --fail --noproxy '*' --max-time 20 --cacert /etc/kubernetes/pki/ca.crt \
    --cert /var/lib/kubelet/pki/kubelet-client-current.pem "$server/api/v1/nodes/oslo-web-1" 2>&1) ||
    { missing="the API does not give the Node object: ${answer##*$'\n'}"; return 1; }
  answer=$(jq -r '[.status.conditions[]? | select(.type == "Ready")][0] | "\(.status) \(.reason): \(.message)"' <<<"$answer") ||
    { missing="the API's answer is no Node object"; return 1; }
  [[ $answer == True\ * ]] || { missing="the Node object is not Ready (${answer#* })"; return 1; }
}

proxy_has_its_mode() {
  local mode
  mode=$(curl -s --noproxy '*' --max-time 5 http://127.0.0.1:10249/proxyMode) || mode=''
  [[ $mode == ipvs ]] || { missing="kube-proxy reports the mode '${mode:-none}', wanted ipvs"; return 1; }
}

# kube-proxy names its mode up to a minute before the first Service is in the kernel.
service_is_in_the_kernel() {
  local table='' service=$'TCP  0A600001:01BB [^\n]*\n  -> '
  [[ ! -r /proc/net/ip_vs ]] || IFS= read -r -d '' table </proc/net/ip_vs || true
  [[ $table =~ $service ]] || { missing="the kernel has no virtual server with an endpoint for 10.96.0.1:443"; return 1; }
}

main </dev/null; exit

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
  step "wait for an earlier run"
  lock underlay 1320
  if [[ ! -e /etc/underlay/kubeadm.finished ]]; then
    step "write kubeadm's configuration"
    write_config
    step "kubeadm join" unit:kubelet /var/log/underlay-kubeadm.log
    run_kubeadm
  fi
  step "start kubelet" unit:kubelet
  systemctl is-active --quiet kubelet || { systemctl start kubelet; say "started kubelet"; }
  say "kubeadm join is done"
}

write_config() {
  umask 077
put 0600 /etc/underlay/kubeadm.yaml <<'UNDERLAY_END_OF_FILE'
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken:
    token: abcdef.0123456789abcdef
    apiServerEndpoint: api.oslo.example.net:6443
    caCertHashes:
    - sha256:abababababababababababababababababababababababababababababababab
nodeRegistration:
  name: oslo-web-1
  criSocket: unix:///run/containerd/containerd.sock
  imagePullPolicy: IfNotPresent
  kubeletExtraArgs:
  - name: node-ip
    value: 10.20.0.21
  - name: v
    value: '2'
  taints:
  - key: web
    value: only
    effect: NoSchedule
timeouts:
  controlPlaneComponentHealthCheck: 240s
  kubeletHealthCheck: 240s
  kubernetesAPICall: 60s
  etcdAPICall: 60s
  tlsBootstrap: 300s
  discovery: 300s
UNDERLAY_END_OF_FILE

  umask 022
}

run_kubeadm() {
  local arguments=(join --config /etc/underlay/kubeadm.yaml) runner follower code=0
  if [[ -e /etc/underlay/kubeadm.started ]]; then
    say "finishing a kubeadm join that was broken off"
    # what a power cut left empty
    [[ ! -d /etc/kubernetes ]] || find /etc/kubernetes -type f -size 0 -delete
    arguments+=("--ignore-preflight-errors=FileAvailable--etc-kubernetes-kubelet.conf,FileAvailable--etc-kubernetes-bootstrap-kubelet.conf,FileAvailable--etc-kubernetes-pki-ca.crt,Port-10250")
    # kubelet has its certificate: kubeadm would refuse the Node that it registered itself
    if [[ -s /etc/kubernetes/kubelet.conf && -s /var/lib/kubelet/pki/kubelet-client-current.pem ]]; then
      arguments+=(--skip-phases=kubelet-start)
      systemctl start kubelet
    fi
  fi
  : >/etc/underlay/kubeadm.started
  (umask 077; : >/var/log/underlay-kubeadm.log)
  # A session of its own, with the lock: it goes on when the connection drops, and the next run waits for it.
  setsid bash -c '
    trap "" HUP PIPE
    kubeadm "$@" || exit
    : >/etc/underlay/kubeadm.finished
    rm -f /etc/underlay/kubeadm.yaml
  ' kubeadm "${arguments[@]}" >>/var/log/underlay-kubeadm.log 2>&1 &
  runner=$!
  tail --lines=+1 --follow --sleep-interval=1 --pid="$runner" /var/log/underlay-kubeadm.log 9>&- &
  follower=$!
  wait "$runner" || code=$?
  wait "$follower" || true
  return "$code"
}

main </dev/null; exit

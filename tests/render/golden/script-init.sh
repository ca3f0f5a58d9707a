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
  if [[ ! -e /etc/underlay/kubeadm.finished ]]; then
    step "write kubeadm's configuration"
    write_config
    step "kubeadm init" unit:kubelet /var/log/underlay-kubeadm.log
    run_kubeadm
  fi
  step "start kubelet" unit:kubelet
  systemctl is-active --quiet kubelet || { systemctl start kubelet; say "started kubelet"; }
  say "kubeadm init is done"
}

write_config() {
  umask 077
put 0600 /etc/underlay/kubeadm.yaml <<'UNDERLAY_END_OF_FILE'
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- token: abcdef.0123456789abcdef
  ttl: 0s
  usages:
  - signing
  - authentication
  groups:
  - system:bootstrappers:kubeadm:default-node-token
localAPIEndpoint:
  advertiseAddress: 10.20.0.11
  bindPort: 6443
nodeRegistration:
  name: oslo-cp-1
  criSocket: unix:///run/containerd/containerd.sock
  imagePullPolicy: IfNotPresent
  kubeletExtraArgs:
  - name: node-ip
    value: 10.20.0.11
  - name: v
    value: '2'
  taints:
  - key: node-role.kubernetes.io/control-plane
    effect: NoSchedule
skipPhases:
- show-join-command
timeouts:
  controlPlaneComponentHealthCheck: 240s
  kubeletHealthCheck: 240s
  kubernetesAPICall: 60s
  etcdAPICall: 60s
  tlsBootstrap: 300s
  discovery: 300s
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: oslo
kubernetesVersion: v1.36.3
controlPlaneEndpoint: api.oslo.example.net:6443
encryptionAlgorithm: ECDSA-P256
networking:
  dnsDomain: cluster.local
  podSubnet: 10.32.0.0/14
  serviceSubnet: 10.96.0.0/16
apiServer:
  certSANs:
  - 10.20.0.10
  - api.oslo.example.net
  - 10.20.0.11
  - 10.20.0.12
  - 10.20.0.13
  - 127.0.0.1
  extraArgs:
  - name: encryption-provider-config
    value: /etc/kubernetes/encryption.yaml
  extraVolumes:
  - name: encryption
    hostPath: /etc/kubernetes/encryption.yaml
    mountPath: /etc/kubernetes/encryption.yaml
    readOnly: true
    pathType: File
controllerManager:
  extraArgs:
  - name: node-cidr-mask-size
    value: '26'
scheduler: {}
etcd:
  local:
    dataDir: /var/lib/etcd
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
failSwapOn: true
rotateCertificates: true
staticPodPath: /etc/kubernetes/manifests
maxPods: 60
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: ipvs
ipvs:
  scheduler: wlc
  strictARP: true
  syncPeriod: 30s
  minSyncPeriod: 0.5s
  tcpTimeout: 0s
  tcpFinTimeout: 0s
  udpTimeout: 0s
  excludeCIDRs:
  - 10.20.0.10/32
clientConnection:
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
clusterCIDR: 10.32.0.0/14
detectLocalMode: ClusterCIDR
metricsBindAddress: 127.0.0.1:10249
conntrack:
  maxPerCore: 0
  min: 0
  tcpEstablishedTimeout: 0s
  tcpCloseWaitTimeout: 0s
  udpTimeout: 0s
  udpStreamTimeout: 0s
logging:
  verbosity: 1
UNDERLAY_END_OF_FILE

  umask 022
}

run_kubeadm() {
  local arguments=(init --config /etc/underlay/kubeadm.yaml --skip-token-print) runner follower code=0
  if [[ -e /etc/underlay/kubeadm.started ]]; then
    say "finishing a kubeadm init that was broken off"
    # what a power cut left empty
    [[ ! -d /etc/kubernetes ]] || find /etc/kubernetes -type f -size 0 -delete
    arguments+=("--ignore-preflight-errors=FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml,FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml,FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml,FileAvailable--etc-kubernetes-manifests-etcd.yaml,DirAvailable--var-lib-etcd,Port-6443,Port-10259,Port-10257,Port-2379,Port-2380,Port-10250")
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

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

  NODE=oslo-web-1
  trap on_exit EXIT
  step "wait for an earlier run"
  lock underlay-oslo-web-1 1320
  local object='' attempt
  step "wait for the Node object"
  open_api
  while get_node && [[ -z $object ]]; do
    ((SECONDS < 300)) || fail "the cluster has no Node $NODE after 300 s (cluster.timeouts.join_s)"
    sleep 2
  done
  step "reconcile labels, annotations and taints"
  for attempt in 1 2 3 4 5; do
    if reconcile; then return; fi
    say "somebody else changed the taints meanwhile (attempt $attempt): once more"
    get_node
  done
  fail "the taints could not be changed in 5 attempts"
}

# Sends what differs and says it; fails when the taints are no longer those that were read.
reconcile() {
  local difference said taints rest
  difference=$(jq --raw-output --argjson labels "$(labels)" --argjson marks "$(annotations)" \
    --argjson taints "$(taints)" "$(program)" <<<"$object") || fail "the Node object is not as expected"
  [[ -n $difference ]] || { say "labels, annotations and taints are as declared"; return 0; }
  { IFS= read -r said; IFS= read -r taints; IFS= read -r rest; } <<<"$difference"
  if [[ -n $taints ]]; then patch_node json "$taints" || return 1; fi
  if [[ -n $rest ]]; then patch_node merge "$rest" || fail "the API refuses the labels or annotations: $(reason)"; fi
  say "$said"
}

labels() { printf %s '{"example.net/tier": "web", "topology.kubernetes.io/region": "no", "topology.kubernetes.io/zone": "hall-1", "underlay.dev/hypervisor": "kvm-a", "underlay.dev/pool": "web"}'; }

annotations() { printf %s '{}'; }

taints() { printf %s '[{"key": "web", "effect": "NoSchedule", "value": "only"}]'; }

# What underlay set before stands in the annotation, so that it goes when it is no longer declared;
# everything else on the Node belongs to others and stays.
program() {
  cat <<'UNDERLAY_JQ'
def id: .key + ":" + .effect;
def changes($want; $has; $before):
  ($want | with_entries(select($has[.key] != .value)))
  + ([($before // [])[] | select(in($want) | not) | select(in($has)) | {(.): null}] | add // {});
def said($what): to_entries[] | if .value == null then "\($what) \(.key) removed" else "\($what) \(.key)=\(.value)" end;
(.metadata.annotations // {}) as $notes
| ($notes["underlay.dev/kept"] // "{}" | fromjson) as $kept
| (.metadata.labels // {}) as $has
| (.spec.taints // []) as $on
| ($taints | map(id)) as $own
| ($own + ($kept.taints // [])) as $ours
| ([$on[] | select(id as $id | $ours | index($id) | not)]
   + [$taints[] as $want | ([$on[] | select(id == ($want | id) and (.value // "") == ($want.value // ""))][0] // $want)]) as $should
| ({labels: ($labels | keys), taints: ($own | sort)} + (if $marks == {} then {} else {annotations: ($marks | keys)} end) | tojson) as $keep
| changes($labels; $has; $kept.labels) as $relabel
| changes($marks; $notes; $kept.annotations) as $remark
| (($on | sort_by(id)) != ($should | sort_by(id))) as $retaint
| ($notes["underlay.dev/cordoned"] != null) as $cordoned
| ((if $notes["underlay.dev/kept"] != $keep then {"underlay.dev/kept": $keep} else {} end)
   + (if $cordoned then {"underlay.dev/cordoned": null} else {} end)) as $note
| (if $cordoned then {unschedulable: null} else {} end) as $spec
| if $relabel == {} and $remark == {} and $note == {} and $spec == {} and ($retaint | not) then empty
  else
    ([($relabel | said("label")),
      ($remark | said("annotation")),
      (if $retaint then "taints " + ([$should[] | id] | join(" ")) else empty end),
      (if $cordoned then "schedulable again" else empty end),
      (if $relabel == {} and $remark == {} and $spec == {} and ($retaint | not) then "noted what is kept" else empty end)] | join(", ")),
    (if $retaint then [{op: "test", path: "/spec/taints", value: .spec.taints}, {op: "add", path: "/spec/taints", value: $should}] | tojson else "" end),
    (if $relabel == {} and $remark == {} and $note == {} and $spec == {} then ""
     else {metadata: {labels: $relabel, annotations: ($remark + $note)}, spec: $spec} | tojson end)
  end
UNDERLAY_JQ
}

main </dev/null; exit

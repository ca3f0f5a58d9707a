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

  NODE=oslo-cp-2
  trap on_exit EXIT
  step "wait for an earlier run"
  lock underlay 1320
  step "write the cluster's authorities"
  umask 077
put 0600 /etc/kubernetes/pki/ca.crt <<'UNDERLAY_END_OF_FILE'
CA
UNDERLAY_END_OF_FILE
put 0600 /etc/kubernetes/pki/ca.key <<'UNDERLAY_END_OF_FILE'
CA KEY
UNDERLAY_END_OF_FILE
  say "authorities in place"
}

main </dev/null; exit

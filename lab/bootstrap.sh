#!/bin/sh
# Makes a fresh Debian machine ready for the checkout: Debian packages, then .venv and policy/.venv. `lab/bootstrap.sh preview|lab|test` says what for.
# Does only what is missing; broken off at any moment, the next run goes on from there.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin"

# The two steps that take long; each is a run of this file in a session of its own, so that an interrupt ends all of it.
case $1 in
    step-packages)
        shift
        for package in "$@"; do
            case $package in
                # The lab runs these in namespaces of its own, and the tests run NGINX: what comes with the package is not to run on the machine itself.
                bird2) mkdir -p /etc/systemd/system && ln -sf /dev/null /etc/systemd/system/bird.service ;;
                frr) mkdir -p /etc/systemd/system && ln -sf /dev/null /etc/systemd/system/frr.service ;;
                nginx) mkdir -p /etc/systemd/system && ln -sf /dev/null /etc/systemd/system/nginx.service ;;
            esac
        done
        apt-get update
        DEBIAN_FRONTEND=noninteractive exec apt-get install --yes --no-install-recommends "$@"
        ;;
    step-venv)
        # The engine takes minutes to build on a fresh machine, and nothing of .venv: both at once. `lab` says it if it failed.
        python3 -m lab.engine &
        .venv/bin/python -m pip --version || python3 -m venv --clear .venv
        # policy/.venv is the policy pack's own: it needs an older protobuf than the rest
        policy/.venv/bin/python -m pip --version || python3 -m venv --clear policy/.venv
        {
            .venv/bin/python -m pip install --no-input --disable-pip-version-check --requirement requirements-dev.txt &&
                policy/.venv/bin/python -m pip install --no-input --disable-pip-version-check --requirement policy/requirements.txt
        } || {
            trap '' TERM
            kill 0
            exit 1
        }
        wait
        exit 0
        ;;
    preview) wanted=' preview ' ;;
    lab) wanted=' preview lab ' ;;
    test) wanted=' preview lab test ' ;;
    *)
        echo "usage: lab/bootstrap.sh preview|lab|test" >&2
        exit 2
        ;;
esac

scratch=$(mktemp -d)
work=
trap 'rm -rf "$scratch"' EXIT
trap '[ -z "$work" ] || kill -- "-$work" 2> /dev/null; exit 130' INT TERM

# run NAME STEP...: shows that it is alive, and what the step said only when it fails
run() {
    name=$1
    shift
    begun=$(date +%s)
    echo "$name ..."
    setsid lab/bootstrap.sh "$@" > "$scratch/said" 2>&1 < /dev/null &
    work=$!
    beat=15
    while kill -0 "$work" 2> /dev/null; do
        sleep 0.2
        if [ $(($(date +%s) - begun)) -ge "$beat" ]; then
            echo "  $name: $beat s · $(tail -n 1 "$scratch/said" | tr -dc '[:print:]' | cut -c 1-100)"
            beat=$((beat + 15))
        fi
    done
    wait "$work" || {
        tail -n 30 "$scratch/said" >&2
        echo "$name: failed after $(($(date +%s) - begun)) s" >&2
        exit 1
    }
    work=
    echo "$name: done after $(($(date +%s) - begun)) s"
}

# Packages of which the program is not there, for the purpose and those that it takes in.
missing() {
    while read -r group package program; do
        case $wanted in
            *" $group "*) command -v "$program" > /dev/null || echo "$package" ;;
        esac
    done < lab/packages.txt
    # Debian's python3 comes without what makes a virtual environment.
    if command -v python3 > /dev/null && ! python3 -m ensurepip --version > /dev/null 2>&1; then
        echo python3-venv
    fi
}

packages=$(missing)
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # one word for each package
    set -- $packages
    [ "$(id -u)" = 0 ] || { echo "these Debian packages are missing, and only root can install them: $*" >&2; exit 1; }
    run "Debian packages" step-packages "$@"
fi

# The stamp is the last thing written: without it, whatever is in .venv is not trusted.
complete=$(cat requirements-dev.txt policy/requirements.txt lab/bootstrap.sh | sha256sum | cut -d ' ' -f 1)
if [ "$(cat .venv/complete 2> /dev/null)" != "$complete" ] || [ ! -e policy/.venv/bin/python ]; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, as Debian 12 has it" >&2; exit 1; }
    rm -f .venv/complete
    run "Python packages and engine" step-venv
    echo "$complete" > .venv/complete
fi

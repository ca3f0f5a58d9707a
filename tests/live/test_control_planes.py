"""Three control planes: joined one after the other, and an address that moves when its holder stops."""

import os
import subprocess
import time

import pytest
from environment import Live

pytestmark = pytest.mark.trio

ENDPOINT = "10.77.0.10"
NAMES = ("lab-cp-1", "lab-cp-2", "lab-cp-3")
# kubeadm gives etcd two seconds for a call, whatever its timeouts say: three emulated control planes on two cores must leave it that.
SETTINGS = {
    "control_plane.count": "3",
    "control_plane.memory_mib": "2560",
    "workers.worker.count": "0",
    "cluster.probes.readiness_period_s": "60",
} | {
    f"cluster.{component}.args.{flag}": value
    for component in ("controller_manager", "scheduler")
    for flag, value in {
        "leader-elect": "null",
        "leader-elect-lease-duration": "120s",
        "leader-elect-renew-deadline": "90s",
        "leader-elect-retry-period": "20s",
    }.items()
}


def _ready(trio: Live) -> bool:
    words = ["ip", "netns", "exec", trio.namespace, "curl", "-sk", "--max-time", "5", f"https://{ENDPOINT}:6443/readyz"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout == "ok"


def _wait_until_ready(trio: Live, times: int, within_s: float) -> float:
    """Seconds until the address has answered so many times in a row, half a second apart."""
    start, answers = time.monotonic(), 0
    while answers < times:
        answers = answers + 1 if _ready(trio) else 0
        assert time.monotonic() - start < within_s, f"the address does not answer {times} times in a row within {within_s:.0f} s"
        time.sleep(0.5)
    return time.monotonic() - start


def _holder(trio: Live, among: tuple[str, ...]) -> str:
    holders = [name for name in among if f" {ENDPOINT}/32" in trio.shell(name, "ip -4 addr show dev eth0")]
    assert len(holders) == 1, f"the address is on {holders}"
    return holders[0]


def test_three_control_planes_come_up_one_after_the_other(trio: Live) -> None:
    trio.settings.update(SETTINGS)
    trio.up("three control planes", timeout_s=4500)
    assert trio.nodes() == dict.fromkeys(NAMES, True)
    members = trio.shell(
        "cp-1",
        "cd /etc/kubernetes/pki/etcd; curl -s --cacert ca.crt --cert healthcheck-client.crt --key healthcheck-client.key"
        " -d '{}' https://127.0.0.1:2379/v3/cluster/member/list | jq -r '.members[] | select(.isLearner | not) | .name' | sort",
    )
    assert members.split() == list(NAMES)


def test_the_address_moves_when_its_holder_stops(trio: Live) -> None:
    trio.note("until the address answers steadily after three joins", _wait_until_ready(trio, times=3, within_s=600))
    holder = _holder(trio, NAMES)
    trio.virsh("destroy", holder)
    taken = _wait_until_ready(trio, times=1, within_s=300)
    trio.note(f"until the address answers again after its holder {holder} was powered off", taken)
    rest = tuple(name for name in NAMES if name != holder)
    assert _holder(trio, rest) in rest


def test_the_lab_goes(trio: Live) -> None:
    if os.environ.get("UNDERLAY_KEEP"):
        pytest.skip("UNDERLAY_KEEP is set: the lab stays up")
    trio.run("down", timeout_s=300)

"""Each node's BIRD configuration, brought over SSH to all nodes at once; sessions that do not change stay up."""

import base64
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from lab.access import Access, Node
from lab.fabric import node_config
from lab.network import LabNetwork
from lab.places import LabError
from lab.process import run
from plan import Plan

PUSH_S = 180.0
SCRIPT = """\
set -eu
umask 027
new=/etc/bird/.new.conf
base64 -d > $new << 'END'
{content}
END
chgrp bird $new
bird -p -c $new >&2
if systemctl -q is-active bird; then
    if cmp -s $new /etc/bird/bird.conf; then
        rm $new
        echo unchanged
        exit
    fi
    # First the running BIRD, then the file: broken off between them, the next push does both again.
    birdc configure "\\"$new\\"" | grep -i reconfigur
    mv $new /etc/bird/bird.conf
    echo changed
else
    mv $new /etc/bird/bird.conf
    systemctl -q enable bird
    systemctl restart bird
    echo started
fi
"""
SETTLE = """\
for _ in $(seq {seconds}); do
    states=$(birdc show protocols all | sed -n 's/.*BGP state: *//p')
    [ -n "$(echo "$states" | grep -v '^Established' || true)" ] || exit 0
    sleep 1
done
exit 1
"""


def push(access: Access, plan: Plan, network: LabNetwork, passwords: Mapping[str, str]) -> dict[str, str]:
    """Give each node its configuration; gives for each `started`, `changed` or `unchanged`. LabError names each node that took none."""
    return _on_all(access, partial(_push, access, plan, network, passwords))


def settle(access: Access, seconds: int) -> bool:
    """Wait until all sessions of all nodes are Established, at most so long; whether they are."""

    def wait(node: Node) -> str:
        try:
            run(access.ssh(node, "bash", "-s"), stdin=SETTLE.format(seconds=seconds), timeout_s=seconds + 60)
        except LabError:
            return ""
        return "settled"

    return all(_on_all(access, wait).values())


def _push(access: Access, plan: Plan, network: LabNetwork, passwords: Mapping[str, str], node: Node) -> str:
    text = node_config.bird(plan, node.name, network, passwords)
    script = SCRIPT.format(content=base64.encodebytes(text.encode()).decode().rstrip())
    return run(access.ssh(node, "bash", "-s"), stdin=script, timeout_s=PUSH_S).split()[-1]


def _on_all(access: Access, work: Callable[[Node], str]) -> dict[str, str]:
    def attempted(node: Node) -> tuple[str, LabError | None]:
        try:
            return work(node), None
        except LabError as error:
            return "", error

    with ThreadPoolExecutor(max_workers=8) as pool:
        done = dict(zip((node.name for node in access.nodes), pool.map(attempted, access.nodes), strict=True))
    if wrong := [f"{name}: {error}" for name, (_, error) in done.items() if error]:
        raise LabError("BIRD could not be set up on every node\n" + "\n".join(wrong))
    return {name: said for name, (said, _) in done.items()}

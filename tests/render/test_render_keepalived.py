"""The API's address, held by real keepalived with the rendered configuration and check, on a link of namespaces."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from native_control_plane import ControlPlanes, Node, until
from render_plans import KEY, full

from plan import Plan
from render import node_files

pytestmark = pytest.mark.engine
THREE = full(cluster__endpoint={"address": "10.20.0.10", "vrrp": {"check_interval_s": 1, "check_timeout_s": 1, "check_failures": 2}})
MASTER_DOWN_S = 3 * THREE.settings.cluster.endpoint.vrrp.advert_interval_s + (256 - 100) / 256
"""After this long without adverts a backup takes over (RFC 5798)."""

API = """
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = self.path == "/readyz" and open("/ready").read() == "yes"
        self.send_response(200 if ready else 500); self.send_header("Content-Length", "0"); self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 6443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain("/api.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@pytest.fixture
def link(program: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[[int], Node]]:
    """Gives the control plane of a number with a small API server that is as ready as its file /ready says."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces and root folders need root")
    program("keepalived")
    subject = ("-subj", "/CN=api", "-days", "2", "-keyout", "/dev/stdout", "-out", "/dev/stdout")
    pem = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *subject],
        check=True,
        capture_output=True,
        text=True,
    )
    nodes = ControlPlanes(THREE, tmp_path, program)

    def get(number: int) -> Node:
        made = nodes.node(number, programs=())
        if "api" not in made.processes:
            made.sandbox.write("api.pem", pem.stdout)
            made.sandbox.write("ready", "yes")
            made.start("api", "/usr/bin/python3", "-c", API)
        return made

    try:
        yield get
    finally:
        nodes.close()


def configure(node: Node, plan: Plan) -> None:
    for file in node_files.node_files(plan, node.node, authorized_key=KEY):
        if file.path.endswith(("check-api", "keepalived.conf")):
            node.sandbox.write(file.path[1:].replace("usr/local/", "local/"), file.text).chmod(int(file.mode, 8))


def start(node: Node, plan: Plan = THREE) -> None:
    configure(node, plan)
    node.start("keepalived", "/usr/sbin/keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file", "/etc/keepalived/keepalived.conf")


def holds(node: Node) -> bool:
    assert "keepalived" not in node.processes or node.processes["keepalived"].poll() is None, node.log("keepalived")
    return "inet 10.20.0.10/32" in node.run("ip", "-4", "addr", "show", "dev", "eth0")


def holders(nodes: list[Node]) -> list[str]:
    return [node.node.name for node in nodes if holds(node)]


def test_one_node_holds_the_address_and_another_takes_it_when_that_one_stops(link: Callable[[int], Node]) -> None:
    nodes = [link(number) for number in (1, 2, 3)]
    for node in nodes:
        start(node)
    until("one node holds the address", lambda: len(holders(nodes)) == 1, 20)
    (name,) = holders(nodes)
    lost = next(node for node in nodes if node.node.name == name)
    rest = [node for node in nodes if node is not lost]
    lost.run("ip", "link", "set", "eth0", "down")  # a power cut, seen from the link
    took = until("another node holds the address", lambda: len(holders(rest)) == 1, 20)
    print(f"the address moved in {took:.1f} s, VRRP allows {MASTER_DOWN_S:.1f} s")
    assert took < 2 * MASTER_DOWN_S


def test_a_holder_whose_api_fails_is_overtaken(link: Callable[[int], Node]) -> None:
    nodes = [link(number) for number in (1, 2)]
    for node in nodes:
        start(node)
    until("one node holds the address", lambda: len(holders(nodes)) == 1, 20)
    (name,) = holders(nodes)
    sick, well = sorted(nodes, key=lambda node: node.node.name != name)
    sick.sandbox.write("ready", "no")
    took = until("the healthy node holds the address alone", lambda: holders(nodes) == [well.node.name], 30)
    print(f"the address left an unhealthy API in {took:.1f} s")
    sick.sandbox.write("ready", "yes")
    until(
        "the check has passed again",
        lambda: "succeeded" in sick.log("keepalived").splitlines()[-1] or "priority from 50 to 100" in sick.log("keepalived"),
        20,
    )
    assert holders(nodes) == [well.node.name], "an equal must not take the address back"


def test_a_lone_node_holds_the_address_before_its_api_is_up(link: Callable[[int], Node]) -> None:
    alone = full(control_plane__count=1, cluster__endpoint=THREE.settings.cluster.endpoint.model_dump(mode="json"))
    node = link(1)
    node.sandbox.write("ready", "no")
    start(node, alone)
    until("it holds the address", lambda: holds(node), 20)
    until("its check has failed", lambda: "priority from 100 to 50" in node.log("keepalived"), 20)
    assert holds(node)


def test_growing_from_one_to_three_leaves_the_address_where_it_is(link: Callable[[int], Node]) -> None:
    alone = full(control_plane__count=1, cluster__endpoint=THREE.settings.cluster.endpoint.model_dump(mode="json"))
    first = link(1)
    start(first, alone)
    until("it holds the address", lambda: holds(first), 20)
    assert node_files.keepalived_config(alone, first.node) == node_files.keepalived_config(THREE, first.node)
    nodes = [first, link(2), link(3)]
    for node in nodes[1:]:
        start(node)
    seen: set[tuple[str, ...]] = set()

    def settled() -> bool:
        seen.add(tuple(holders(nodes)))
        return all("priority from 50 to 100" in node.log("keepalived") or "Startup complete" in node.log("keepalived") for node in nodes)

    until("the others are backups", settled, 20)
    begin = time.monotonic()
    while time.monotonic() < begin + 2 * MASTER_DOWN_S:
        settled()
    assert seen == {("oslo-cp-1",)}

"""Addresses of the lab's wire, and the pod network that the lab gives its nodes."""

import json
import os
import subprocess
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from lab import overlay
from lab.network import POSSIBLE_NODES, LabNetwork
from lab.places import Lab, LabError

NETWORK = LabNetwork(bridge="br0", gateway=IPv4Interface("10.9.8.1/24"), pods=IPv4Network("172.20.0.0/16"))


def boot(tmp_path: Path, addresses: str) -> tuple[dict[str, object], list[str]]:
    """Run a node's script with an `ip` of the test's; gives the CNI configuration and the routes that `ip -batch` got."""
    ip = tmp_path / "bin" / "ip"
    ip.parent.mkdir()
    ip.write_text(f'#!/bin/sh\nif [ "$1" = -batch ]; then cat > {tmp_path}/routes; else cat <<"END"\n{addresses}\nEND\nfi\n')
    ip.chmod(0o755)
    script = tmp_path / "pods"
    script.write_text(overlay.script(NETWORK).replace("/etc/cni", str(tmp_path / "cni")))
    environment = {"PATH": f"{ip.parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", script], check=True, env=environment, timeout=20)
    return json.loads((tmp_path / "cni/net.d/10-lab.conflist").read_text()), (tmp_path / "routes").read_text().splitlines()


def test_a_node_gets_its_part_of_the_pod_network_and_routes_to_all_others(tmp_path: Path) -> None:
    conflist, routes = boot(tmp_path, "2: eth0    inet 10.9.8.21/24 brd 10.9.8.255 scope global eth0")
    assert '"subnet": "172.20.21.0/24"' in json.dumps(conflist)
    assert len(routes) == len(POSSIBLE_NODES) - 1
    assert "route replace 172.20.11.0/24 via 10.9.8.11" in routes
    assert not [route for route in routes if route.endswith(".21")]


def test_a_virtual_address_on_the_same_link_is_not_taken_for_the_nodes_own(tmp_path: Path) -> None:
    addresses = "2: eth0    inet 10.9.8.10/32 scope global eth0\n2: eth0    inet 10.9.8.12/24 brd 10.9.8.255 scope global eth0"
    conflist, routes = boot(tmp_path, addresses)
    assert "172.20.12.0/24" in json.dumps(conflist)
    assert not [route for route in routes if route.endswith(".12")]


def test_pods_are_never_translated_and_keep_the_wires_mtu() -> None:
    ptp, portmap = json.loads(overlay.cni(NETWORK))["plugins"]
    assert (ptp["type"], ptp["ipMasq"], ptp["mtu"]) == ("ptp", False, 1500)
    assert portmap["type"] == "portmap"


def test_the_overlay_is_the_same_each_time_and_its_unit_is_enabled(tmp_path: Path) -> None:
    def tree(folder: Path) -> dict[str, object]:
        return {
            path.relative_to(folder).as_posix(): path.readlink() if path.is_symlink() else (path.read_bytes(), path.stat().st_mode)
            for path in folder.rglob("*")
            if path.is_symlink() or path.is_file()
        }

    first = tree(overlay.write(tmp_path / "a", NETWORK))
    (tmp_path / "a" / "left-over").write_text("")
    assert tree(overlay.write(tmp_path / "a", NETWORK)) == first
    enabled = tmp_path / "a/etc/systemd/system/multi-user.target.wants" / overlay.UNIT.name
    assert enabled.resolve() == (tmp_path / "a" / overlay.UNIT).resolve()
    assert f"ExecStart=/{overlay.SCRIPT}\n" in (tmp_path / "a" / overlay.UNIT).read_text()
    assert (tmp_path / "a" / overlay.SCRIPT).stat().st_mode & 0o111


@pytest.mark.parametrize(("gateway", "pods"), [("10.0.0.1/16", "172.20.0.0/16"), ("10.0.0.1/24", "172.20.0.0/20")])
def test_a_network_that_the_lab_cannot_route_is_refused(gateway: str, pods: str) -> None:
    with pytest.raises(LabError, match="the lab routes one /24 of a /16"):
        LabNetwork(bridge="br0", gateway=IPv4Interface(gateway), pods=IPv4Network(pods))


@pytest.mark.parametrize("name", ["", "A", "1a", "a/b", "x" * 21, "../lab"])
def test_a_name_that_cannot_name_a_namespace_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="lab name"):
        Lab(name=name)

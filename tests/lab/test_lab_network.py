"""Addresses of the lab's wire, and the pod network that the lab gives its nodes."""

import json
import os
import subprocess
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from lab import overlay
from lab.network import LabNetwork
from lab.places import Lab, LabError

NETWORK = LabNetwork(bridge="br0", gateway=IPv4Interface("10.9.8.1/24"), pods=IPv4Network("172.20.0.0/16"))


def boot(tmp_path: Path, addresses: str) -> dict[str, object]:
    """Run a node's script with an `ip` of the test's; gives the CNI configuration. Routes are not the script's to set."""
    ip = tmp_path / "bin" / "ip"
    ip.parent.mkdir()
    ip.write_text(f'#!/bin/sh\n[ "$*" = "-4 -oneline address show dev eth0" ] || exit 1\ncat <<"END"\n{addresses}\nEND\n')
    ip.chmod(0o755)
    script = tmp_path / "pods"
    script.write_text(overlay.script(NETWORK).replace("/etc/cni", str(tmp_path / "cni")))
    environment = {"PATH": f"{ip.parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", script], check=True, env=environment, timeout=20)
    return json.loads((tmp_path / "cni/net.d/10-lab.conflist").read_text())


def test_a_node_gets_its_part_of_the_pod_network(tmp_path: Path) -> None:
    conflist = boot(tmp_path, "2: eth0    inet 10.9.8.21/24 brd 10.9.8.255 scope global eth0")
    assert '"subnet": "172.20.21.0/24"' in json.dumps(conflist)


def test_a_virtual_address_on_the_same_link_is_not_taken_for_the_nodes_own(tmp_path: Path) -> None:
    addresses = "2: eth0    inet 10.9.8.10/32 scope global eth0\n2: eth0    inet 10.9.8.12/24 brd 10.9.8.255 scope global eth0"
    assert "172.20.12.0/24" in json.dumps(boot(tmp_path, addresses))


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
    with pytest.raises(LabError, match="the lab gives one /24 of a /16"):
        LabNetwork(bridge="br0", gateway=IPv4Interface(gateway), pods=IPv4Network(pods))


@pytest.mark.parametrize("name", ["", "A", "1a", "a/b", "x" * 21, "../lab"])
def test_a_name_that_cannot_name_a_namespace_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="lab name"):
        Lab(name=name)

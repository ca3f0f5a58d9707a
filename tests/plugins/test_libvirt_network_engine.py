"""Networks and a machine's addresses on a real libvirtd, without an engine between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.plugins.base import Properties, State
from lab.plugins.libvirt.domain import Domain
from lab.plugins.libvirt.network import Network
from lab.plugins.libvirt.virsh import Virsh
from tests.plugins.calls import Log, created, run
from tests.plugins.private_libvirt import private_libvirt, virsh

pytestmark = [pytest.mark.engine, pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="no dnsmasq for libvirt's networks")]


def test_a_network_reserves_a_machines_address_and_goes(tmp_path: Path) -> None:
    with private_libvirt(tmp_path) as uri:
        host = Virsh()
        host.uri = uri
        network, domain = Network(host), Domain(host)
        net = created(network, {"name": "nodes", "mode": "none", "addresses": ["10.91.0.0/24"], "autostart": True})
        assert net.outputs["bridge"] == "virbr0"
        assert "nodes" in virsh(uri, "net-list", "--name")

        mac, address = "52:54:00:00:00:01", "10.91.0.7"
        inputs: Properties = {"name": "node", "type": "qemu", "memory": 32, "running": False}
        machine = created(domain, inputs | {"networkInterfaces": [{"networkId": net.id, "mac": mac, "addresses": [address]}]})
        assert f"<host mac='{mac}' name='node' ip='{address}'/>" in virsh(uri, "net-dumpxml", "nodes")
        assert virsh(uri, "domstate", "node") == "shut off"
        assert run(domain.read(Log().call(), machine)) == State(machine.id, machine.outputs, machine.inputs)

        again = run(network.read(Log().call(), net))
        assert again is not None
        assert again.inputs == net.inputs
        off = run(network.update(Log().call(), net, (net.inputs or {}) | {"autostart": False}))
        assert off["autostart"] is False
        assert "nodes" not in virsh(uri, "net-list", "--autostart", "--name")

        run(domain.delete(Log().call(), machine))
        run(network.delete(Log().call(), net))
        assert virsh(uri, "net-list", "--all", "--name") == ""
        assert virsh(uri, "list", "--all", "--name") == ""

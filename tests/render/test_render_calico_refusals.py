"""What a real API server with Calico's definitions refuses, our settings refuse before, each with its own words."""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from calico_plans import MESH, ROUTERS, V3, document, written

from plan import make
from render.calico import v3
from settings import load
from settings.errors import SettingsError
from tests.plugins.native_cluster import NativeCluster

pytestmark = pytest.mark.engine


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One mistake: in the settings, and in the object that would come of it."""

    network: dict[str, Any]
    ours: str
    kind: str
    spec: dict[str, Any]
    servers: str


def bgp(**fields: Any) -> dict[str, Any]:
    return {**MESH, "bgp": fields}


def router(**fields: Any) -> dict[str, Any]:
    return bgp(routers={"tor": {"address": "10.20.0.231", "as_number": 65001, **fields}})


def rule(**fields: Any) -> dict[str, Any]:
    return bgp(filters={"edge": {"export_rules": [fields]}})


TOR = {"peerIP": "10.20.0.231", "nodeSelector": "all()"}
POOL = {"cidr": "10.32.0.0/14"}

MISTAKES: dict[str, Wrong] = {
    "AS beyond 32 bits": Wrong(
        network=router(as_number=4294967296),
        ours="as_number: is 4294967296, limit: at most 4294967294",
        kind="BGPPeer",
        spec={**TOR, "asNumber": 4294967296},
        servers="format int32",
    ),
    "AS beyond 31 bits": Wrong(
        network=router(as_number=4200000000),
        ours="as_number: is 4200000000, limit 2147483647",
        kind="BGPPeer",
        spec={**TOR, "asNumber": 4200000000},
        servers="format int32",
    ),
    "the nodes' AS beyond 31 bits": Wrong(
        network=bgp(as_number=4200000000),
        ours="bgp.as_number: is 4200000000, limit 2147483647",
        kind="BGPConfiguration",
        spec={"asNumber": 4200000000},
        servers="format int32",
    ),
    "AS in words": Wrong(
        network=router(as_number="private"), ours="as_number: ", kind="BGPPeer", spec={**TOR, "asNumber": "private"}, servers="expected numeric"
    ),
    "port 0": Wrong(
        network=bgp(listen_port=0), ours="listen_port: is 0", kind="BGPConfiguration", spec={"listenPort": 0}, servers="greater than or equal to 1"
    ),
    "port 65536": Wrong(
        network=bgp(listen_port=65536),
        ours="listen_port: is 65536",
        kind="BGPConfiguration",
        spec={"listenPort": 65536},
        servers="less than or equal to 65535",
    ),
    "community in words": Wrong(
        network=bgp(communities={"any": "64512:x"}),
        ours="communities.any: ",
        kind="BGPConfiguration",
        spec={"communities": [{"name": "any", "value": "64512:x"}]},
        servers="should match",
    ),
    "next hop": Wrong(
        network=router(next_hop="other"),
        ours="next_hop: is 'other'",
        kind="BGPPeer",
        spec={**TOR, "nextHopMode": "Other"},
        servers="Unsupported value",
    ),
    "source address": Wrong(
        network=router(source_address="loopback"),
        ours="source_address: is 'loopback'",
        kind="BGPPeer",
        spec={**TOR, "sourceAddress": "Loopback"},
        servers="Unsupported value",
    ),
    "hops in words": Wrong(
        network=router(ttl_security_hops="one"),
        ours="ttl_security_hops: ",
        kind="BGPPeer",
        spec={**TOR, "ttlSecurity": "one"},
        servers="expected numeric",
    ),
    "selector with its AS": Wrong(
        network=bgp(topology="route-reflectors"),
        ours="topology: is 'route-reflectors', needed",
        kind="BGPPeer",
        spec={"peerSelector": "all()", "asNumber": 5},
        servers="must be empty",
    ),
    "action": Wrong(
        network=rule(action="drop"), ours="action: is 'drop'", kind="BGPFilter", spec={"exportV4": [{"action": "Drop"}]}, servers="Unsupported value"
    ),
    "match of nothing": Wrong(
        network=rule(action="accept", match="in"),
        ours="match: is 'in' without a cidr",
        kind="BGPFilter",
        spec={"exportV4": [{"action": "Accept", "matchOperator": "In"}]},
        servers="must both be set",
    ),
    "match": Wrong(
        network=rule(action="accept", match="near", cidr="10.0.0.0/8"),
        ours="match: is 'near'",
        kind="BGPFilter",
        spec={"exportV4": [{"action": "Accept", "matchOperator": "Near", "cidr": "10.0.0.0/8"}]},
        servers="Unsupported value",
    ),
    "filter's range": Wrong(
        network=rule(action="accept", cidr="10.0.0.0/33"),
        ours="cidr: ",
        kind="BGPFilter",
        spec={"exportV4": [{"action": "Accept", "matchOperator": "In", "cidr": "10.0.0.0/33"}]},
        servers="of type cidr",
    ),
    "pool's range": Wrong(
        network={**MESH, "pools": [{"cidr": "10.32.0.0/33"}]},
        ours="pools[0].cidr: ",
        kind="IPPool",
        spec={"cidr": "10.32.0.0/33"},
        servers="of type cidr",
    ),
    "block": Wrong(
        network={**MESH, "pools": [{**POOL, "block_prefix": 129}]},
        ours="block_prefix: is 129",
        kind="IPPool",
        spec={**POOL, "blockSize": 129},
        servers="less than or equal to 128",
    ),
    "when": Wrong(
        network={**MESH, "encapsulation": {"protocol": "ipip", "when": "sometimes"}},
        ours="when: is 'sometimes'",
        kind="IPPool",
        spec={**POOL, "ipipMode": "Sometimes"},
        servers="Unsupported value",
    ),
    "two encapsulations": Wrong(
        network={**MESH, "encapsulation": {"protocol": "both"}},
        ours="protocol: is 'both'",
        kind="IPPool",
        spec={**POOL, "ipipMode": "Always", "vxlanMode": "Always"},
        servers="cannot both be enabled",
    ),
    "external range": Wrong(
        network={**MESH, "services": {"external": ["192.0.2.0/33"]}},
        ours="services.external[0]: ",
        kind="BGPConfiguration",
        spec={"serviceExternalIPs": [{"cidr": "192.0.2.0/33"}]},
        servers="of type cidr",
    ),
    "assign": Wrong(
        network={**MESH, "services": {"assign": "some"}},
        ours="assign: is 'some'",
        kind="KubeControllersConfiguration",
        spec={"controllers": {"loadBalancer": {"assignIPs": "Some"}}},
        servers="Unsupported value",
    ),
    "xdp": Wrong(
        network={**MESH, "calico": {"xdp": "yes"}}, ours="xdp: ", kind="FelixConfiguration", spec={"xdpEnabled": "yes"}, servers="expected boolean"
    ),
    "mtu": Wrong(
        network={**MESH, "mtu": "large"}, ours="mtu: ", kind="FelixConfiguration", spec={"wireguardMTU": "large"}, servers="expected numeric"
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_that_the_server_refuses_is_refused_by_the_settings_before(calico_cluster: NativeCluster, name: str) -> None:
    wrong = MISTAKES[name]
    with pytest.raises(SettingsError, match=re.escape(wrong.ours)):
        load(document(wrong.network))
    thing = {"apiVersion": V3, "kind": wrong.kind, "metadata": {"name": "wrong"}, "spec": wrong.spec}
    refuse(calico_cluster, thing, wrong.servers)


def test_the_server_refuses_another_range_or_block_of_a_pool_that_is_there(calico_cluster: NativeCluster) -> None:
    first = next(thing for thing in v3.objects(make(load(document(ROUTERS)))) if thing.name == "default-ipv4-ippool")
    calico_cluster.kubectl("create", "-f", "-", stdin=json.dumps(written(first)))
    try:
        for change, message in (({"cidr": "10.64.0.0/14"}, "CIDR cannot be changed"), ({"blockSize": 28}, "Block size cannot be changed")):
            refuse(calico_cluster, {**written(first), "spec": {**first.spec, **change}}, message)
    finally:
        calico_cluster.kubectl("delete", "ippool.projectcalico.org", first.name)


def test_a_restart_time_of_the_mesh_goes_with_the_mesh(calico_cluster: NativeCluster) -> None:
    with_mesh, without = (
        next(
            thing
            for thing in v3.objects(make(load(document({**ROUTERS, "bgp": {**ROUTERS["bgp"], "racks": {}, **fields}}))))
            if thing.kind == "BGPConfiguration"
        )
        for fields in ({"topology": "mesh", "restart_time_s": 90}, {"restart_time_s": 90})
    )
    assert with_mesh.spec["nodeMeshMaxRestartTime"] == "1m30s"
    for thing in (with_mesh, without):
        calico_cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(written(thing)))
    try:
        assert "nodeMeshMaxRestartTime" not in calico_cluster.get("bgpconfiguration.projectcalico.org", "default")["spec"]
        refuse(calico_cluster, {**written(with_mesh), "spec": {**with_mesh.spec, "nodeToNodeMeshEnabled": False}}, "cannot be set when")
    finally:
        calico_cluster.kubectl("delete", "bgpconfiguration.projectcalico.org", "default")


def refuse(cluster: NativeCluster, thing: dict[str, Any], message: str) -> None:
    """Passes where the server refuses the object with these words."""
    with pytest.raises(AssertionError) as refused:
        cluster.kubectl("apply", "--server-side", "--validate=strict", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=json.dumps(thing))
    assert message in str(refused.value)

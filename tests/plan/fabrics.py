"""Environments with BGP in every shape: a mesh, reflectors, routers, racks, and a large one of all that."""

from typing import Any

from tests.settings.documents import Tree, minimal

ZONE, POOL, HOST = "topology.kubernetes.io/zone", "underlay.dev/pool", "kubernetes.io/hostname"
SITES = ("a", "b", "c")
REFLECTOR_HOST = 51


def fabric(workers: int = 4, **bgp: Any) -> Tree:
    """Three control planes and workers over three sites, and in each site a pool of two nodes called spine-<site> that may reflect."""
    pools = {"worker": _pool(workers, list(SITES), 1001)}
    pools |= {f"spine-{site}": _pool(2, [site], REFLECTOR_HOST + 10 * index) for index, site in enumerate(SITES)}
    source = minimal(
        network={"cidr": "10.20.0.0/16"},
        control_plane={"count": 3, "placement": list(SITES)},
        workers=pools,
        pod_network={"kind": "calico", "bgp": bgp},
    )
    source["hypervisors"] = {site: _hypervisor(site) for site in SITES}
    return source


def _pool(count: int, placement: list[str], first_host: int) -> Tree:
    return {"count": count, "vcpus": 2, "memory_mib": 4096, "disk": {"size_gib": 20}, "placement": placement, "first_host": first_host}


def _hypervisor(site: str) -> Tree:
    return {
        "uri": f"qemu+ssh://root@{site}.example/system",
        "location": {"country": "NO", "site": site},
        "network": {"bridge": "br0"},
        "pool": {"name": "default", "kind": "dir"},
        "topology": {"numa": [{"threads": ["0-1023"], "memory_mib": 16 * 2**20}]},
    }


def clusters(clients: str = "all") -> Tree:
    """A cluster of reflectors in each site, for the whole environment or for its site."""
    return {
        f"rr-{site}": {
            "cluster_id": f"10.255.0.{index}",
            "nodes": {POOL: f"spine-{site}"},
            "clients": {} if clients == "all" else {ZONE: site},
        }
        for index, site in enumerate(SITES, 1)
    }


def routers(number: int = 2, **fields: Any) -> Tree:
    """So many routers in each site, each in an AS of its site, for that site's nodes."""
    return {
        f"tor-{site}{turn}": {"address": f"10.20.250.{10 * index + turn}", "as_number": 64600 + index, "nodes": {ZONE: site}, **fields}
        for index, site in enumerate(SITES, 1)
        for turn in range(1, number + 1)
    }


def racks() -> Tree:
    """An AS for each site."""
    return {f"rack-{site}": {"nodes": {ZONE: site}, "as_number": 65000 + index} for index, site in enumerate(SITES, 1)}


FABRICS: dict[str, Tree] = {
    "mesh": fabric(),
    "mesh with routers": fabric(routers=routers()),
    "one cluster": fabric(topology="route-reflectors", route_reflectors={"all": {"cluster_id": "10.255.0.1", "nodes": {POOL: "cp"}}}),
    "three clusters for all": fabric(topology="route-reflectors", route_reflectors=clusters()),
    "a cluster a site": fabric(topology="route-reflectors", route_reflectors=clusters("site")),
    "a cluster a site, routers for reflectors": fabric(
        topology="route-reflectors",
        route_reflectors=clusters("site"),
        routers={
            f"edge-{site}": {"address": f"10.20.250.{n}", "as_number": 64600, "nodes": {"underlay.dev/route-reflector": f"rr-{site}"}}
            for n, site in enumerate(SITES, 1)
        },
    ),
    "racks with clusters, joined by routers": fabric(
        topology="route-reflectors", route_reflectors=clusters("site"), racks=racks(), routers=routers()
    ),
    "routers": fabric(topology="routers", routers=routers(allow_own_as=1)),
    "routers and racks": fabric(topology="routers", racks=racks(), routers=routers(allow_own_as=1)),
}
LARGE = fabric(workers=291, topology="route-reflectors", route_reflectors=clusters("site"), racks=racks(), routers=routers(password="tor"))
"""300 nodes, three racks with an AS and reflectors of their own, six routers."""

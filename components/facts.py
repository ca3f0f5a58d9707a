"""What no resource of a provider can say, registered as inputs of the components: policies read it. No secrets, and only what is known before `up`."""

from typing import Any

from plan import NodePlan, Plan
from settings.forms import parse_cpu_set
from settings.hypervisor import Hypervisor, StoragePool

Facts = dict[str, Any]


def of_environment(plan: Plan) -> Facts:
    """Of the environment as a whole."""
    settings, encapsulation = plan.settings, plan.settings.pod_network.encapsulation
    return {
        "name": settings.name,
        "kubernetesVersion": settings.cluster.kubernetes_version,
        "proxyMode": settings.kube_proxy.mode,
        "residency": {
            "countries": list(settings.residency.countries),
            "reason": settings.residency.reason,
            "places": dict(settings.residency.places),
        },
        "stateBackend": settings.state_backend.url if settings.state_backend else None,
        "sources": _sources(plan),
        "dependencies": {name: {"host": each.host, "country": each.country} for name, each in settings.dependencies.items()},
        "encapsulation": {"protocol": encapsulation.protocol, "reason": encapsulation.reason},
        "conntrack": _conntrack(plan),
        "protection": {"controlPlaneDisks": settings.protection.control_plane_disks, "authorities": settings.protection.authorities},
    }


def of_hypervisor(key: str, host: Hypervisor) -> Facts:
    """Of one libvirt host."""
    pools = [host.pool, *([host.files_pool] if host.files_pool else [])]
    return {
        "hypervisor": key,
        "country": host.location.country,
        "site": host.location.site,
        "rack": host.location.rack,
        "uri": str(host.uri),
        "pools": [{"name": pool.name, "kind": pool.kind, "media": media_of(pool)} for pool in pools],
        "drives": {
            name: {"kind": drive.kind, "address": drive.address, "device": drive.device, "media": "nvme" if drive.kind == "nvme" else None}
            for name, drive in host.drives.items()
        },
        "sharedCpus": sorted(host.shared),
        "tenants": {
            name: {"vcpus": tenant.vcpus, "cpus": list(parse_cpu_set(tenant.cpus)) if tenant.cpus else None} for name, tenant in host.tenants.items()
        },
    }


def of_machine(plan: Plan, node: NodePlan) -> Facts:
    """Of one machine."""
    policy = plan.settings.node_sets()[node.node_set].cpu_policy
    pool = plan.settings.hypervisors[node.hypervisor].pool.name
    data = [
        {
            "purpose": disk.purpose,
            "kind": disk.drive.kind if disk.drive else "volume",
            "pool": None if disk.drive else pool,
            "drive": disk.drive.name if disk.drive else None,
        }
        for disk in node.disks
    ]
    return {
        "node": node.name,
        "role": node.role,
        "hypervisor": node.hypervisor,
        "cpuPolicy": node.cpu_policy,
        "overcommit": policy.overcommit,
        "vcpus": node.vcpus,
        "vcpuPins": [list(cpus) for cpus in node.vcpu_pins],
        "disks": [{"purpose": "root", "kind": "volume", "pool": pool, "drive": None}, *data],
    }


def media_of(pool: StoragePool) -> str | None:
    """What lies under a pool as far as settings know: as declared, or the NVMe devices that a managed one is made of."""
    if pool.media is None and pool.devices and all(device.startswith("/dev/nvme") for device in pool.devices):
        return "nvme"
    return pool.media


def _sources(plan: Plan) -> dict[str, str]:
    """Setting to path or URL of each file that the environment is made from."""
    image = plan.settings.image
    files = {f"image.{name}": getattr(image, name) for name in ("source", "raw", "kernel", "initrd")}
    return {name: str(source) for name, source in {**files, **{name: pinned.source for name, pinned in plan.manifests.items()}}.items() if source}


def _conntrack(plan: Plan) -> Facts:
    """The table, and what the declared load needs of it on a node: an entry for each client, and one for its connection to an application."""
    found: Facts = {"maxEntries": plan.conntrack.max_entries, "neededEntries": 0}
    expected = plan.ingress.settings.expected_connections if plan.ingress else None
    if plan.ingress is None or expected is None:
        return found
    of_a_replica = -(-expected // plan.ingress.settings.replicas)
    return {**found, "neededEntries": plan.ingress.capacity.replicas_on_a_node * of_a_replica * 2, "neededFor": "ingress.expected_connections"}

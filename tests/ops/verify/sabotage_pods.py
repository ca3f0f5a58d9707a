"""Faults of pods, machines, ingress, dependencies and residency."""

from tests.ops.verify.sabotage import Sabotage

SHARED = (
    ("hypervisors.local.topology", '{"numa": [{"threads": ["0-1"], "memory_mib": 16384}]}'),
    ("hypervisors.local.shared_cpus", '"0-1"'),
    ("workers.worker.cpu_policy", '{"kind": "shared"}'),
)
"""The worker floats over two CPUs of the host that its plan names: on a machine of two, where it was before."""
STRANGER = '<domain type="qemu"><name>{unit}</name><memory unit="MiB">16</memory><vcpu>1</vcpu><os><type arch="x86_64">hvm</type></os></domain>'
VXLAN_UP = "ip link add verify-vx type vxlan id 77 remote {peer_address} dstport 4789 dev eth0 && ip link set verify-vx address 02:00:00:00:00:77 mtu 1450 up"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        name="a VXLAN device",
        names=frozenset({"pods.devices"}),
        where="node",
        breaks=VXLAN_UP,
        mends="ip link delete verify-vx",
    ),
    Sabotage(
        name="a VXLAN device and a route through it",
        alone=True,
        names=frozenset({"pods.devices", "pods.routes", "pods.wire"}),
        may=frozenset({"services.dns-answers"}),  # when all that answers is on the other node
        where="node",
        # BIRD scans the kernel every 2 s and leaves routes of others alone: one of a lower metric goes before its own.
        breaks=(
            f"{VXLAN_UP} && ip neigh replace $(python3 -c 'import ipaddress, sys; print(ipaddress.ip_network(sys.argv[1])[-2])' {{peer_block}}) "
            "lladdr 02:00:00:00:00:78 dev verify-vx && ip route add {peer_block} dev verify-vx metric 1"
        ),
        mends="ip link delete verify-vx",
    ),
    Sabotage(
        name="a BGP session that is dropped",
        alone=True,
        names=frozenset({"pods.sessions"}),
        # Both ends keep routes for a while (graceful restart); then what runs on the other node, such as DNS, is out of reach.
        may=frozenset({"pods.routes", "pods.wire", "pods.source", "services.dns-answers"}),
        both_ends=True,
        where="node",
        breaks="birdc disable {peer_session}",
        mends="birdc enable {peer_session}; for n in $(seq 60); do birdc show protocols {peer_session} | grep -q Established && exit 0; sleep 1; done; exit 1",
    ),
    Sabotage(
        name="a route to the other node's pods that somebody wrote by hand",
        names=frozenset({"pods.routes"}),
        where="node",
        breaks="ip route add {peer_block} via {peer_address} dev eth0 metric 1 proto static",
        mends="ip route delete {peer_block} via {peer_address} dev eth0 metric 1 proto static",
    ),
    Sabotage(
        name="pods' addresses that are translated",
        names=frozenset({"pods.source"}),
        where="node",
        breaks="iptables -t nat -I POSTROUTING 1 -s {own_block} -d {peer_block} -p icmp -j MASQUERADE",
        mends="iptables -t nat -D POSTROUTING -s {own_block} -d {peer_block} -p icmp -j MASQUERADE",
    ),
    Sabotage(
        name="a lower MTU",
        alone=True,
        names=frozenset({"pods.mtu", "pods.path-mtu"}),
        where="node",
        breaks="ip link set eth0 mtu 1400",
        mends="ip link set eth0 mtu 1500",
    ),
    Sabotage(
        name="a link that is 25 ms longer",
        alone=True,
        names=frozenset({"dependencies.distance"}),
        may=frozenset({"nodes.clock"}),  # answers of time servers come later, too
        where="node",
        breaks="modprobe sch_netem && tc qdisc add dev eth0 root netem delay 25ms",
        mends="tc qdisc delete dev eth0 root",
        settings=(("dependencies.api", '{"host": "10.77.0.10", "port": 6443, "country": "NO", "round_trip_ms": 20, "serial_calls": 10}'),),
    ),
    Sabotage(
        name="a dependency that refuses",
        names=frozenset({"dependencies.distance"}),
        may=frozenset({"residency.dependencies"}),
        where="node",
        breaks="iptables -I OUTPUT 1 -d 10.77.0.1 -p tcp --dport 7 -j REJECT --reject-with tcp-reset",
        mends="iptables -D OUTPUT -d 10.77.0.1 -p tcp --dport 7 -j REJECT --reject-with tcp-reset",
        settings=(("dependencies.echo", '{"host": "10.77.0.1", "port": 7, "country": "NO", "round_trip_ms": 20}'),),
    ),
    Sabotage(
        name="a process that competes for the machine's CPU",
        alone=True,
        names=frozenset({"machines.steal"}),
        both_ends=True,  # all machines of this hypervisor
        only=("machines.steal",),  # an emulated node that gets a third of its CPU answers the rest late, or not
        where="hypervisor",
        # Above QEMU's own priority on every CPU: the vCPUs get a third of it. The loops end by themselves should nobody mend.
        breaks="for n in $(seq $(nproc)); do nice -n -3 timeout 300 sh -c 'while :; do :; done' >/dev/null 2>&1 & echo $! >> {state}; done",
        mends="xargs -r kill < {state}; rm -f {state}",
    ),
    Sabotage(
        name="a snapshot beside the pool",
        names=frozenset({"machines.drift"}),
        where="hypervisor",
        breaks="virsh snapshot-create-as {machine} sabotage --disk-only --no-metadata --atomic --diskspec vda,file={state} --diskspec vdb,snapshot=no",
        # Shallow: into the machine's own volume, and no deeper, where the image is that all share.
        mends="virsh blockcommit {machine} vda --active --shallow --pivot --wait; rm -f {state}",
        says="disk is {state}",
    ),
    Sabotage(
        name="an I/O thread that serves no disk",
        names=frozenset({"machines.drift"}),
        where="hypervisor",
        breaks="virsh iothreadadd {machine} 7 --live",
        mends="virsh iothreaddel {machine} 7 --live 2>/dev/null || true",
        says="1 I/O threads in all, declared 0",
    ),
    Sabotage(
        name="a vCPU that is held to one CPU",
        names=frozenset({"machines.pins", "machines.drift"}),
        where="hypervisor",
        breaks="virsh vcpupin {machine} 0 0 --live",
        mends="virsh vcpupin {machine} 0 0-1 --live",
        says="vCPU 0 may run on 0, declared 0-1",
        settings=SHARED,
    ),
    Sabotage(
        name="a machine that nobody declared",
        names=frozenset({"machines.overcommit"}),
        where="hypervisor",
        at="hypervisor",
        # It stands still, and is gone with its hypervisor's libvirt.
        breaks=f"virsh create --paused /dev/stdin <<<'{STRANGER}'",
        mends="virsh destroy {unit} 2>/dev/null || true",
        says="machines that are not declared: {unit} (1 vCPU)",
        settings=SHARED,
    ),
    Sabotage(
        name="a disk that others keep busy",
        alone=True,
        names=frozenset({"machines.fsync"}),
        where="hypervisor",
        at="control plane",
        only=("machines", "residency"),  # etcd shares this disk: less, or more to ask, and the API answers nobody
        breaks="virsh blkdeviotune {machine} vda --write-iops-sec 12 --live",
        mends="virsh blkdeviotune {machine} vda --write-iops-sec 0 --live",
        says="p99",
    ),
    Sabotage(
        name="a disk's queue with another scheduler",
        names=frozenset({"machines.disk-queue"}),
        where="node",
        breaks="modprobe bfq && echo bfq > /sys/block/vda/queue/scheduler",
        mends="echo mq-deadline > /sys/block/vda/queue/scheduler",
    ),
    Sabotage(
        name="a key of the ingress ConfigMap",
        names=frozenset({"ingress.config-map"}),
        where="cluster",
        at="cluster",
        breaks='kubectl -n ingress-nginx patch configmap ingress-nginx-controller --type merge -p \'{"data": {"proxy-body-size": "1m"}}\'',
        mends='kubectl -n ingress-nginx patch configmap ingress-nginx-controller --type merge -p \'{"data": {"proxy-body-size": "10m"}}\'',
    ),
    Sabotage(
        name="a node that is labelled as if it stood abroad",
        names=frozenset({"residency.nodes"}),
        may=frozenset({"nodes.labels"}),
        where="cluster",
        breaks="kubectl label node {node} topology.kubernetes.io/region=se --overwrite",
        mends="kubectl label node {node} topology.kubernetes.io/region=no --overwrite",
    ),
)
"""Each fault of these areas that a lab of emulated machines can have."""

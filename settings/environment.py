"""The root of the settings: one environment, and the checks across its areas."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field

from placement import Placement, place
from settings import checks
from settings.base import Problem, Settings
from settings.cluster import Cluster
from settings.dependencies import Dependency
from settings.forms import Address, Distinct, DnsLabel, DnsName, Network, Whole, Words, text
from settings.hypervisor import Hypervisor
from settings.ingress import Ingress
from settings.kube_proxy import KubeProxy
from settings.machine import ControlPlane, NodeSet, WorkerPool
from settings.node import NodePreparation
from settings.pod_network import PodNetwork
from settings.policies import Policies
from settings.protection import Protection
from settings.residency import Residency, StateBackend
from settings.seating import fleet_of
from settings.seats import MachineName, RecordedPlace
from settings.uris import Source

KernelArgument = Annotated[
    str, text(r"[^\s\x00]+", "expected one argument of the kernel, without spaces", "console=ttyS0", 200), Words("kernel argument")
]


class NodeNetwork(Settings):
    """The layer-2 network that carries the nodes. A change replaces the machines."""

    cidr: Network
    """Network of the nodes. A node's MAC holds the last three bytes of its address: networks of two environments on one link differ in those."""
    gateway: Address
    """Default gateway."""
    dns: Annotated[tuple[Address, ...], Distinct] = Field(min_length=1, max_length=3)
    """Name servers of the nodes; the resolver uses three at most."""
    mtu: Whole = Field(default=1500, ge=1280, le=9216)
    """MTU of the link, bytes."""
    search: Annotated[tuple[DnsName, ...], Distinct] = Field(default=(), max_length=6)
    """DNS search domains of the nodes; pods get three more, and some resolvers stop at six."""

    def disagreements(self) -> Iterator[Problem]:
        """Room for gateway, endpoint and nodes, and a MAC for each of them."""
        if not 8 <= self.cidr.prefixlen <= 29:
            yield Problem("cidr", f"is {self.cidr}, limits /8 (three bytes of the address are the MAC's) to /29; choose another prefix")


class Image(Settings):
    """The node image (`python -m image build`). A change replaces the machines: give a new image a new file name."""

    source: Source
    """Path or URL of the qcow2 image, seen from where `pulumi up` runs."""
    raw: Source | None = None
    """Path or URL of the same image as a raw disk; hypervisors whose pool is logical are filled from it."""
    kernel: Source | None = None
    """Path or URL of the kernel for direct kernel boot."""
    initrd: Source | None = None
    """Path or URL of the initrd for direct kernel boot."""
    cmdline: tuple[KernelArgument, ...] = ("root=LABEL=root", "ro", "console=ttyS0", "net.ifnames=0")
    """Kernel command line of a direct kernel boot."""

    def disagreements(self) -> Iterator[Problem]:
        """Kernel and initrd come together, with what the node image's contract asks of the command line."""
        if (self.kernel is None) != (self.initrd is None):
            missing = "kernel" if self.kernel is None else "initrd"
            yield Problem(missing, "is missing beside the other half; name kernel and initrd, or neither for an image with a boot loader")
        if self.kernel is None and self.initrd is None and "cmdline" in self.model_fields_set:
            yield Problem("cmdline", "is named without a kernel to give it to; remove it or name kernel and initrd")
        if self.kernel is not None:
            if not any(argument.startswith("root=") for argument in self.cmdline):
                yield Problem("cmdline", "names no root, needed by a direct kernel boot; add root=LABEL=root")
            if "net.ifnames=0" not in self.cmdline:
                yield Problem("cmdline", "lacks net.ifnames=0, without which the NIC is not eth0; add it")


class Applications(Settings):
    """What applications are told beside what underlay makes itself. A change changes the stack's outputs alone."""

    storage_class: DnsName | None = None
    """StorageClass that applications should name, where the operator installs one."""
    verification_report: Source | None = None
    """Where the last report of the verifier is published."""


class Environment(Settings):
    """One environment: everything that a stack declares."""

    name: DnsLabel
    """Name of the environment and start of its machines' names: <name>-cp-1, <name>-<pool>-1. A change makes everything anew."""
    residency: Residency
    """Countries in which machines, their disks, files, state and what applications depend on may stand."""
    state_backend: StateBackend | None = None
    """Where Pulumi keeps the stack's state; unset: not checked."""
    hypervisors: dict[DnsLabel, Hypervisor] = Field(min_length=1)
    """libvirt hosts by name."""
    network: NodeNetwork
    """The network of the nodes."""
    image: Image
    """The node image."""
    control_plane: ControlPlane
    """The control plane."""
    workers: dict[DnsLabel, WorkerPool] = {}
    """Worker pools by name."""
    pod_network: PodNetwork
    """The pods' network."""
    cluster: Cluster
    """The Kubernetes cluster."""
    node: NodePreparation
    """What every node gets before Kubernetes."""
    kube_proxy: KubeProxy = KubeProxy()
    """kube-proxy's mode and knobs."""
    ingress: Ingress | None = None
    """The ingress controller; unset: none."""
    applications: Applications = Applications()
    """What applications are told that underlay does not make itself."""
    dependencies: dict[DnsLabel, Dependency] = {}
    """What applications need from outside, by name; `ops verify` measures how far away it is."""
    policies: Policies = Policies()
    """How strictly the environment is held to the rules of policy/."""
    protection: Protection = Protection()
    """What may not be deleted or replaced by accident."""
    placements: dict[MachineName, RecordedPlace] = {}
    """Where machines stand already, by their names: nothing moves them then but a change here. `python -m ops plan --record` writes it."""

    def node_sets(self) -> dict[str, NodeSet]:
        """Control plane and worker pools by the name that their nodes carry: `cp`, then the pools."""
        return {"cp": self.control_plane, **self.workers}

    @cached_property
    def placement(self) -> Placement:
        """Where the planner seats every machine; it reads the areas that say which machines and hypervisors there are."""
        return place(fleet_of(self))

    def __copy__(self) -> Self:
        """A copy that seats its machines anew, because it may get other values."""
        copied = super().__copy__()
        vars(copied).pop("placement", None)
        return copied

    def disagreements(self) -> Iterable[Problem]:
        """Everything in which the areas disagree."""
        return checks.mistakes(self, frozenset(type(self).model_fields))

    def warnings(self) -> list[Problem]:
        """Legal choices that an operator should know about; shown by preview and up."""
        return checks.warnings(self)

"""Which hypervisor, NUMA node, cores and drives each machine gets: pure, deterministic, from plain values alone."""

from placement.fleet import DriveNeed, Fleet, Host, HostDrive, HostTenant, MachineSet, NumaCell, PageSize, Policy, RecordedSeat
from placement.placement import Placement
from placement.planner import place
from placement.result import CoreView, DriveView, HostView, Lack, NumaView, PageView, Refusal, Room, Seat, Shortfall

__all__ = [
    "CoreView",
    "DriveNeed",
    "DriveView",
    "Fleet",
    "Host",
    "HostDrive",
    "HostTenant",
    "HostView",
    "Lack",
    "MachineSet",
    "NumaCell",
    "NumaView",
    "PageSize",
    "PageView",
    "Placement",
    "Policy",
    "RecordedSeat",
    "Refusal",
    "Room",
    "Seat",
    "Shortfall",
    "place",
]

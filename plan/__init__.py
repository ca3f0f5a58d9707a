"""Pure arithmetic from settings to a frozen plan of names, addresses, pins and numbers."""

from plan.disks import DiskPlan, DrivePlan
from plan.environment import Plan, make
from plan.node import GuestTopology, NodePlan

__all__ = ["DiskPlan", "DrivePlan", "GuestTopology", "NodePlan", "Plan", "make"]

"""Pure arithmetic from settings to a frozen plan of names, addresses, pins and numbers."""

from plan.environment import Plan, make
from plan.node import NodePlan

__all__ = ["NodePlan", "Plan", "make"]

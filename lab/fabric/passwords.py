"""Passwords of BGP sessions: the lab makes them at random, and keeps them for as long as it is there."""

import json
import secrets
from pathlib import Path

from lab.places import Lab, write_private
from plan import Plan

RANDOM_BYTES = 16


def path(lab: Lab) -> Path:
    """The file with all passwords of the lab, mode 0600."""
    return lab.root / "bgp-passwords.json"


def ensure(lab: Lab, plan: Plan) -> dict[str, str]:
    """The password of each name that a router of the plan uses; what is missing is made, what is there stays."""
    names = sorted(plan.pod_network.bgp.password_users)
    known: dict[str, str] = json.loads(path(lab).read_text()) if path(lab).exists() else {}
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_hex(RANDOM_BYTES) for name in missing}
        write_private(path(lab), f"{json.dumps(known, indent=2, sort_keys=True)}\n")
    return {name: known[name] for name in names}

"""The rules of policy/ for the lab's previews, with the levels that the stack gives them."""

from typing import Any

from lab import project, stackfile
from lab.places import Lab
from ops.policy.command import configuration
from settings.policies import Policies


def words(lab: Lab, stack: str) -> list[str]:
    """What `pulumi preview` is told, so that the rules are asked; the stack's project is written."""
    environment = stackfile.environment(stackfile.read(project.generated_file(lab, stack)))
    levels: Any = Policies.model_validate(environment.get("policies") or {}).levels
    file = lab.root / "policies.json"
    file.write_text(configuration(levels))
    return ["--policy-pack", str(lab.checkout / "policy"), "--policy-pack-config", str(file)]

"""The plan of the stack that a lab runs, as the product makes it from the same stack file."""

from lab import project, stackfile
from lab.places import Lab, LabError
from plan import Plan, make
from settings import SettingsError, load


def plan_of(lab: Lab, stack: str) -> Plan:
    """The plan of the stack file that the lab generated last; LabError where the settings are wrong, with all that is wrong."""
    return plan_from(stackfile.environment(stackfile.read(project.generated_file(lab, stack))))


def plan_from(environment: stackfile.Tree) -> Plan:
    """The plan of an environment; LabError where its settings are wrong."""
    try:
        return make(load(environment))
    except SettingsError as error:
        raise LabError(str(error)) from None

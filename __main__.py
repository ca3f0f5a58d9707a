"""underlay: one stack is one environment. Reads the settings, makes the plan, builds the environment, exports its outputs."""

import pulumi

from components.environment import Environment, EnvironmentArgs
from plan import make
from settings import SettingsError, load


def main() -> None:
    """Declare the environment of the selected stack."""
    try:
        settings = load(pulumi.Config("underlay").require_object("environment"))
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    for warning in settings.warnings():
        pulumi.log.warn(str(warning))
    plan = make(settings)
    environment = Environment(settings.name, EnvironmentArgs(plan=plan))

    pulumi.export("environment", settings.name)
    pulumi.export("api_endpoint", plan.api_url)
    pulumi.export("kubeconfig", environment.authorities.kubeconfig)
    pulumi.export("nodes", [{"name": node.name, "role": node.role, "address": str(node.address)} for node in plan.nodes])
    pulumi.export("kube_proxy_mode", settings.kube_proxy.mode)
    pulumi.export(
        "ssh",
        {
            "user": "root",
            "private_key": pulumi.Output.secret(environment.authorities.operator_key),
            "known_hosts": environment.known_hosts,
        },
    )


main()

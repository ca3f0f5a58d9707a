"""underlay: one stack is one environment. Reads the settings, makes the plan, builds the environment, exports its outputs."""

import pulumi

import sources
from components.calico import Manifests
from components.environment import Environment, EnvironmentArgs
from components.passwords import PasswordError, bgp_passwords
from plan import Plan, make
from render.calico import api_server, manifest
from render.calico.published import ManifestError
from settings import SettingsError, load


def manifests(plan: Plan) -> Manifests | None:
    """Calico's manifests, fetched, checked and changed; None where somebody else builds the pods' network."""
    network = plan.pod_network
    if network.manifest is None or network.api_server_manifest is None:
        return None
    published = sources.text(network.manifest.source, network.manifest.sha256, setting="pod_network.calico.manifest")
    server = sources.text(network.api_server_manifest.source, network.api_server_manifest.sha256, setting="pod_network.calico.api_server_manifest")
    return Manifests(network=manifest.objects(plan, published), api_server=api_server.objects(plan, server))


def main() -> None:
    """Declare the environment of the selected stack."""
    config = pulumi.Config("underlay")
    try:
        settings = load(config.require_object("environment"))
        plan = make(settings)
        args = EnvironmentArgs(plan=plan, manifests=manifests(plan), passwords=bgp_passwords(plan, config))
    except (SettingsError, sources.SourceError, ManifestError, PasswordError) as error:
        raise pulumi.RunError(str(error)) from None
    for warning in settings.warnings():
        pulumi.log.warn(str(warning))
    environment = Environment(settings.name, args)

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

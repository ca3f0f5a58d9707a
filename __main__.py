"""underlay: one stack is one environment. Reads the settings, makes the plan, builds the environment, exports its outputs."""

from typing import Any

import pulumi

import sources
from components.calico import Manifests
from components.environment import Environment, EnvironmentArgs
from components.outputs import Made, exports
from components.passwords import PasswordError, bgp_passwords
from plan import Plan, make
from plan.environment import API_SERVER_MANIFEST, CALICO_MANIFEST, INGRESS_MANIFEST
from render.calico import api_server, manifest
from render.ingress import manifest as ingress_manifest
from render.published import ManifestError
from settings import SettingsError, load


def manifests(plan: Plan) -> Manifests | None:
    """Calico's manifests, fetched, checked and changed; None where somebody else builds the pods' network."""
    if CALICO_MANIFEST not in plan.manifests or API_SERVER_MANIFEST not in plan.manifests:
        return None
    published, server = _text(plan, CALICO_MANIFEST), _text(plan, API_SERVER_MANIFEST)
    return Manifests(network=manifest.objects(plan, published), api_server=api_server.objects(plan, server))


def ingress_objects(plan: Plan) -> tuple[dict[str, Any], ...]:
    """Objects of the ingress controller from its manifest, fetched, checked and changed; none where none is declared."""
    return ingress_manifest.objects(plan, _text(plan, INGRESS_MANIFEST) if INGRESS_MANIFEST in plan.manifests else "")


def _text(plan: Plan, setting: str) -> str:
    pinned = plan.manifests[setting]
    return sources.text(pinned.source, pinned.sha256, setting=setting)


def main() -> None:
    """Declare the environment of the selected stack."""
    config = pulumi.Config("underlay")
    try:
        settings = load(config.require_object("environment"))
        plan = make(settings)
        args = EnvironmentArgs(plan=plan, manifests=manifests(plan), passwords=bgp_passwords(plan, config), ingress=ingress_objects(plan))
    except (SettingsError, sources.SourceError, ManifestError, PasswordError) as error:
        raise pulumi.RunError(str(error)) from None
    for warning in settings.warnings():
        pulumi.log.warn(str(warning))
    environment = Environment(settings.name, args)

    made = Made(
        ca_certificate=environment.authorities.cluster_ca.certificate_pem,
        kubeconfig=environment.authorities.kubeconfig,
        ingress_addresses=environment.ingress.addresses if environment.ingress else [],
    )
    for name, value in exports(plan, made).items():
        pulumi.export(name, value)
    # For the operator alone, and no part of the contract.
    ssh = {"user": "root", "private_key": environment.authorities.operator_key, "known_hosts": environment.known_hosts}
    pulumi.export("ssh", pulumi.Output.secret(ssh))


main()

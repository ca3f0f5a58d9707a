"""The stack's outputs keep the contract, whatever is declared, and say what the plan says."""

from typing import Any, get_args

import pulumi
import pytest
from jsonschema import Draft202012Validator
from recorder import Registered, document, run_program, with_external_network

import outputs
from components import outputs as made
from outputs import schema
from plan import Plan, make
from settings import load
from settings.bgp import Bgp
from settings.ingress import Exposure, Ingress
from settings.kube_proxy import KubeProxy

FRONT_DOOR = {
    "controller": "configmap-only",
    "namespace": "web",
    "config_map": "nginx",
    "class_name": "front",
    "domain": "apps.example",
    "expected_response_kib": 300,
    "nginx": {"proxy_body_size_mib": 12},
}


def plan_of(environment: dict[str, Any], **changes: Any) -> Plan:
    return make(load({**environment, **changes}))


def oslo_plan(**changes: Any) -> Plan:
    return plan_of(with_external_network(document("example-oslo")), **{"ingress": None, **changes})


@pytest.mark.parametrize("stack", ["lab", "oslo", "calico"])
def test_what_a_stack_exports_is_what_an_application_can_read(stack: str, request: pytest.FixtureRequest) -> None:
    registered: Registered = request.getfixturevalue(stack)
    environment = outputs.Environment.from_json(registered.exports)
    Draft202012Validator(schema.schema()).validate({name: value for name, value in registered.exports.items() if value is not None})  # pyright: ignore[reportUnknownMemberType]
    assert environment.environment == ("lab" if stack == "lab" else "oslo")
    assert environment.kubeconfig is not None
    assert environment.api.root_certificate.startswith("CERTIFICATE")
    assert registered.exports.keys() - {"ssh"} == set(outputs.Environment.model_fields)
    assert set(schema.schema()["properties"]) == set(outputs.Environment.model_fields)


def test_the_private_keys_of_authorities_are_in_no_output_but_the_operators_in_ssh(oslo: Registered) -> None:
    contract = {name: value for name, value in oslo.exports.items() if name not in ("ssh", "kubeconfig")}
    assert "PRIVATE" not in str(contract)
    assert "PRIVATE oslo-operator-key" in str(oslo.exports["ssh"])
    assert "-ca-key" not in str(oslo.exports)


def test_nodes_and_networks_are_the_plans() -> None:
    plan = oslo_plan()
    assert [(node.name, node.address, node.zone) for node in made.nodes(plan)] == [
        (node.name, str(node.address), dict(node.labels)["topology.kubernetes.io/zone"]) for node in plan.nodes
    ]
    networks = made.networks(plan)
    assert (networks.link_mtu, networks.pod_mtu, networks.overhead_bytes) == (9000, 9000, 0)
    assert networks.load_balancers == ("10.20.128.0/24",)


def test_encapsulation_shows_in_mtu_and_overhead() -> None:
    environment = document("example-oslo")
    environment["pod_network"]["encapsulation"] = {"protocol": "vxlan"}
    networks = made.networks(plan_of(environment, ingress=None))
    assert (networks.link_mtu, networks.pod_mtu, networks.overhead_bytes) == (9000, 8950, 50)


def test_a_rack_gives_its_nodes_their_own_autonomous_system() -> None:
    environment = with_external_network(document("example-oslo"))
    bgp = environment["pod_network"]["bgp"]
    bgp["topology"] = "routers"
    bgp["racks"] = {"one": {"nodes": {"topology.kubernetes.io/zone": "osl1"}, "as_number": 65101}}
    plan = plan_of(environment, ingress=None)
    numbers = {node.zone: node.as_number for node in made.nodes(plan)}
    assert numbers == {"osl1": 65101, "osl2": 64512, "osl3": 64512}
    assert made.bgp(plan).as_number == 64512


def test_hypervisors_without_nodes_are_no_place_of_the_environment() -> None:
    environment = with_external_network(document("example-oslo"))
    environment["hypervisors"]["spare"] = {
        **environment["hypervisors"]["kvm1"],
        "uri": "qemu+ssh://root@spare.osl.example/system",
        "location": {"country": "NO", "site": "nowhere"},
    }
    for machines in (environment["control_plane"], environment["workers"]["worker"]):
        machines["placement"] = ["kvm1", "kvm2", "kvm3"]
    location = made.location(plan_of(environment, ingress=None))
    assert location.sites == ("osl1", "osl2", "osl3")
    assert "spare" not in location.hypervisors


def test_announced_ranges_are_pools_and_service_addresses() -> None:
    assert made.bgp(oslo_plan()).advertised == ("10.128.0.0/16", "10.20.128.0/24")
    assert {router.name: router.as_number for router in made.bgp(oslo_plan()).routers}["tor-osl2b"] == 64602


def test_the_ingress_tells_its_class_and_its_limits() -> None:
    plan = oslo_plan(ingress=FRONT_DOOR)
    ingress, limits = made.ingress(plan, ["10.20.128.10"]), made.limits(plan)
    assert ingress is not None
    assert (ingress.class_name, ingress.namespace, ingress.domain, ingress.addresses) == ("front", "web", "apps.example", ("10.20.128.10",))
    assert plan.ingress is not None
    assert limits.request_body_bytes == 12 * 1024 * 1024
    assert limits.buffered_response_bytes == plan.ingress.response.fits_kib * 1024 >= 300 * 1024


def test_no_ingress_is_null_and_has_no_limits() -> None:
    plan = oslo_plan()
    assert made.ingress(plan, []) is None
    limits = made.limits(plan)
    assert (limits.request_body_bytes, limits.buffered_response_bytes) == (None, None)
    assert limits.conntrack_entries_per_node == plan.conntrack.max_entries
    assert limits.pods_per_node == plan.settings.cluster.max_pods


def test_everything_that_settings_allow_is_a_known_value_of_the_contract() -> None:
    definitions = schema.schema()["$defs"]

    def known(field: dict[str, Any]) -> set[str]:
        return set(field["anyOf"][0]["enum"])

    assert known(definitions["Ingress"]["properties"]["controller"]) == set(get_args(Ingress.model_fields["controller"].annotation))
    assert known(definitions["Ingress"]["properties"]["exposure"]) == set(get_args(Exposure.model_fields["kind"].annotation))
    assert known(definitions["Bgp"]["properties"]["topology"]) == set(get_args(Bgp.model_fields["topology"].annotation))
    assert known(schema.schema()["properties"]["kube_proxy_mode"]) == set(get_args(KubeProxy.model_fields["mode"].annotation))


def test_an_export_that_breaks_the_contract_fails_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    right = made.networks

    def wrong(plan: Plan) -> outputs.Networks:
        return right(plan).model_copy(update={"pods": "10.0.0.1/8"})

    monkeypatch.setattr(made, "networks", wrong)
    with pytest.raises(pulumi.RunError, match=r"do not keep contract 1\.0(.|\n)*  - Environment: networks\.pods: 10\.0\.0\.1/8 has host bits set"):
        run_program(document("lab"))

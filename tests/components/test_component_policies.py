"""What the program registers, held against the rules of policy/ with the levels of its own stack file."""

from __future__ import annotations

from typing import Any

from recorder import PASSWORDS, Registered, document, run_program, with_calico, with_ingress

from policy import facts
from policy.model import Resource
from policy.rule import Level
from policy.rules import level_of, violations
from policy.seats import DOMAIN
from tests.policy.registered import stack_of


def levels(stack: str) -> dict[str, Level]:
    """As the stack's file declares them."""
    return document(stack).get("policies", {}).get("levels", {})


def refused(registered: Registered, stack: str) -> list[tuple[str, str, str]]:
    """What is wrong under a level that refuses."""
    found = levels(stack)
    return [
        (item.rule.id, item.name, item.message)
        for item in violations(stack_of(registered.requests), found)
        if level_of(item.rule, found) == "mandatory"
    ]


def of_type(registered: Registered, kind: str) -> list[Resource]:
    found = list(stack_of(registered.requests).of_type(kind))
    assert found, kind
    return found


def test_the_lab_keeps_the_rules_that_its_stack_asks_for(lab: Registered) -> None:
    assert refused(lab, "lab") == []


def test_the_example_keeps_the_rules_that_its_stack_asks_for(calico: Registered) -> None:
    assert refused(calico, "example-oslo") == []


def test_the_example_is_advised_of_each_registry_once(calico: Registered) -> None:
    found = [item.message for item in violations(stack_of(calico.requests)) if item.rule.id == "residency-sources"]
    assert len(found) == 1, found
    assert "image is quay.io, of which nobody says where it stands" in found[0]


def test_an_encapsulation_without_a_reason_is_one_message_for_the_whole_program() -> None:
    environment: dict[str, Any] = with_ingress(with_calico(document("example-oslo")))
    environment["pod_network"]["encapsulation"] = {"protocol": "vxlan"}
    registered = run_program(environment, passwords=PASSWORDS)
    found = list(violations(stack_of(registered.requests), levels("example-oslo")))
    assert [item.name for item in found if item.rule.id == "no-encapsulation"] == ["oslo"]
    assert [item.name for item in found if item.rule.id == "retired-software"] == ["oslo-ingress-controller"]


def test_components_register_what_rules_ask_of_them(calico: Registered) -> None:
    (environment,) = of_type(calico, facts.ENVIRONMENT)
    declared = document("example-oslo")
    assert environment.text("kubernetesVersion") == declared["cluster"]["kubernetes_version"]
    assert environment.text("proxyMode") == declared["kube_proxy"]["mode"]
    assert environment.number("conntrack", "maxEntries") == declared["node"]["conntrack"]["max_entries"]
    assert facts.residency(environment).countries == tuple(declared["residency"]["countries"])
    assert environment.text("stateBackend") == declared["state_backend"]["url"]
    assert "image.source" in environment.tree("sources")
    assert environment.text("encapsulation", "protocol") == "none"
    hosts = {host.text("hypervisor"): host for host in of_type(calico, facts.HYPERVISOR)}
    assert set(hosts) == set(declared["hypervisors"])
    for name, host in hosts.items():
        assert host.text("country") == declared["hypervisors"][name]["location"]["country"]
        assert host.text("uri") == declared["hypervisors"][name]["uri"]
        assert facts.pool_media(host, declared["hypervisors"][name]["pool"]["name"]) == "nvme"


def test_every_domain_belongs_to_a_machine_and_a_hypervisor_that_are_declared(calico: Registered) -> None:
    stack = stack_of(calico.requests)
    for domain in of_type(calico, DOMAIN):
        machine, host = facts.machine_of(domain, stack), facts.hypervisor_of(domain, stack)
        assert machine is not None
        assert host is not None
        assert machine.hypervisor == host.text("hypervisor")
        assert machine.cpu_policy == "dedicated"
        assert machine.is_control_plane == ("-cp-" in domain.name)
        assert "root" in {disk["purpose"] for disk in machine.disks}

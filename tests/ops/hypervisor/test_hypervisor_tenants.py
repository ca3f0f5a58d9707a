"""`ops hypervisor describe`: the machines of others, with what they take of the host."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ops.verify.model import Said
from tests.ops.hypervisor import made_devices
from tests.ops.hypervisor.made_answers import answers, read, said, text
from tests.ops.hypervisor.made_capabilities import INTERLEAVED, MEMORY_ALONE
from tests.ops.hypervisor.made_devices import Domain

SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
DOMAINS = {
    "db-1": Domain(pins=dict(enumerate(("8", "40", "9", "41", "10", "42", "11", "43"))), page_kib=1048576, nodeset="0"),
    "build": Domain(vcpus=16, mib=8191),
    "cache": Domain(vcpus=4, cpuset="20-23", page_kib=0, nodeset="0-1"),
    "half": Domain(vcpus=2, pins={0: "30"}),
    "preferring": Domain(vcpus=2, pins={0: "29", 1: "61"}, nodeset="1", mode="preferred"),
    "oslo-cp-1": Domain(vcpus=2, pins={0: "24", 1: "56"}, environment="oslo"),
}


@pytest.mark.skipif(shutil.which("xmllint") is None or not SCHEMA.exists(), reason="no xmllint with libvirt's schemas")
@pytest.mark.parametrize("name", [*DOMAINS, "drives"])
def test_the_made_up_domains_are_what_libvirt_can_say(name: str, tmp_path: Path) -> None:
    made = tmp_path / "domain.xml"
    made.write_text(made_devices.domain(name, DOMAINS.get(name, Domain(nvme=0x41, passed=0x42, block="/dev/nvme3n1"))))
    done = subprocess.run(["xmllint", "--noout", "--relaxng", SCHEMA, made], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_tenant_is_there_with_what_it_takes() -> None:
    tenants = read(answers(INTERLEAVED, domains=DOMAINS))["tenants"]
    assert tenants["db-1"] == {"vcpus": 8, "cpus": "8-11,40-43", "memory_mib": 32768, "hugepages": "1G", "numa": 0}
    assert tenants["build"] == {"vcpus": 16, "memory_mib": 8191}
    assert tenants["cache"] == {"vcpus": 4, "cpus": "20-23", "memory_mib": 32768, "hugepages": "2M"}
    assert tenants["half"] == {"vcpus": 2, "memory_mib": 32768}
    assert tenants["preferring"] == {"vcpus": 2, "cpus": "29,61", "memory_mib": 32768}
    assert tenants["oslo-cp-1"]["cpus"] == "24,56"


def test_what_the_settings_have_no_word_for_is_a_comment() -> None:
    found = text(answers(INTERLEAVED, domains=DOMAINS, stopped=["build"]))
    lines = {line.split(":")[0].strip(): line.partition(" # ")[2] for line in found.splitlines() if " # " in line}
    assert lines["db-1"] == "running"
    assert lines["build"] == "defined, does not run; floats over all CPUs"
    assert lines["cache"] == "running; its huge pages are of the default size; its memory is bound to several NUMA nodes"
    assert lines["half"] == "running; some of its vCPUs are held to CPUs and some are not: it counts as floating"
    assert lines["oslo-cp-1"] == "running; of environment oslo"


def test_the_environments_own_machines_are_no_tenants() -> None:
    others = set(DOMAINS) - {"oslo-cp-1"}
    assert read(answers(INTERLEAVED, domains=DOMAINS), environment="oslo")["tenants"].keys() == others
    assert read(answers(INTERLEAVED, domains=DOMAINS), environment="bergen")["tenants"].keys() == set(DOMAINS)
    own = {"oslo-cp-1": DOMAINS["oslo-cp-1"]}
    assert read(answers(INTERLEAVED, domains=own), environment="oslo")["tenants"] == {}
    # the first core is the host's again, whatever its own machines are held to
    there = answers(INTERLEAVED, domains={"oslo-cp-1": Domain(vcpus=1, pins={0: "0"}, environment="oslo")})
    assert read(there, environment="oslo")["reserved_cpus"] == "0,16,32,48"


def test_a_domain_that_cannot_be_read_is_named() -> None:
    found = answers(INTERLEAVED, domains=DOMAINS)
    found["domain half"] = said("error: Requested operation is not valid\n", 1)
    assert "# a tenant may be missing: domain half: Requested operation is not valid\n" in text(found)
    assert "half" not in read(found)["tenants"]
    found["domains"] = Said(output="", exit_code=124, error="no answer in 30 s")
    assert "# a tenant may be missing: no answer in 30 s\n# tenants: none could be read\n" in text(found)


def test_a_name_that_yaml_would_take_for_something_else_is_quoted() -> None:
    names = ("on", "12", "0x10", "1.5", "null")
    assert read(answers(INTERLEAVED, domains={name: Domain(vcpus=1) for name in names}))["tenants"].keys() == set(names)


def test_a_name_that_cannot_be_declared_is_left_to_a_person() -> None:
    found = answers(INTERLEAVED, domains={"my vm: # 1": Domain(vcpus=1), "b": Domain(vcpus=1)})
    assert read(found)["tenants"].keys() == {"b"}
    assert '  # "my vm: # 1": { vcpus: 1, memory_mib: 32768 } # running; floats over all CPUs; its name cannot be declared: choose one\n' in text(
        found
    )


def test_what_lies_on_a_numa_node_that_is_left_out_is_left_out_too() -> None:
    domains = {"far": Domain(vcpus=2, cpuset="4-5", nodeset="2"), "near": Domain(vcpus=2, cpuset="3-4", nodeset="1")}
    poor = {**MEMORY_ALONE, 1: replace(MEMORY_ALONE[1], memory_mib=0)}
    found = answers(poor, domains=domains)
    assert read(found)["tenants"] == {"far": {"vcpus": 2, "memory_mib": 32768}, "near": {"vcpus": 2, "cpus": "3", "memory_mib": 32768}}
    assert "is also held to CPUs 4-5, which are left out" in text(found)
    assert "its memory is bound to a NUMA node that is left out" in text(found)

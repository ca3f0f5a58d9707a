"""The contract from one stack to another under the real engine: by StackReference, and by the engine's JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from outputs import ContractError, Environment
from outputs.version import CONTRACT_VERSION
from tests.plugins.pulumi_project import CHECKOUT, Outcome, Project, engine

pytestmark = [pytest.mark.engine, pytest.mark.skipif(engine() is None, reason="no pulumi CLI: set UNDERLAY_PULUMI or put it on PATH")]

KUBECONFIG = "apiVersion: v1\nkind: Config\nusers: [{ name: admin, user: { token: swordfish-5512 } }]\n"
SECRET = "swordfish-5512"
PRODUCER = f"""
import pulumi, yaml
from components.outputs import Made, exports
from plan import make
from settings import load

document = yaml.safe_load(open("{CHECKOUT}/stacks/Pulumi.lab.yaml"))["config"]["underlay:environment"]
document["ingress"] = {{"controller": "configmap-only", "namespace": "web", "config_map": "nginx", "class_name": "front", "domain": "lab.example"}}
made = Made(
    ca_certificate="-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n",
    kubeconfig=pulumi.Output.secret({KUBECONFIG!r}),
    ingress_addresses=["10.77.0.21"],
)
published = exports(make(load(document)), made)
# changes
for name, value in published.items():
    pulumi.export(name, value)
"""
CONSUMER = """
import pulumi, pulumi_random as random
from outputs import Environment

environment = Environment.from_stack("organization/producer/test")
pulumi.export("endpoint", environment.api.apply(lambda api: api.endpoint))
pulumi.export("pods", environment.networks.apply(lambda networks: [networks.pods, networks.pod_mtu]))
pulumi.export("first", environment.nodes.apply(lambda nodes: nodes[0].name))
pulumi.export("class", environment.ingress.apply(lambda ingress: ingress.class_name if ingress else "none"))
pulumi.export("storage", environment.storage_class.apply(lambda name: name or "none"))
pulumi.export("access", environment.kubeconfig)

def front_door(published):
    if published.ingress is not None:
        random.RandomId("of-the-front-door", byte_length=2)

environment.published.apply(front_door)
"""


class Pair:
    """Two projects on one backend: an environment's and an application's."""

    def __init__(self, folder: Path) -> None:
        self.producer = Project(folder / "producer", name="producer")
        backend = {"PULUMI_BACKEND_URL": self.producer.environment["PULUMI_BACKEND_URL"]}
        self.consumer = Project(folder / "consumer", backend, name="consumer")
        self.consumer.write(CONSUMER)

    def publish(self, changes: str = "") -> None:
        """Bring the environment up; `changes` are statements on what it publishes."""
        self.producer.write(PRODUCER.replace("# changes", changes))
        self.producer.up()

    def outputs(self, project: Project, *words: str) -> str:
        """What `pulumi stack output` says."""
        said = project.run("stack", "output", *words)
        assert said.code == 0, said.text
        return said.text

    def changes(self) -> dict[str, str]:
        """What an `up` of the application would change; looking at the environment's stack is no change."""
        return {name: what for name, what in self.consumer.planned().items() if what != "read"}

    def state(self) -> str:
        """The application's state as it lies on the disk."""
        return next((self.producer.folder / "state").rglob("stacks/consumer/test.json")).read_text()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def one_error(outcome: Outcome, *words: str) -> None:
    """The run failed with one error that says this, and nothing else."""
    assert outcome.code != 0
    for word in words:
        assert word in outcome.text
    diagnostics = outcome.text.partition("Diagnostics:")[2]
    errors = [line for line in diagnostics.splitlines() if "error:" in line and line.strip() != "error: preview failed"]
    assert len(errors) == 1, outcome.text
    assert "Traceback" not in outcome.text
    assert SECRET not in outcome.text


def test_an_application_reads_typed_outputs_and_only_the_kubeconfig_is_secret(pair: Pair) -> None:
    pair.publish()
    previewed = pair.consumer.preview().text
    for shown in ("https://10.77.0.10:6443", "192.168.0.0/16", "lab-cp-1", "front", "of-the-front-door"):
        assert shown in previewed, "values of another stack are known in a preview"
    assert SECRET not in previewed
    applied = pair.consumer.up().text
    assert SECRET not in applied
    assert SECRET not in pair.state()
    shown = json.loads(pair.outputs(pair.consumer, "--json"))
    assert shown == {
        "access": "[secret]",
        "class": "front",
        "endpoint": "https://10.77.0.10:6443",
        "first": "lab-cp-1",
        "pods": ["192.168.0.0/16", 1500],
        "storage": "none",
    }
    assert json.loads(pair.outputs(pair.consumer, "--json", "--show-secrets"))["access"] == KUBECONFIG
    assert pair.changes() == {}


def test_a_person_reads_the_environments_outputs_with_its_secret_masked(pair: Pair) -> None:
    pair.publish()
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in pair.outputs(pair.producer).splitlines()[2:] if line.strip()}
    assert lines.keys() == Environment.model_fields.keys() - {"storage_class", "verification_report"}, "one output for each field that is not null"
    assert lines["kubeconfig"] == "[secret]"
    assert lines["environment"] == "lab"
    assert json.loads(lines["api"])["endpoint"] == "https://10.77.0.10:6443"
    assert [name for name, value in lines.items() if "[secret]" in value] == ["kubeconfig"]


def test_the_engines_json_is_the_same_environment(pair: Pair, tmp_path: Path) -> None:
    pair.publish()
    plain, full = (pair.outputs(pair.producer, "--json", *more) for more in ([], ["--show-secrets"]))
    masked, whole = Environment.from_json(plain), Environment.from_json(full)
    assert masked.kubeconfig is None
    assert whole.kubeconfig is not None
    assert whole.kubeconfig.get_secret_value() == KUBECONFIG
    assert masked.model_dump(exclude={"kubeconfig"}) == whole.model_dump(exclude={"kubeconfig"})
    assert (whole.ingress and whole.ingress.domain, whole.networks.link_mtu) == ("lab.example", 1500)
    (tmp_path / "outputs.json").write_text(full)
    assert Environment.from_json(tmp_path / "outputs.json") == whole


def newer_minor() -> str:
    own_major, own_minor = CONTRACT_VERSION.split(".")
    return f"{own_major}.{int(own_minor) + 1}"


def test_an_application_goes_on_after_fields_are_added(pair: Pair) -> None:
    pair.publish()
    pair.consumer.up()
    before = pair.outputs(pair.consumer, "--json")
    pair.publish(
        f"published['contract_version'] = {newer_minor()!r}; published['colour'] = 'green'; published['networks']['jumbo'] = True\n"
        "for node in published['nodes']: node['rack'] = 'a1'"
    )
    assert json.loads(pair.outputs(pair.producer, "--json"))["colour"] == "green"
    assert pair.changes() == {}
    pair.consumer.up("--expect-no-changes")
    assert pair.outputs(pair.consumer, "--json") == before
    assert Environment.from_json(pair.outputs(pair.producer, "--json")).contract_version == newer_minor()


def test_without_an_ingress_the_front_door_is_not_built(pair: Pair) -> None:
    pair.publish("published['ingress'] = None")
    assert set(pair.changes()) == {"consumer-test"}
    pair.consumer.up()
    assert json.loads(pair.outputs(pair.consumer, "--json"))["class"] == "none"


def test_another_major_version_is_refused_with_one_error(pair: Pair) -> None:
    pair.publish("published['contract_version'] = '2.0'")
    one_error(
        pair.consumer.run("preview"),
        "stack organization/producer/test cannot be read: it publishes contract 2.0, this program reads 1.x",
        "install the package underlay-outputs",
    )
    with pytest.raises(ContractError, match=r"publishes contract 2\.0"):
        Environment.from_json(pair.outputs(pair.producer, "--json"))


def test_a_broken_contract_is_one_error_with_all_that_is_wrong(pair: Pair) -> None:
    pair.publish("published['networks']['pods'] = 'many'; del published['nodes'][0]['zone']")
    one_error(pair.consumer.run("preview"), "- networks.pods: 'many' does not appear to be", "- nodes[0].zone: is missing", "run `pulumi up` there")


def test_a_stack_that_is_not_up_yet_is_one_error(pair: Pair) -> None:
    one_error(pair.consumer.run("preview"), "stack organization/producer/test has no outputs yet: run `pulumi up` there first")


def test_a_missing_stack_is_one_error(pair: Pair) -> None:
    pair.consumer.write(CONSUMER.replace("producer/test", "producer/elsewhere"))
    one_error(pair.consumer.run("preview"), 'unknown stack "organization/producer/elsewhere"')


def test_another_programs_stack_is_one_error(pair: Pair) -> None:
    pair.producer.write("import pulumi\npulumi.export('url', 'x')\n")
    pair.producer.up()
    one_error(pair.consumer.run("preview"), "stack organization/producer/test has outputs, but no contract_version: name a stack of underlay")


def test_a_kubeconfig_that_this_program_cannot_decrypt_is_one_error(pair: Pair) -> None:
    pair.publish()
    pair.consumer.environment["PULUMI_CONFIG_PASSPHRASE"] = "another"
    shutil.rmtree(next((pair.producer.folder / "state").rglob("stacks/consumer")))
    (pair.consumer.folder / "Pulumi.test.yaml").unlink(missing_ok=True)
    assert pair.consumer.run("stack", "init", "test").code == 0
    one_error(pair.consumer.run("preview"), "output kubeconfig cannot be read: use the stack's own secrets provider or passphrase here too")


def test_an_export_that_breaks_the_contract_fails_its_own_stack(pair: Pair) -> None:
    pair.producer.write(PRODUCER.replace('"10.77.0.21"', '"somewhere"'))
    one_error(pair.producer.run("preview"), "the outputs do not keep contract", "- Ingress: addresses[0]: 'somewhere' does not appear")


def test_installed_by_itself_it_reads_with_pydantic_alone(pair: Pair, tmp_path: Path) -> None:
    pair.publish()
    copied, target = tmp_path / "source" / "outputs", tmp_path / "site"
    shutil.copytree(CHECKOUT / "outputs", copied, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", target, copied]
    installed = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    program = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import outputs, outputs.schema\n"
        "print(outputs.Environment.from_json(sys.stdin.read()).environment, outputs.__file__, outputs.schema.FILE.exists(), 'pulumi' in sys.modules)"
    )
    said = pair.outputs(pair.producer, "--json")
    done = subprocess.run([sys.executable, "-I", "-c", program], input=said, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.split() == ["lab", f"{target}/outputs/__init__.py", "True", "False"], done.stderr

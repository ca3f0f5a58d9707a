"""nodes.files, .containerd, .kubelet and .access."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ops.verify.checks import nodes_setup
from ops.verify.model import Check, Seen
from plan import NodePlan, Plan
from tests.ops.verify.made_seen import CP, WORKER, answer, findings, found, lab_plan, named, seen_with, statuses, unreachable

FILES, CONTAINERD, KUBELET, ACCESS = (named(f"nodes.{name}", nodes_setup.CHECKS) for name in ("files", "containerd", "kubelet", "access"))
ALL = (FILES, CONTAINERD, KUBELET, ACCESS)
PASSED = {CP: "passed", WORKER: "passed"}
OWN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEnvironmentsOwnKey underlay"
OPERATOR = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOperator ops@example.net"
IMAGE = json.dumps({"kubernetes": "1.36.3", "parts": [{"name": "containerd", "version": "v2.3.4"}]})


def files(plan: Plan, node: NodePlan) -> str:
    """What sha256sum and stat print."""
    kept = nodes_setup.rendered(plan, node)
    sums = [f"{hashlib.sha256((file.text.rstrip(chr(10)) + chr(10)).encode()).hexdigest()}  {path}" for path, file in kept.items()]
    return "\n".join([*sums, *(f"{file.mode.removeprefix('0')} {path}" for path, file in kept.items()), "end"])


def kubelet_file(plan: Plan, node: NodePlan) -> str:
    """What kubeadm makes of it: defaults beside, durations as Go spells them."""
    fields: dict[str, Any] = {**nodes_setup.kubelet_fields(plan, node), "syncFrequency": "0s", "containerRuntimeEndpoint": "unix:///x"}
    fields["authentication"] = {**fields["authentication"], "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}}
    return yaml.safe_dump(fields)


def flags(plan: Plan, node: NodePlan) -> str:
    given = " ".join(f"--{name}={value}" for name, value in plan.settings.cluster.kubelet_args.items())
    return f'KUBELET_KUBEADM_ARGS="{given} --node-ip={node.address}"'


def parts(plan: Plan, node: NodePlan) -> dict[str, str]:
    return {
        "files": files(plan, node),
        "units": "containerd active\nkubelet active",
        "image": IMAGE,
        "kubelet": kubelet_file(plan, node),
        "flags": flags(plan, node),
        "keys": f"{OWN}\n",
    }


def nodes_document(plan: Plan, **info: str) -> dict[str, Any]:
    versions = {"kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://v2.3.4", **info}
    return {"items": [{"metadata": {"name": node.name}, "status": {"nodeInfo": versions}} for node in plan.nodes]}


def seen(plan: Plan | None = None, info: dict[str, str] | None = None, /, **changes: str | None) -> Seen:
    """The worker's answer has the changes."""
    plan = plan or lab_plan()
    told = {node.name: {"node-setup": answer({**parts(plan, node), **(changes if node.name == WORKER else {})})} for node in plan.nodes}
    made = seen_with(plan, "node-setup", {}, api={nodes_setup.NODES: nodes_document(plan, **(info or {}))})
    return replace(made, nodes=told)


def changed(part: str, old: str, new: str) -> dict[str, str]:
    text = parts(lab_plan(), lab_plan().nodes[1])[part]
    assert old in text, text
    return {part: text.replace(old, new)}


@pytest.mark.parametrize("check", ALL)
def test_a_node_as_declared_passes(check: Check) -> None:
    assert statuses(check, seen()) == PASSED, findings(check, seen())


def checksum_of(path: str) -> str:
    body = nodes_setup.rendered(lab_plan(), lab_plan().nodes[1])[path].text
    return hashlib.sha256(body.encode()).hexdigest()


@pytest.mark.parametrize(
    ("check", "changes", "says"),
    [
        (FILES, ("files", checksum_of("/etc/hosts"), "0" * 64), "/etc/hosts differs from what is declared"),
        (
            FILES,
            ("files", f"{checksum_of('/etc/sysctl.d/90-underlay.conf')}  /etc/sysctl.d/90-underlay.conf\n", ""),
            "/etc/sysctl.d/90-underlay.conf is missing",
        ),
        (FILES, ("files", "644 /etc/hosts", "666 /etc/hosts"), "/etc/hosts has mode 666, declared 644"),
        (CONTAINERD, ("files", checksum_of("/etc/containerd/config.toml"), "0" * 64), "/etc/containerd/config.toml differs from what is declared"),
        (CONTAINERD, ("units", "containerd active", "containerd failed"), "containerd is failed"),
        (CONTAINERD, ("units", "kubelet", "containerd due\nkubelet"), "containerd waits for a restart since its file changed"),
        (CONTAINERD, ("image", "v2.3.4", "v2.4.0"), "containerd 2.3.4 runs, the image holds 2.4.0"),
        (KUBELET, ("units", "kubelet active", "kubelet activating"), "kubelet is activating"),
        (KUBELET, ("kubelet", "failSwapOn: true", "failSwapOn: false"), "failSwapOn is false, declared true"),
        (
            KUBELET,
            ("kubelet", "nodeStatusUpdateFrequency: 20s", "nodeStatusUpdateFrequency: 10s"),
            'nodeStatusUpdateFrequency is "10s", declared "20s"',
        ),
        (KUBELET, ("flags", "--node-ip=10.77.0.21", ""), "flag node-ip is absent, declared 10.77.0.21"),
        (KUBELET, ("flags", "housekeeping-interval=60s", "housekeeping-interval=10s"), "flag housekeeping-interval is 10s, declared 60s"),
        (ACCESS, ("keys", OWN, f"{OWN}\n{OPERATOR}"), "1 more keys than declared may log in"),
        (ACCESS, ("keys", OWN, "# nobody"), "the environment's own key is missing"),
    ],
)
def test_what_differs_is_named_by_one_check(check: Check, changes: tuple[str, str, str], says: str) -> None:
    said = seen(**changed(*changes))
    assert found(check, said, WORKER) == says
    for other in ALL:
        if other is not check:
            assert statuses(other, said) == PASSED


def test_durations_are_compared_as_durations() -> None:
    assert statuses(KUBELET, seen(**changed("kubelet", "nodeStatusUpdateFrequency: 20s", "nodeStatusUpdateFrequency: 0h0m20s"))) == PASSED


def test_other_versions_than_declared_are_named() -> None:
    assert found(KUBELET, seen(None, {"kubeletVersion": "v1.36.2"}), WORKER) == "kubelet v1.36.2 runs"
    assert statuses(CONTAINERD, seen(None, {"containerRuntimeVersion": "containerd://2.3.4"})) == PASSED
    assert found(CONTAINERD, seen(None, {"containerRuntimeVersion": "cri-o://1.36"}), WORKER) == "containerd cri-o://1.36 runs, the image holds 2.3.4"


def test_declared_keys_are_counted_in_and_missing_ones_named() -> None:
    plan = lab_plan(node__access={"authorized_keys": [OPERATOR]})
    assert statuses(ACCESS, seen(plan, keys=f"{OPERATOR} renamed\n{OWN}"))[WORKER] == "passed"
    assert found(ACCESS, seen(plan, keys=OWN), WORKER) == "1 declared keys are missing"


def test_the_files_are_those_of_prepare_but_for_the_secret_key() -> None:
    plan = lab_plan()
    paths = set(nodes_setup.rendered(plan, plan.nodes[0]))
    assert {"/etc/keepalived/keepalived.conf", "/etc/modprobe.d/underlay.conf", "/etc/hosts"} <= paths
    assert "/root/.ssh/authorized_keys" not in paths


@pytest.mark.parametrize("check", ALL)
def test_who_cannot_be_asked_is_not_checked(check: Check) -> None:
    assert findings(check, unreachable(seen(), WORKER))[WORKER].found == "no route to host"
    nothing = seen_with(lab_plan(), "node-setup", dict.fromkeys(parts(lab_plan(), lab_plan().nodes[0])))
    assert statuses(check, nothing) == {CP: "not checked", WORKER: "not checked"}


@pytest.mark.parametrize("check", [CONTAINERD, KUBELET])
def test_without_the_api_the_version_is_not_known(check: Check) -> None:
    blind = replace(seen(), api={}, api_errors={nodes_setup.NODES: "connection refused"})
    assert {finding.found for finding in findings(check, blind).values()} == {"the API does not name its version: connection refused"}
    assert statuses(check, replace(seen(), api={nodes_setup.NODES: {"items": []}}))[WORKER] == "not checked"

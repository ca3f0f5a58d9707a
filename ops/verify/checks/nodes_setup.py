"""What `prepare` and kubeadm left on a node: files, containerd, kubelet, and who may log in."""

import hashlib
import shlex
from collections.abc import Iterator

import yaml

from ops.verify.model import Check, Finding, Probe, Seen
from ops.verify.reading.answers import PRELUDE, Sections, Verdict, each_node
from ops.verify.reading.document import differences, from_json, from_yaml, items, mapping, sequence, text
from plan import NodePlan, Plan
from render.kubeadm import init_config
from render.node_files import NodeFile, node_files

FILES, CONTAINERD, KUBELET, ACCESS = (f"nodes.{name}" for name in ("files", "containerd", "kubelet", "access"))
NODES = "/api/v1/nodes"
CONTAINERD_FILE, CHRONY_FILE, KEYS_FILE = "/etc/containerd/config.toml", "/etc/chrony/chrony.conf", "/root/.ssh/authorized_keys"
KUBELET_FILE, FLAGS_FILE = "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env"
NO_TOKEN = "000000.0000000000000000"  # noqa: S105 - kubelet's part of kubeadm's file has none
CHECKSUM_DIGITS = 64
AGAIN = "pulumi up --refresh runs `prepare` again"


def rendered(plan: Plan, node: NodePlan) -> dict[str, NodeFile]:
    """The files of `prepare` by path, without the one that holds the environment's own key."""
    return {file.path: file for file in node_files(plan, node, authorized_key="") if file.path != KEYS_FILE}


def _script(plan: Plan, node: NodePlan) -> str:
    paths = " ".join(shlex.quote(path) for path in rendered(plan, node))
    return f"""{PRELUDE}
files() {{
  sha256sum {paths}
  stat --format '%a %n' {paths}
  echo end
}} 2>/dev/null
units() {{
  local states unit
  mapfile -t states < <(systemctl is-active containerd kubelet)
  printf '%s\n' "containerd ${{states[0]:-unknown}}" "kubelet ${{states[1]:-unknown}}"
  for unit in /run/underlay/restart-*; do [[ ! -e $unit ]] || printf '%s due\n' "${{unit##*restart-}}"; done
}}
image() {{ [[ ! -r /etc/underlay/image.json ]] || cat /etc/underlay/image.json; }}
ask files files
ask units units
ask image image
ask kubelet cat {KUBELET_FILE}
ask flags cat {FLAGS_FILE}
ask keys cat {KEYS_FILE}
"""


PROBE = Probe(key="node-setup", script=_script, timeout_s=40)


def _file_lines(said: Sections, wanted: dict[str, NodeFile]) -> list[str] | None:
    """What differs of these files; None where the node did not say."""
    rows = [line.split(maxsplit=1) for line in (said.text("files") or "").splitlines()]
    if ["end"] not in rows:
        return None
    sums = {row[1]: row[0] for row in rows if len(row) == 2 and len(row[0]) == CHECKSUM_DIGITS}
    modes = {row[1]: row[0] for row in rows if len(row) == 2 and len(row[0]) < CHECKSUM_DIGITS}
    lines: list[str] = []
    for path, file in wanted.items():
        if path not in sums or path not in modes:
            lines.append(f"{path} is missing")
            continue
        body = file.text if file.text.endswith("\n") or not file.text else f"{file.text}\n"
        lines += [f"{path} differs from what is declared"] if sums[path] != hashlib.sha256(body.encode()).hexdigest() else []
        lines += [f"{path} has mode {modes[path]}, declared {file.mode.lstrip('0')}"] if modes[path] != file.mode.lstrip("0") else []
    return lines


def _units(said: Sections) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in (said.text("units") or "").splitlines():
        words = line.split()
        if len(words) == 2:
            found.setdefault(words[0], set()).add(words[1])
    return found


def _unit_lines(said: Sections, unit: str) -> list[str]:
    states = _units(said).get(unit, set())
    lines = [] if "active" in states else [f"{unit} is {' and '.join(sorted(states - {'due'})) or 'unknown'}"]
    return [*lines, *([f"{unit} waits for a restart since its file changed"] if "due" in states else [])]


def _files(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        wanted = {path: file for path, file in rendered(seen.plan, node).items() if path not in (CONTAINERD_FILE, CHRONY_FILE)}
        lines = _file_lines(said, wanted)
        verdict = Verdict(check=FILES, where=node.name, declared=f"{len(wanted)} files of underlay", remedy=AGAIN)
        yield verdict.missing(said.why("files")) if lines is None else verdict.of(lines, f"{len(wanted)} files, unchanged")

    yield from each_node(FILES, PROBE, judge, seen)


def _node_info(seen: Seen, node: NodePlan) -> dict[str, str] | None:
    listed = items(seen.api.get(NODES)) or []
    found = next((one for one in listed if mapping(one.get("metadata")).get("name") == node.name), None)
    info = None if found is None else mapping(mapping(found.get("status")).get("nodeInfo"))
    return {name: value for name, value in info.items() if isinstance(value, str)} if info else None


def _containerd(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        parts = [mapping(part) for part in sequence(mapping(from_json(said.text("image") or "")).get("parts"))]
        wanted = next((text(part.get("version")).lstrip("v") for part in parts if part.get("name") == "containerd"), "")
        lines = _file_lines(said, {CONTAINERD_FILE: rendered(seen.plan, node)[CONTAINERD_FILE]})
        info = _node_info(seen, node)
        verdict = Verdict(
            check=CONTAINERD,
            where=node.name,
            declared=f"containerd {wanted or 'of the image'} with underlay's configuration",
            remedy=f"{AGAIN} and restarts containerd where its file changed; another version comes with another image",
        )
        if lines is None or not _units(said):
            yield verdict.missing(said.why("files" if lines is None else "units"))
        elif info is None:
            yield verdict.missing(f"the API does not name its version: {seen.api_errors.get(NODES, f'there is no Node {node.name}')}")
        else:
            running = info.get("containerRuntimeVersion", "").removeprefix("containerd://").lstrip("v")
            lines += [f"containerd {running or '?'} runs, the image holds {wanted}"] if wanted and running != wanted else []
            yield verdict.of([*lines, *_unit_lines(said, "containerd")], f"containerd {running}")

    yield from each_node(CONTAINERD, PROBE, judge, seen)


def kubelet_fields(plan: Plan, node: NodePlan) -> dict[str, object]:
    """KubeletConfiguration as kubeadm is told it."""
    documents = [mapping(document) for document in yaml.safe_load_all(init_config(plan, node, token=NO_TOKEN))]
    return dict(next(document for document in documents if document.get("kind") == "KubeletConfiguration"))


def _kubelet(seen: Seen) -> Iterator[Finding]:
    version = f"v{seen.plan.settings.cluster.kubernetes_version}"

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        configuration, flags, info = from_yaml(said.text("kubelet") or ""), said.text("flags"), _node_info(seen, node)
        verdict = Verdict(
            check=KUBELET,
            where=node.name,
            declared=f"kubelet {version} with cluster.kubelet and cluster.kubelet_args",
            remedy=f"kubeadm wrote it once: change ConfigMap kube-system/kubelet-config, then on {node.name}: "
            f"kubeadm upgrade node phase kubelet-config && systemctl restart kubelet; flags are in {FLAGS_FILE}",
        )
        if not mapping(configuration) or flags is None or not _units(said):
            part = "kubelet" if not mapping(configuration) else "flags" if flags is None else "units"
            yield verdict.missing(said.why(part) if said.text(part) is None else f"{KUBELET_FILE} is no configuration")
        elif info is None:
            yield verdict.missing(f"the API does not name its version: {seen.api_errors.get(NODES, f'there is no Node {node.name}')}")
        else:
            lines = [] if info.get("kubeletVersion") == version else [f"kubelet {info.get('kubeletVersion', '?')} runs"]
            lines += differences(kubelet_fields(seen.plan, node), configuration)
            arguments = {"node-ip": str(node.address), **seen.plan.settings.cluster.kubelet_args}
            given = _flags(flags)
            lines += [
                f"flag {name} is {given.get(name, 'absent')}, declared {value}" for name, value in arguments.items() if given.get(name) != value
            ]
            yield verdict.of([*lines, *_unit_lines(said, "kubelet")], f"kubelet {version}")

    yield from each_node(KUBELET, PROBE, judge, seen)


def _flags(line: str) -> dict[str, str]:
    """Flags of KUBELET_KUBEADM_ARGS="--name=value ..."."""
    _, _, arguments = line.strip().partition("=")
    try:
        words = [word for part in shlex.split(arguments) for word in shlex.split(part)]
    except ValueError:
        return {}
    return {name.removeprefix("--"): value for name, _, value in (word.partition("=") for word in words)}


def _access(seen: Seen) -> Iterator[Finding]:
    declared = {_key(line) for line in seen.plan.settings.node.access.authorized_keys}

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        verdict = Verdict(
            check=ACCESS,
            where=node.name,
            declared=f"the environment's own key and {len(declared)} of node.access.authorized_keys",
            remedy=f"{AGAIN} and writes {KEYS_FILE} as declared",
        )
        listed = said.text("keys")
        if listed is None:
            yield verdict.missing(said.why("keys"))
            return
        found = {_key(line) for line in listed.splitlines() if line.strip() and not line.startswith("#")}
        # which of the others is the environment's own is a secret's public half that the plan does not know: there is one
        extra = len(found - declared) - 1
        lines = [f"{len(declared - found)} declared keys are missing"] if declared - found else []
        lines += [f"{extra} more keys than declared may log in"] if extra > 0 else ["the environment's own key is missing"] if extra < 0 else []
        yield verdict.of(lines, f"{len(found)} keys")

    yield from each_node(ACCESS, PROBE, judge, seen)


def _key(line: str) -> str:
    """Kind and body of a public key, without its name."""
    return " ".join(line.split()[:2])


CHECKS: tuple[Check, ...] = (
    Check(id=FILES, area="nodes", title="underlay's files are as declared", severity="error", judge=_files, probes=(PROBE,)),
    Check(
        id=CONTAINERD,
        area="nodes",
        title="containerd is the image's and has the declared configuration",
        severity="error",
        judge=_containerd,
        probes=(PROBE,),
        api_paths=(NODES,),
    ),
    Check(
        id=KUBELET,
        area="nodes",
        title="kubelet has the declared version, configuration and flags",
        severity="error",
        judge=_kubelet,
        probes=(PROBE,),
        api_paths=(NODES,),
    ),
    Check(id=ACCESS, area="nodes", title="Nobody but the declared keys may log in", severity="error", judge=_access, probes=(PROBE,)),
)

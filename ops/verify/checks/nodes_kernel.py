"""The running kernel: which it is, its command line, its modules and sysctls, and that nothing swaps."""

from collections.abc import Iterator

from ops.verify.model import Check, Finding, Probe, Seen
from ops.verify.reading.answers import PRELUDE, Sections, Verdict, each_node
from ops.verify.reading.document import from_json, mapping, text
from plan import NodePlan, Plan
from render.node_files import Sysctl, modules, required_modules, sysctls
from render.text import shell_pattern

KERNEL, MODULES, SYSCTLS, SWAP = (f"nodes.{name}" for name in ("kernel", "modules", "sysctls", "swap"))
CONNTRACK_PREFIX = "net.netfilter.nf_conntrack_"
"""conntrack.* looks at these."""
LOAD_FILE = "/etc/modules-load.d/underlay.conf"
AGAIN = "pulumi up --refresh runs `prepare` again"


def watched_sysctls(plan: Plan) -> tuple[Sysctl, ...]:
    """Those that `prepare` sets beside connection tracking's."""
    return tuple(sysctl for sysctl in sysctls(plan) if not sysctl.name.replace("/", ".").startswith(CONNTRACK_PREFIX))


def _script(plan: Plan, _node: NodePlan) -> str:
    values = "\n".join(f"  value {place} {shell_pattern(f'/proc/sys/{sysctl.path}')}" for place, sysctl in enumerate(watched_sysctls(plan)))
    return f"""{PRELUDE}
modules() {{
  local name kernel builtin=''
  read -r kernel </proc/sys/kernel/osrelease
  [[ ! -r /lib/modules/$kernel/modules.builtin ]] || IFS= read -r -d '' builtin <"/lib/modules/$kernel/modules.builtin" || true
  for name in {" ".join(modules(plan))}; do
    if [[ -d /sys/module/$name || $builtin == *"/$name.ko"* || $builtin == *"/${{name//_/-}}.ko"* ]]; then echo "$name loaded"; else echo "$name absent"; fi
  done
}}
# value PLACE PATH...: the paths as the pattern gave them
value() {{
  local place=$1 path found
  shift
  for path in "$@"; do
    found=absent
    [[ ! -r $path ]] || IFS= read -r found <"$path" || true
    printf '%s\\t%s\\t%s\\n' "$place" "$path" "$found"
  done
}}
values() {{
  :
{values}
}}
listed() {{ [[ ! -r {LOAD_FILE} ]] || cat {LOAD_FILE}; }}
image() {{ [[ ! -r /etc/underlay/image.json ]] || cat /etc/underlay/image.json; }}
ask release cat /proc/sys/kernel/osrelease
ask cmdline cat /proc/cmdline
ask image image
ask modules modules
ask listed listed
ask sysctls values
ask swaps cat /proc/swaps
"""


PROBE = Probe(key="node-kernel", script=_script, timeout_s=40)


def _kernel(seen: Seen) -> Iterator[Finding]:
    image = seen.plan.settings.image
    arguments = image.cmdline if image.kernel is not None else ()

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        release, cmdline = said.text("release"), said.text("cmdline")
        wanted = text(mapping(from_json(said.text("image") or "")).get("kernel"))
        verdict = Verdict(
            check=KERNEL,
            where=node.name,
            declared=f"the image's kernel{f' {wanted}' if wanted else ''}{', with image.cmdline' if arguments else ''}",
            remedy=f"restart {node.name}; image.kernel and image.initrd must come from the same build as image.source",
        )
        if not release or cmdline is None:
            yield verdict.missing(said.why("release" if not release else "cmdline"))
            return
        running = release.strip()
        lines = [f"kernel {running} runs, the image is built with {wanted}"] if wanted and running != wanted else []
        gone = [argument for argument in arguments if argument not in cmdline.split()]
        lines += [f"the command line lacks {' '.join(gone)}"] if gone else []
        yield verdict.of(lines, f"kernel {running}")

    yield from each_node(KERNEL, PROBE, judge, seen)


def _modules(seen: Seen) -> Iterator[Finding]:
    required = required_modules(seen.plan)

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        found = said.text("modules")
        verdict = Verdict(
            check=MODULES, where=node.name, declared=f"{', '.join(required)} and the others that the kernel has", remedy=f"modprobe NAME, or {AGAIN}"
        )
        states = {words[0]: words[1] for line in (found or "").splitlines() if len(words := line.split()) == 2}
        if found is None or not states or said.text("listed") is None:
            yield verdict.missing(said.why("modules" if found is None else "listed"))
            return
        kept = {line.strip() for line in (said.text("listed") or "").splitlines() if line.strip() and not line.startswith("#")}
        absent = sorted(name for name, state in states.items() if state != "loaded" and (name in required or name in kept))
        unlisted = sorted(name for name in required if name not in kept)
        lines = [f"{name} is not loaded" for name in absent] + [f"{LOAD_FILE} lacks {name}: not loaded at the next boot" for name in unlisted]
        yield verdict.of(lines, f"{sum(state == 'loaded' for state in states.values())} modules")

    yield from each_node(MODULES, PROBE, judge, seen)


def _sysctls(seen: Seen) -> Iterator[Finding]:
    watched = watched_sysctls(seen.plan)

    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        found = said.text("sysctls")
        verdict = Verdict(
            check=SYSCTLS,
            where=node.name,
            declared=f"{len(watched)} sysctls of underlay and node.sysctls",
            remedy=f"sysctl -w NAME=VALUE, or {AGAIN}; look for what else sets it: grep -r NAME /etc/sysctl.d",
        )
        rows = [parts for line in (found or "").splitlines() if len(parts := line.split("\t")) == 3 and parts[0].isdigit()]
        # where two name one file, as with a pattern, the later one was written last
        last = {path: (int(place), value) for place, path, value in rows if int(place) < len(watched)}
        asked = {int(place) for place, _, _ in rows}
        if found is None or any(place not in asked for place in range(len(watched))):
            yield verdict.missing(said.why("sysctls") if found is None else "the node did not say all of them")
            return
        lines = [
            f"{_name(path, watched[place])} is {' '.join(value.split())}, declared {' '.join(watched[place].value.split())}"
            for path, (place, value) in last.items()
            if value.split() != watched[place].value.split()
        ]
        yield verdict.of(lines, f"{len(last)} values as declared")

    yield from each_node(SYSCTLS, PROBE, judge, seen)


def _name(path: str, sysctl: Sysctl) -> str:
    return sysctl.name if "*" not in sysctl.name else path.removeprefix("/proc/sys/").replace("/", ".")


def _swap(seen: Seen) -> Iterator[Finding]:
    def judge(node: NodePlan, said: Sections) -> Iterator[Finding]:
        found = said.text("swaps")
        verdict = Verdict(
            check=SWAP, where=node.name, declared="no swap", remedy="swapoff --all, and remove it from /etc/fstab; a swapping kubelet starves pods"
        )
        if found is None or not found.startswith("Filename"):
            yield verdict.missing(said.why("swaps") if found is None else "/proc/swaps says something else")
            return
        used = [line.split()[0] for line in found.splitlines()[1:] if line.strip()]
        yield verdict.of([f"swap on {', '.join(used)}"] if used else [], "no swap")

    yield from each_node(SWAP, PROBE, judge, seen)


CHECKS: tuple[Check, ...] = (
    Check(
        id=KERNEL, area="nodes", title="Nodes run the image's kernel with the declared command line", severity="error", judge=_kernel, probes=(PROBE,)
    ),
    Check(
        id=MODULES,
        area="nodes",
        title="The kernel's modules are loaded, and will be at the next boot",
        severity="error",
        judge=_modules,
        probes=(PROBE,),
    ),
    Check(id=SYSCTLS, area="nodes", title="Sysctls have the declared values", severity="error", judge=_sysctls, probes=(PROBE,)),
    Check(id=SWAP, area="nodes", title="Nothing swaps", severity="error", judge=_swap, probes=(PROBE,)),
)

"""`app` and `app-down`: the example application on a running lab, asked at its cluster IP from every node, and gone again."""

import json
import shlex
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from lab.access import Access, Node, answer, open_access
from lab.app import image, stack
from lab.display import Display
from lab.progress import Progress
from lab.report import times_line
from lab.session import Session, exclusive, finish_broken_off, open_stack

REQUESTS = 4
"""Asked one after the other: round robin shows both replicas."""
ASK_S = 180.0
TABLE_S = 60
"""kube-proxy writes a new Service's table some seconds after its pods are ready, and at last the set by which a node's own connections are masqueraded."""
QUESTIONS = """\
for _ in $(seq {table_s}); do
  test "$(ipvsadm -Ln -t {address}:80 2>&1 | grep -c -- '-> [0-9]')" -ge {servers} && ipset -q test KUBE-CLUSTER-IP {address},tcp:80 && break
  sleep 1
done
for _ in $(seq {requests}); do curl --silent --show-error --fail --max-time 20 http://{address}/; done 2>&1
echo "virtual server:"
ipvsadm -Ln -t {address}:80 2>&1
"""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a node got from the application's cluster IP, and how its kernel spreads connections to it."""

    node: str
    lines: tuple[str, ...]
    virtual_server: str
    """The kernel's IPVS table for the address; empty where there is none."""

    @property
    def good(self) -> bool:
        """Whether every request was answered by a pod."""
        return len(self.lines) == REQUESTS and all(line.startswith("pod ") for line in self.lines)


def up(environment: Session, progress: Progress) -> int:
    """Bring the application up and ask it from every node; gives the exit code."""
    with exclusive(environment.lab):
        access, app = open_access(environment), stack.session(environment)
        with progress.phase("app image"):
            built = image.ensure(progress.note)
        with progress.phase("load"):
            loaded = image.load(access, built)
        progress.say(f"  {built.name}: " + ", ".join(f"{node} {what}" for node, what in loaded.items()))
        with progress.phase("state"):
            stack.write(app, built)
            finish_broken_off(app)
        with progress.phase("pulumi up"):
            code = progress.exit_code(_engine(app, ["up", "--yes", "--skip-preview"], progress))
        if code != 0:
            return code
        outputs = json.loads(app.capture(["stack", "output", "--json"]))
        with progress.phase("ask"):
            answers = ask(access, str(outputs["cluster_ip"]), _servers(access, str(outputs["namespace"])))
    for line in shown(answers, str(outputs["cluster_ip"]), outputs.get("url")):
        progress.say(line)
    progress.say(times_line(progress.times))
    return 0 if all(found.good for found in answers) else 1


def down(environment: Session, progress: Progress) -> int:
    """Remove the application, its stack and its image from the nodes; nothing to do is fine. Gives the exit code."""
    lab = environment.lab
    with exclusive(lab):
        if not stack.exists(lab):
            progress.say(f"lab {lab.name!r} has no application")
            return 0
        access, app = open_access(environment), stack.session(environment)
        with progress.phase("state"):
            open_stack(app)
            finish_broken_off(app)
        with progress.phase("pulumi destroy"):
            code = progress.exit_code(_engine(app, ["destroy", "--yes", "--skip-preview"], progress))
        if code != 0:
            return code
        with progress.phase("clean"):
            app.capture(["stack", "rm", "--yes", "--non-interactive", app.stack])
            stack.remove(lab)
            image.remove(access)
    progress.say("the application is gone: no object, no stack and no image of it is left")
    return 0


def _engine(app: Session, words: Sequence[str], progress: Progress) -> int:
    """One run of the engine on the application's stack, all that it says in a log of its own."""
    log = app.lab.log_dir / time.strftime(f"app-{words[0]}-%Y%m%d-%H%M%S.log")
    display = Display(say=progress.say, note=progress.note, log=log, verbose=False)
    try:
        code = app.follow([*words, "--non-interactive", "--suppress-outputs", "--color", "never"], display.line)
    finally:
        display.close()
    if code != 0:
        progress.say(f"pulumi {words[0]} failed ({code}); all that it said is in {log}")
    return code


def _servers(access: Access, namespace: str) -> int:
    """Pods of the application that are ready, as the API server says."""
    slices = access.ask_api("endpointslices", "--namespace", namespace)["items"]
    return sum(1 for found in slices for endpoint in found.get("endpoints") or () if endpoint.get("conditions", {}).get("ready"))


def ask(access: Access, address: str, servers: int) -> list[Answers]:
    """What every node gets from the application's cluster IP, all nodes at once, as soon as its kernel has so many servers for it."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(partial(_ask, access, address, servers), access.nodes))


def _ask(access: Access, address: str, servers: int, node: Node) -> Answers:
    questions = QUESTIONS.format(requests=REQUESTS, address=shlex.quote(address), servers=servers, table_s=TABLE_S)
    said = answer(access.ssh(node, "bash", "-s"), stdin=questions, timeout_s=ASK_S)
    lines, _, table = said.partition("virtual server:\n")
    server = table if f"TCP  {address}:80 " in table else ""
    return Answers(node=node.name, lines=tuple(line for line in lines.splitlines() if line), virtual_server=server.rstrip())


def shown(answers: Sequence[Answers], address: str, url: str | None) -> list[str]:
    """Lines for a person: each node's answers, and the kernel's table of the first."""
    lines = [f"cluster IP {address}" + (f", outside {url}" if url else "")]
    for found in answers:
        for number, line in enumerate(found.lines or ("no answer",)):
            lines.append(f"  {'from ' + found.node if number == 0 else '':20} {line}")
    for found in answers:
        if found.virtual_server:
            lines += [f"  virtual server in the kernel of {found.node}:", *(f"    {line}" for line in found.virtual_server.splitlines()[1:])]
    return lines

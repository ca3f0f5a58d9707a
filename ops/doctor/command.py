"""`ops doctor`: asks everything at once, judges, and says what it found."""

import asyncio
import shutil
import sys

from ops.doctor import here, hosts, judges, project, report
from ops.doctor.guest import BOOT_S
from ops.doctor.model import Finding, Seen
from ops.doctor.options import Words
from ops.stack import plan_of
from plan import Plan

INTERRUPTED = 130


def run(words: Words) -> tuple[str, int]:
    """The report and its exit code; OpsError where there is no such stack or project, or its settings are wrong."""
    found = project.read(words.project)
    plan = plan_of(found.stacks, words.stack)
    count = len(plan.settings.hypervisors)
    # on the error stream, as the result alone goes to standard output
    _say(f"asking this machine and {count} hypervisor{'s' if count > 1 else ''}; a guest that boots, pings and the engine take some seconds")
    try:
        findings = asyncio.run(_look(plan, found, words.stack))
    except KeyboardInterrupt:
        _say(f"interrupted; nothing runs on here, and what a hypervisor's shell still does ends in {BOOT_S} s at most")
        return "", INTERRUPTED
    code = report.exit_code(findings)
    if words.as_json:
        return report.as_json(words.stack, findings), code
    terminal = sys.stdout.isatty()
    width = min(max(shutil.get_terminal_size().columns, report.LEAST), report.MOST) if terminal else report.WIDTH
    return report.as_text(findings, every=words.every, colour=terminal, width=width), code


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()


async def _look(plan: Plan, found: project.Project, stack: str) -> list[Finding]:
    seen, operator = await asyncio.gather(hosts.ask_all(plan), here.ask(plan, found, stack))
    return judges.findings(Seen(plan=plan, stack=stack, hosts=seen, operator=operator))

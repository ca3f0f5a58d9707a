"""`python -m lab verify`: the product's own verification of the running lab, from where its nodes can be reached."""

import subprocess
import sys
from collections.abc import Sequence

from lab import hypervisor, project
from lab.places import LabError
from lab.process import in_namespace
from lab.session import Session


def command(session: Session, words: Sequence[str]) -> list[str]:
    """The words that verify the stack as the lab generated it, inside the lab's namespace, with outputs on standard input."""
    stacks = project.generated_file(session.lab, session.stack).parent
    own = [sys.executable, "-m", "ops", "verify", "--stack", session.stack, "--stacks", str(stacks), "--outputs", "-"]
    return in_namespace(session.lab.namespace, [*own, *words])


def verify(session: Session, words: Sequence[str]) -> int:
    """Verify the running lab on this very terminal; gives the exit code of `ops verify`."""
    if not hypervisor.is_here(session.lab):
        raise LabError(f"lab {session.lab.name!r} is not up: run `make up`")
    outputs = session.capture(["stack", "output", "--json", "--show-secrets"])
    with subprocess.Popen(command(session, words), stdin=subprocess.PIPE, text=True, cwd=session.lab.checkout) as process:
        try:
            process.communicate(outputs)
        except KeyboardInterrupt:
            # The terminal interrupts both: the verification says what it has to say.
            process.wait()
            raise
    return process.returncode

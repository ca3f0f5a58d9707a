"""`ops verify` that is ended in each of its phases: it says so, and nothing of it stays on a node."""

import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ops.verify.node_servers import serving
from tests.ops.verify.test_run_reach import children, processes_with, until

DRIVER = """\
import pickle, sys, time
from pathlib import Path
from ops.verify import access, command, registry
from ops.verify.model import Check, Probe
from ops.verify.options import Words

phase, plan, opened, text, begun = pickle.loads(Path(sys.argv[1]).read_bytes())

def judge(seen):
    if phase == "judging":
        Path(begun).write_text("judging")
        time.sleep(120)
    yield from ()

probe = Probe(key="changing", script=lambda plan, node: text, timeout_s=120, heavy=phase == "heavy")
registry.checks = lambda: (Check(id="nodes.a", area="nodes", title="A", severity="error", judge=judge, probes=(probe,)),)
command.plan_of = lambda stacks, stack: plan
access.read = lambda stack, source, checkout: opened
words = Words(stack="s", stacks=Path("stacks"), outputs=None, only=(), skip=(), as_json=True, junit=None, html=None, watch_s=None, limit_s=300)
sys.exit(command.run(words))
"""
PATIENCE_S = 240
"""Where other things have the machine, libraries alone take a minute to import."""
PHASES = ("connecting", "light", "heavy", "judging")


@pytest.mark.engine
@pytest.mark.parametrize(
    ("phase", "number"),
    [*((phase, signal.SIGINT) for phase in PHASES), *((phase, end) for phase in ("light", "heavy") for end in (signal.SIGTERM, signal.SIGKILL))],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else value,
)
def test_its_end_in_any_phase_leaves_nothing_on_a_node(phase: str, number: signal.Signals, tmp_path: Path) -> None:
    mark, state = f"9{time.time_ns()}", tmp_path / "state"
    changing = f"trap 'echo undone >> {state}' EXIT; trap 'exit 1' TERM; echo done > {state}; setsid sleep {mark} & sleep {mark}"
    with serving(tmp_path, 1, {"*": "deaf" if phase == "connecting" else "real"}) as nodes:
        begun = tmp_path / {"connecting": "dialled", "judging": "judging"}.get(phase, "state")
        text = changing if phase in ("light", "heavy") else "true"
        (tmp_path / "pickled").write_bytes(pickle.dumps((phase, nodes.plan, nodes.access, text, begun)))
        words = [sys.executable, "-c", DRIVER, str(tmp_path / "pickled")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as driver:
            try:
                assert until(begun.exists, PATIENCE_S), driver.poll()
                assert until(lambda: text == "true" or len(processes_with(mark)) > 2)
                driver.send_signal(number)
                out, err = driver.communicate(timeout=PATIENCE_S)
            finally:
                driver.kill()
        assert out == ""
        if number is signal.SIGKILL:
            assert driver.returncode == -number
        else:
            assert driver.returncode == 130
            assert "interrupted" in err
            assert "Traceback" not in err
        assert until(lambda: not processes_with(mark)), processes_with(mark)
        assert until(lambda: not children(nodes.pid)), "the program itself is still there"
        if phase in ("light", "heavy"):
            assert state.read_text() == "done\nundone\n"

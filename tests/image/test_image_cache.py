import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from image.cache import build_lock, cache_root, ensure_entry, mark_used, prune


def fill(folder: Path) -> None:
    (folder / "a").write_text("whole")


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    assert ensure_entry(tmp_path / "images/key", fill)
    assert not ensure_entry(tmp_path / "images/key", lambda _: pytest.fail("made twice"))
    assert (tmp_path / "images/key/a").read_text() == "whole"


def test_a_build_that_fails_leaves_nothing_and_can_be_done_again(tmp_path: Path) -> None:
    def break_off(folder: Path) -> None:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_entry(tmp_path / "images/key", break_off)
    assert list((tmp_path / "images").iterdir()) == []
    assert ensure_entry(tmp_path / "images/key", fill)


KILLED = """
import os, signal, sys
from pathlib import Path
from image.cache import build_lock, ensure_entry

def fill(folder):
    (folder / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

root = Path(sys.argv[1])
with build_lock(root, print):
    ensure_entry(root / "images/key", fill)
"""


def test_a_build_that_is_killed_is_not_taken_for_done_and_frees_the_lock(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "images").iterdir()] == [".partial-key"]
    said: list[str] = []
    with build_lock(tmp_path, said.append):
        assert ensure_entry(tmp_path / "images/other", fill)
        assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["other"]
        assert ensure_entry(tmp_path / "images/key", fill)
    assert said == []


HOLDER = """
import sys, time
from pathlib import Path
from image.cache import build_lock

with build_lock(Path(sys.argv[1]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_build_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        assert first.stdout.readline() == b"held\n"
        closing = first.stdin.close

        def let_go(line: str) -> None:
            said.append(line)
            closing()

        begun = time.monotonic()
        with build_lock(tmp_path, let_go):
            assert first.wait(timeout=10) == 0
        assert time.monotonic() - begun < 10
    assert said == ["waiting for another image build to end"]


def test_pruning_keeps_what_was_used_last(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "middle", "oldest")):
        ensure_entry(tmp_path / name, fill)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    mark_used(tmp_path / "oldest")
    assert [path.name for path in prune(tmp_path, 2)] == ["middle"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["newest", "oldest"]


def test_the_cache_can_be_put_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERLAY_CACHE", str(tmp_path / "elsewhere"))
    assert cache_root() == tmp_path / "elsewhere"
    monkeypatch.delenv("UNDERLAY_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache/underlay"

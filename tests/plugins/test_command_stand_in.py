"""The stand-in for `command`, on this machine and over a real SSH connection on loopback."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.plugins.base import UNKNOWN, ProviderError, State
from lab.plugins.command import ssh
from lab.plugins.command.lifecycle import Command
from lab.plugins.command.local import LocalCommand
from lab.plugins.command.remote import RemoteCommand
from tests.plugins import ssh_server
from tests.plugins.calls import Log, checked, created, refusals, replaced_by, run
from tests.plugins.pulumi_project import wait_until

BOTH = [LocalCommand, RemoteCommand]


class Host:
    """An SSH server process with keys of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ssh_server.write_keys(folder)
        command = [sys.executable, ssh_server.__file__, str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def connection(self, **changes: Any) -> dict[str, Any]:
        """The input `connection` to this host."""
        keys = {"privateKey": (self.folder / "client").read_text(), "hostKey": (self.folder / "host.pub").read_text()}
        return {"host": "127.0.0.1", "port": self.port, "dialErrorLimit": 0, **keys, **changes}

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    started = Host(tmp_path_factory.mktemp("host"))
    yield started
    started.stop()


@pytest.fixture(params=BOTH, ids=lambda cls: cls.__name__)
def where(request: pytest.FixtureRequest, host: Host) -> tuple[Command, dict[str, Any]]:
    """Each kind of command, with the inputs that only it needs."""
    resource: Command = request.param()
    return resource, {"connection": host.connection()} if isinstance(resource, RemoteCommand) else {}


def test_output_is_kept_without_its_last_newline_and_shown_as_it_comes(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    log = Log()
    script = "cat; printf 'two\\n\\n' >&2; printf '\\303\\204'"
    state = created(resource, {**base, "create": script, "stdin": "one\n"}, log)
    assert (state.outputs["stdout"], state.outputs["stderr"]) == ("one\nÄ", "two\n")
    assert sorted(log.messages) == [("info", ""), ("info", "one"), ("info", "two"), ("info", "Ä")]
    assert state.id.startswith("name")


@pytest.mark.parametrize(
    ("logging", "shown"), [("stdout", ["o"]), ("stderr", ["e"]), ("none", []), ("stdoutAndStderr", ["e", "o"])], ids=lambda value: str(value)
)
def test_only_the_streams_asked_for_are_shown(where: tuple[Command, dict[str, Any]], logging: str, shown: list[str]) -> None:
    resource, base = where
    log = Log()
    state = created(resource, {**base, "create": "echo o; echo e >&2", "logging": logging}, log)
    assert (state.outputs["stdout"], state.outputs["stderr"]) == ("o", "e")
    assert sorted(message for _, message in log.messages) == shown


def test_a_failure_quotes_command_and_output_and_never_the_input(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    reason = "Process exited with status 3" if base else "exit status 3"
    with pytest.raises(ProviderError) as caught:
        created(resource, {**base, "create": "read hidden; echo out; echo err >&2; exit 3", "stdin": "hush-hush\n"})
    head, *lines = str(caught.value).split("\n")
    assert head == f'{reason}: running "read hidden; echo out; echo err >&2; exit 3":'
    assert sorted(lines) == ["err", "out"]


def test_a_secret_command_is_not_quoted(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    call = Log().call(frozenset({("create",)}))
    with pytest.raises(ProviderError, match=r'running "\[secret\]"'):
        run(resource.create(call, checked(resource, {**base, "create": "exit 1 # hush"})))


def test_a_failure_quotes_the_end_of_long_output(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    with pytest.raises(ProviderError) as caught:
        created(resource, {**base, "create": "seq 20000; exit 1", "logging": "none"})
    assert str(caught.value).endswith("19999\n20000")
    assert len(str(caught.value)) < 5000


def test_an_update_runs_update_or_else_create_and_knows_the_previous_output(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    inputs = {**base, "create": "echo made $PULUMI_COMMAND_STDOUT"}
    old = created(resource, inputs)
    again = run(resource.update(Log().call(), old, checked(resource, inputs)))
    assert again["stdout"] == "made made"
    with_update = {**inputs, "update": "echo changed $PULUMI_COMMAND_STDOUT; echo $X >&2", "environment": {"X": "y"}}
    changed = run(resource.update(Log().call(), old, checked(resource, with_update)))
    assert (changed["stdout"], changed["stderr"]) == ("changed made", "y")
    forgetful = run(resource.update(Log().call(), old, checked(resource, {**with_update, "addPreviousOutputInEnv": False})))
    assert forgetful["stdout"] == "changed"


def test_delete_runs_with_what_the_last_update_left(where: tuple[Command, dict[str, Any]], tmp_path: Path) -> None:
    resource, base = where
    mark = tmp_path / "mark"
    old = created(resource, {**base, "create": "echo one", "delete": f"cat > {mark}; echo $PULUMI_COMMAND_STDOUT >> {mark}", "stdin": "in\n"})
    run(resource.delete(Log().call(), old))
    assert mark.read_text() == "in\none\n"
    run(resource.delete(Log().call(), created(resource, {**base, "create": "true"})))


def test_without_create_nothing_runs(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    state = created(resource, {**base, "delete": "exit 1"})
    assert (state.outputs["stdout"], state.outputs["stderr"]) == ("", "")
    assert run(resource.update(Log().call(), state, checked(resource, base)))["stdout"] == ""


def test_triggers_replace_and_all_else_updates(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    inputs = {**base, "create": "true", "triggers": ["a", {"b": 1}]}
    old = created(resource, inputs)
    assert replaced_by(resource, old, {**inputs, "triggers": ["a", {"b": 2}]}) == {"triggers"}
    assert replaced_by(resource, old, {**inputs, "stdin": "x", "delete": "true"}) == {""}
    assert replaced_by(resource, old, inputs) == set()


def test_a_cancelled_command_is_killed(where: tuple[Command, dict[str, Any]], tmp_path: Path) -> None:
    resource, base = where
    mark = tmp_path / "pid"

    async def cancel() -> None:
        task = asyncio.ensure_future(resource.create(Log().call(), checked(resource, {**base, "create": f"echo $$ > {mark}; exec sleep 60"})))
        await asyncio.to_thread(wait_until, lambda: mark.exists() and mark.read_text().strip())
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    run(cancel())
    wait_until(lambda: not Path(f"/proc/{mark.read_text().strip()}").exists(), 5)


def test_a_custom_timeout_ends_a_command(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    with pytest.raises(ProviderError, match=r"not done within 0\.3 s"):
        run(resource.create(Log().call(timeout_s=0.3), checked(resource, {**base, "create": "sleep 60"})))


def test_a_command_that_does_not_read_its_input_is_no_failure(where: tuple[Command, dict[str, Any]]) -> None:
    resource, base = where
    assert created(resource, {**base, "create": "exec true", "stdin": "x" * 1_000_000}).outputs["stdout"] == ""


def test_a_preview_connects_to_nothing() -> None:
    inputs = checked(RemoteCommand(), {"connection": {"host": "192.0.2.1"}, "create": "true"})
    planned = RemoteCommand().planned(inputs)
    assert (planned["stdout"], planned["stderr"]) == (UNKNOWN, UNKNOWN)
    old = State("id", {**inputs, "stdout": "old", "stderr": ""}, inputs)
    assert RemoteCommand().planned_update(old, inputs)["stdout"] is UNKNOWN


def test_a_connection_is_completed_and_checked() -> None:
    complete = checked(RemoteCommand(), {"connection": {"host": "h", "proxy": {"host": "p", "port": 2222}}})["connection"]
    assert (complete["user"], complete["port"], complete["dialErrorLimit"], complete["perDialTimeout"]) == ("root", 22, 10, 15)
    assert (complete["proxy"]["user"], complete["proxy"]["port"]) == ("root", 2222)
    assert checked(RemoteCommand(), {"connection": UNKNOWN})["connection"] is UNKNOWN
    found = refusals(RemoteCommand(), {"connection": {"hots": "h", "hostKey": "hush", "proxy": {"hots": "h"}}})
    assert len(found) == 4
    assert "hush" not in str(found)


def test_a_host_with_another_key_is_refused(host: Host) -> None:
    other = host.connection(hostKey=(host.folder / "client.pub").read_text())
    with pytest.raises(ProviderError, match=r"after 1 failed attempts: ssh root@127.0.0.1 port \d+: Host key is not trusted"):
        created(RemoteCommand(), {"connection": other, "create": "true"})


def test_a_key_that_is_not_let_in_is_refused_and_not_quoted(host: Host) -> None:
    other = host.connection(privateKey=(host.folder / "host").read_text())
    with pytest.raises(ProviderError, match="Permission denied"):
        created(RemoteCommand(), {"connection": other, "create": "true"})
    with pytest.raises(ProviderError, match="not a key that can be read") as caught:
        created(RemoteCommand(), {"connection": host.connection(privateKey="hush"), "create": "true"})
    assert "hush" not in str(caught.value)


def test_a_host_is_dialled_until_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_FIRST_PAUSE_S", 0.001)
    log = Log()
    with pytest.raises(ProviderError, match="after 3 failed attempts"):
        created(RemoteCommand(), {"connection": {"host": "127.0.0.1", "port": 1, "dialErrorLimit": 2}, "create": "true"}, log)
    assert [status.split(":")[0] for status in log.statuses] == ["Dial 1/2 failed", "Dial 2/2 failed"]


def test_a_host_that_answers_later_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_LONGEST_PAUSE_S", 0.05)
    late = Host(tmp_path)
    connection = late.connection(dialErrorLimit=-1)
    os.kill(late.process.pid, 19)  # SIGSTOP: it accepts and stays silent, as a guest that boots may
    log = Log()

    async def wake() -> Any:
        monkeypatch.setattr(ssh, "_LOGIN_TIMEOUT_S", 0.5)
        task = asyncio.ensure_future(RemoteCommand().create(log.call(), checked(RemoteCommand(), {"connection": connection, "create": "echo up"})))
        await asyncio.sleep(1)
        os.kill(late.process.pid, 18)
        monkeypatch.setattr(ssh, "_LOGIN_TIMEOUT_S", 30)
        return await task

    try:
        assert run(wake()).outputs["stdout"] == "up"
    finally:
        late.stop()
    assert log.statuses
    assert all(status.startswith("Dial ") for status in log.statuses)


def test_a_host_that_falls_silent_fails_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "KEEPALIVE_S", 0.2)
    monkeypatch.setattr(ssh, "KEEPALIVES_MISSED", 2)
    silent = Host(tmp_path)

    async def fall_silent() -> None:
        inputs = checked(RemoteCommand(), {"connection": silent.connection(), "create": "echo started; sleep 60"})
        log = Log()
        task = asyncio.ensure_future(RemoteCommand().create(log.call(), inputs))
        await asyncio.to_thread(wait_until, lambda: log.messages)
        os.kill(silent.process.pid, 19)
        await asyncio.wait_for(task, 10)

    started = time.monotonic()
    try:
        with pytest.raises(ProviderError, match=r"(?s)connection lost.*started"):
            run(fall_silent())
    finally:
        os.kill(silent.process.pid, 18)
        wait_until(
            lambda: (
                "sleep 60"
                not in subprocess.run(["ps", "--ppid", str(silent.process.pid), "-o", "args="], capture_output=True, text=True, check=False).stdout
            )
        )
        silent.stop()
    assert time.monotonic() - started < 8


def test_a_proxy_is_gone_through_with_its_own_key(host: Host, tmp_path: Path) -> None:
    gate = Host(tmp_path)
    try:
        through = host.connection(proxy={key: value for key, value in gate.connection().items() if key != "dialErrorLimit"})
        assert created(RemoteCommand(), {"connection": through, "create": "echo through"}).outputs["stdout"] == "through"
        wrong = gate.connection(hostKey=(host.folder / "host.pub").read_text())
        with pytest.raises(ProviderError, match="Host key is not trusted"):
            created(RemoteCommand(), {"connection": host.connection(proxy=wrong), "create": "true"})
    finally:
        gate.stop()


def test_a_local_command_has_its_folder_and_its_interpreter(tmp_path: Path) -> None:
    state = created(LocalCommand(), {"create": "import os; print(os.getcwd())", "dir": str(tmp_path), "interpreter": [sys.executable, "-c"]})
    assert state.outputs["stdout"] == str(tmp_path)
    with pytest.raises(ProviderError, match="/nowhere did not start"):
        created(LocalCommand(), {"create": "x", "interpreter": ["/nowhere"]})
    with pytest.raises(ProviderError, match="signal: Terminated"):
        created(LocalCommand(), {"create": "kill $$"})

"""The bootstrap of a fresh machine, with an apt-get and a python3 of the test's."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.places import CHECKOUT

PYTHON = """\
#!/bin/sh
# Stands for python3 and for the python of .venv and policy/.venv: notes what is asked, makes them, and fails where the test wants it.
case "$*" in
    *"pip install"*) echo "pip $*" >> "$NOTES"; [ ! -e "$NOTES.break" ] ;;
    *"venv --clear "*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
esac
"""
REQUIREMENTS = ("requirements-dev.txt", "policy/requirements.txt")
ROOT = "#!/bin/sh\necho 0\n"
APT = '#!/bin/sh\necho "apt-get $*" >> "$NOTES"\n'


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    for name in ("lab/bootstrap.sh", *REQUIREMENTS):
        target = tmp_path / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, target)
    (tmp_path / "checkout/lab/packages.txt").write_text(
        "# purpose package program\npreview there sh\nlab absent no-such-program\ntest later no-such-test\n"
    )
    (tmp_path / "bin").mkdir()
    for name, text in (("apt-get", APT), ("python3", PYTHON), ("id", ROOT)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def bootstrap(machine: Path, purpose: str) -> tuple[int, list[str]]:
    """Exit code, and what was asked of apt-get and pip."""
    notes = machine / "notes"
    notes.write_text("")
    environment = {"PATH": f"{machine / 'bin'}:{os.environ['PATH']}", "NOTES": str(notes)}
    command = [machine / "checkout/lab/bootstrap.sh", purpose]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return done.returncode, notes.read_text().splitlines()


def test_what_is_missing_is_installed_in_one_call_and_nothing_else(machine: Path) -> None:
    code, asked = bootstrap(machine, "lab")
    installs = [line for line in asked if " install " in line and line.startswith("apt-get")]
    assert code == 0
    assert len(installs) == 1
    assert installs[0].endswith("--no-install-recommends absent")


def test_a_preview_needs_no_hypervisors_packages(machine: Path) -> None:
    code, asked = bootstrap(machine, "preview")
    assert code == 0
    assert not [line for line in asked if line.startswith("apt-get")]
    assert [line for line in asked if line.startswith("pip")]


def test_a_second_run_does_nothing(machine: Path) -> None:
    bootstrap(machine, "preview")
    assert bootstrap(machine, "preview") == (0, [])


def test_a_broken_off_install_is_done_again(machine: Path) -> None:
    (machine / "notes.break").touch()
    code, _ = bootstrap(machine, "preview")
    assert code == 1
    (machine / "notes.break").unlink()
    code, asked = bootstrap(machine, "preview")
    assert code == 0
    assert [line for line in asked if line.startswith("pip")]


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_changed_requirements_are_installed(machine: Path, name: str) -> None:
    bootstrap(machine, "preview")
    requirements = machine / "checkout" / name
    requirements.write_text(requirements.read_text() + "# changed\n")
    _, asked = bootstrap(machine, "preview")
    assert [line.rpartition(" ")[2] for line in asked] == [*REQUIREMENTS]


def test_a_lost_environment_of_the_policy_pack_is_made_again(machine: Path) -> None:
    bootstrap(machine, "preview")
    shutil.rmtree(machine / "checkout/policy/.venv")
    code, asked = bootstrap(machine, "preview")
    assert code == 0
    assert asked
    assert (machine / "checkout/policy/.venv/bin/python").exists()


def test_every_line_of_the_list_names_purpose_package_and_program() -> None:
    lines = [line.split() for line in (CHECKOUT / "lab/packages.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(len(words) == 3 and words[0] in {"preview", "lab", "test"} for words in lines)
    packages = [words[1] for words in lines]
    assert len(packages) == len(set(packages))

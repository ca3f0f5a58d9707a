"""Programs of a made-up operator's machine, as files on a PATH of their own: virsh, ssh and pulumi say what a made-up hypervisor and engine say.

So doctor runs whole: its command line, its batches and scripts, its processes with their limits, its judges, its report.
"""

import importlib.metadata
import json
import os
import shutil
import stat
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from ops import __main__ as command_line
from ops.doctor.model import HostSeen
from ops.verify.model import Said
from tests.ops.doctor.made_hosts import GIB, healthy, operator, plan_with
from tests.settings.documents import ROOT, Tree, minimal

VIRSH = """\
#!{python}
import json, re, sys, time
words = sys.argv[1:]
answers = json.load(open({answers!r}))["virsh"]
if "hang" in answers:
    time.sleep(60)
if "refuse" in answers:
    sys.exit("error: failed to connect to the hypervisor\\nerror: " + answers["refuse"])
for key, question in re.findall(r"echo '?(?:@@underlay:([^@]+)@@)'?; ([^;]+)", words[-1]):
    if question.startswith("domcapabilities") == ("-r" in words):
        sys.exit("error: Forbidden or needless: " + question)
    if question.startswith("cpu-baseline") and not sys.stdin.read().startswith("<c"):
        sys.exit("error: no CPU on standard input")
    print(f"@@underlay:{{key}}@@\\n" + answers.get(key, "error: not known: " + question), flush=True)
"""
SSH = """\
#!{python}
import json, re, sys, time
script = sys.stdin.read()
answers = json.load(open({answers!r}))["shell"]
if "refuse" in answers:
    sys.stderr.write(answers["refuse"][0])
    sys.exit(255)
for key in re.findall(r"echo '@@underlay:([^@]+)@@'", script):
    output, code = answers[key]
    if output == "hang":
        time.sleep(60)
    print(f"@@underlay:{{key}}@@\\n" + output.replace("clock 1.0", f"clock {{time.time():.9f}}") + f"\\n@@exit:{{code}}@@", flush=True)
"""
PULUMI = """\
#!/bin/sh
case "$*" in
version) echo v3.259.0;;
"plugin ls --json") echo '[]';;
whoami*) echo '{"user": "me", "url": "file:///srv/states"}';;
"stack ls"*) echo '[{"name": "small"}]';;
config*) echo '{}';;
*) exit 1;;
esac
"""
PING = "#!/bin/sh\nexit 1\n"


@dataclass
class Machine:
    """A made-up operator's machine, and what its hypervisor kvm1 will say."""

    folder: Path
    hypervisor: HostSeen
    virsh: dict[str, Said] = field(default_factory=dict[str, Said])
    """Answers of libvirt other than a healthy hypervisor's."""
    shell: dict[str, Said] = field(default_factory=dict[str, Said])

    @property
    def programs(self) -> Path:
        """The folder that is the whole PATH."""
        return self.folder / "bin"

    def doctor(self, capsys: pytest.CaptureFixture[str]) -> dict[str, Tree]:
        """What `ops doctor --json` says is not well, by id; the exit code stands under the empty key."""
        virsh = {key: said.output for key, said in {**self.hypervisor.virsh, **self.virsh}.items()}
        shell = {key: [said.output, said.exit_code] for key, said in {**self.hypervisor.by_shell, **self.shell}.items()}
        (self.folder / "answers.json").write_text(json.dumps({"virsh": virsh, "shell": shell}))
        code = command_line.main(["doctor", "--stack", "small", "--project", str(self.folder), "--json"])
        document: Tree = json.loads(capsys.readouterr().out)
        assert document["exit_code"] == code
        wrong: dict[str, Tree] = {each["id"]: each for each in document["findings"] if each["status"] != "passed"}
        return {"": {"code": code}, **wrong}


def machine(folder: Path, monkeypatch: pytest.MonkeyPatch, **areas: Tree) -> Machine:
    """A machine and a hypervisor on which all is well, with the stack `small` in a project of its own."""
    (folder / "bin").mkdir()
    fill = {"python": sys.executable, "answers": str(folder / "answers.json")}
    programs = {"virsh": VIRSH.format(**fill), "ssh": SSH.format(**fill), "pulumi": PULUMI, "ping": PING, "mkisofs": PING, "xsltproc": PING}
    for name, text in programs.items():
        path = folder / "bin" / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    project = {"name": "underlay", "runtime": {"name": "python", "options": {"virtualenv": str(ROOT / ".venv")}}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    pins = {"pulumi": operator().pinned["pulumi"], "pydantic": importlib.metadata.version("pydantic")}
    (folder / "requirements.txt").write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
    stack = {"encryptionsalt": "v1:salt", "config": {"underlay:environment": minimal(**areas)}}
    (folder / "Pulumi.small.yaml").write_text(yaml.safe_dump(stack))
    image = folder / "images" / "node-1.36.3"
    image.mkdir(parents=True)
    (image / "node.qcow2").write_bytes(b"QFI\xfb" + bytes(20) + struct.pack(">Q", 3 * GIB))
    os.truncate(image / "node.qcow2", 2 * GIB)
    (image / "manifest.json").write_text('{"kubernetes": "1.36.3"}')
    monkeypatch.setenv("PATH", str(folder / "bin"))
    return Machine(folder=folder, hypervisor=healthy(plan_with(), "kvm1"))


def remove(machine: Machine, program: str) -> None:
    """Take a program away, and be sure that it cannot be found."""
    (machine.programs / program).unlink()
    assert shutil.which(program) is None

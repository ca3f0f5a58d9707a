"""docs/placement.md: what it shows of `ops hypervisor describe` and of `ops plan` is what these print."""

from pathlib import Path

from ops.plan import record
from ops.plan.drawing import drawing
from ops.plan.report import as_text, written
from ops.plan.seated import seated
from ops.stack import read
from tests.ops.hypervisor.made_answers import answers, empty, said, text
from tests.ops.hypervisor.made_capabilities import INTERLEAVED
from tests.ops.hypervisor.made_devices import Domain, Nvme
from tests.ops.made_plans import seats
from tests.settings.documents import ROOT

PAGE = (ROOT / "docs" / "placement.md").read_text()
DRIVES = (Nvme(bus=0x41, serial="S64HNA0", group=[0x41]), Nvme(bus=0x42, serial="S64HNA1", gib=1788, group=[0x42], number=1, numa=1))
DOMAINS = {
    "db-1": Domain(pins=dict(enumerate(("8", "40", "9", "41", "10", "42", "11", "43"))), page_kib=1048576, nodeset="0"),
    "build": Domain(vcpus=4, mib=8192),
    "oslo-cp-1": Domain(vcpus=2, pins={0: "1", 1: "33"}, environment="oslo"),
}


def shown(printed: str) -> bool:
    return f"```text page\n{printed}```" in PAGE


def test_the_block_of_a_hypervisor_is_what_is_printed() -> None:
    told = said(empty(DRIVES[0]).output + '/dev/nvme1n1 NAME="nvme1n1" TYPE="disk" FSTYPE="LVM2_member" MOUNTPOINT=""\n')
    printed = text(answers(INTERLEAVED, domains=DOMAINS, drives=DRIVES), told, environment="oslo")
    assert f"```yaml page\n{printed}```" in PAGE, f"docs/placement.md: put this in place of its block\n{printed}"


def test_the_example_s_table_is_what_is_printed() -> None:
    table, _, rest = as_text(seated(read(ROOT / "stacks" / "Pulumi.example-oslo.yaml")), colour=False).partition("\n\n")
    printed = f"{table}\n\n{rest.splitlines()[-1]}\n"
    assert shown(printed), f"docs/placement.md: put this in place of its table\n{printed}"


def test_the_drawing_is_what_is_printed(tmp_path: Path) -> None:
    placement = seats(tmp_path, "mixed").placement
    assert placement is not None
    whole = written(list(drawing(placement)), colour=False)
    printed = whole[: whole.index("\nkvm2")]
    assert shown(printed), f"docs/placement.md: put this in place of its drawing\n{printed}"


def test_what_is_missing_is_what_is_printed(tmp_path: Path) -> None:
    whole = as_text(seats(tmp_path, "short"), colour=False)
    start = whole.index("✗ workers.worker")
    printed = whole[start : whole.index("✗ workers.store")].rstrip("\n") + "\n"
    assert shown(printed), f"docs/placement.md: put this in place of what is missing\n{printed}"


def test_the_record_is_what_is_written(tmp_path: Path) -> None:
    placement = seats(tmp_path, "mixed").placement
    assert placement is not None
    after = record.recorded("config:\n  underlay:environment:\n    name: small\n", placement)
    lines = after.splitlines()
    for name in ("small-cp-1", "small-edge-1", "small-worker-5"):
        line = next(line for line in lines if f" {name}:" in line)
        assert line[4:] in PAGE, f"docs/placement.md lacks the line\n{line[4:]}"

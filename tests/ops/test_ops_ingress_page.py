"""docs/ingress.md: its example loads, and what it shows is what is printed and planned."""

import re

import yaml

from ops import ingress as page
from plan import make
from plan.ingress import IngressPlan
from settings import load
from tests.nginx.ingresses import BUFFERED, planned
from tests.settings.documents import ROOT, minimal

PAGE = (ROOT / "docs" / "ingress.md").read_text()


def block(head: str) -> str:
    found = re.search(rf"^```{head}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_is_what_is_printed() -> None:
    made = make(load(minimal(**yaml.safe_load(block("yaml example")))))
    assert made.ingress is not None
    printed = page.report(made, made.ingress, 200).splitlines()
    parts = [part.strip("\n").splitlines() for part in block("text page").split("...\n")]
    assert len(parts) > 1
    at = 0
    for part in parts:
        at = printed.index(part[0], at)
        assert printed[at : at + len(part)] == part
        at += len(part)
    assert at == len(printed)


def test_the_measured_table_has_every_plan_with_what_is_computed_for_it() -> None:
    rows = {
        row[0].removeprefix("body, "): row
        for row in (re.split(r"  +", line.strip()) for line in block("text measured").splitlines())
        if row[0].startswith("body, ")
    }
    assert set(rows) == set(BUFFERED)
    for name, (_, buffers, computed, measured, beyond) in rows.items():
        plan: IngressPlan = planned(**BUFFERED[name])
        number, size = plan.tuned["proxy_buffers_number"].value, plan.tuned["proxy_buffer_size_kib"].value
        assert buffers == f"{number} x {size}k"
        assert computed == f"{plan.response.fits_kib} KiB"
        assert plan.response.fits_kib * 1024 <= int(measured.split()[0]) < (plan.response.fits_kib + int(str(size))) * 1024
        assert beyond == ("temporary file" if plan.tuned["proxy_max_temp_file_size_mib"].value else "the application waits")

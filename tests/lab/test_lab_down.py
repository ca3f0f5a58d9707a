"""`down` and the look for other checkouts' labs, on labs that are half made or not there."""

from pathlib import Path

import pytest

from lab import down, hypervisor, network, places
from lab.places import Lab, LabError
from lab.progress import Progress


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose run directory and namespaces are the test's."""

    def run_dir(lab: Lab) -> Path:
        return tmp_path / "run" / lab.name

    def namespace(lab: Lab) -> Path:
        return tmp_path / "netns" / lab.namespace

    monkeypatch.setattr(places.Lab, "run_dir", property(run_dir))
    monkeypatch.setattr(network, "namespace_path", namespace)
    return Lab(name="half", checkout=tmp_path / "checkout")


def half_made(lab: Lab) -> None:
    for path in (lab.pool_dir / "lab-cp-1-root", lab.run_dir / "libvirt" / "libvirt-sock", network.namespace_path(lab)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (lab.run_dir / "checkout").write_text(f"{lab.checkout}\n")


def test_nothing_to_remove_is_fine(lab: Lab) -> None:
    assert down.down(lab, Progress.quiet()) == 0


def test_a_half_made_lab_goes_whole_and_can_go_twice(lab: Lab) -> None:
    half_made(lab)
    assert len(down.remains(lab)) == 3
    assert down.down(lab, Progress.quiet()) == 0
    assert down.remains(lab) == []
    assert down.down(lab, Progress.quiet()) == 0


def test_what_stays_is_named_and_fails_the_command(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    half_made(lab)

    def stop(_: Lab) -> list[str]:
        return ["process 4711"]

    monkeypatch.setattr(hypervisor, "stop", stop)
    assert down.down(lab, Progress.quiet()) == 1
    assert lab.pool_dir.exists()


def test_a_lab_of_another_checkout_is_not_touched(lab: Lab, tmp_path: Path) -> None:
    half_made(lab)
    stranger = Lab(name="half", checkout=tmp_path / "elsewhere")
    with pytest.raises(LabError, match=f"is up from {lab.checkout}"):
        down.down(stranger, Progress.quiet())
    assert lab.pool_dir.exists()
    assert hypervisor.owner(stranger) == lab.checkout


def test_a_lab_whose_checkout_is_gone_belongs_to_nobody(lab: Lab, tmp_path: Path) -> None:
    half_made(lab)
    lab.checkout.rename(tmp_path / "moved")
    assert down.down(Lab(name="half", checkout=tmp_path / "elsewhere"), Progress.quiet()) == 0


def test_paths_that_libvirt_names_are_found_outside(lab: Lab) -> None:
    inside = Path("/var/log/libvirt/qemu/lab-cp-1.log")
    assert hypervisor.seen_from_outside(lab.first, inside) == lab.log_dir / "libvirt/qemu/lab-cp-1.log"
    assert hypervisor.seen_from_outside(lab.first, Path("/tmp/console")) == Path("/tmp/console")  # noqa: S108 - a name, not a file

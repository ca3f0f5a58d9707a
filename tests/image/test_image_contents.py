"""The recipe's own files: pins, modules, units and cloud-init's configuration agree with one another."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from image import pins
from image.toolset import closure, cut_out
from image.tree import clean, lay_files

ROOT = Path(pins.__file__).parent
FILES = ROOT / "files"


def required(go_mod: str) -> dict[str, str]:
    return dict(re.findall(r"^(?:require )?\t?(\S+) (v\S+)$", go_mod, re.MULTILINE))


@pytest.mark.parametrize("part", [part for part in pins.PARTS if not part.module.startswith("underlay/")], ids=lambda part: part.name)
def test_each_modules_files_are_for_the_pinned_version(part: pins.Part) -> None:
    folder = pins.MODULES / part.name
    assert required((folder / "go.mod").read_text().replace("require ", ""))[part.module] == part.version
    sums = (folder / "go.sum").read_text()
    assert f"{part.module} {part.version} h1:" in sums
    assert f"{part.module} {part.version}/go.mod h1:" in sums


def test_every_staging_module_of_kubernetes_is_taken_at_the_same_release() -> None:
    text = (pins.MODULES / "kubernetes/go.mod").read_text()
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (v\S+)$", text, re.MULTILINE)
    assert len(replaced) > 30
    assert all(name == other for name, other, _ in replaced)
    assert {version for _, _, version in replaced} == {pins.KUBERNETES_VERSION.replace("v1.", "v0.", 1)}


def test_the_version_that_programs_print_is_the_pinned_one() -> None:
    kubernetes = next(part for part in pins.PARTS if part.name == "kubernetes")
    assert f".gitVersion={kubernetes.version}" in kubernetes.ldflags
    containerd = next(part for part in pins.PARTS if part.name == "containerd")
    assert containerd.ldflags.endswith(f"version.Version={containerd.version}")


def test_every_program_used_is_made_and_every_program_made_is_used() -> None:
    made = [name for part in pins.PARTS for name in part.programs]
    used = {name for names in pins.NODE_PROGRAMS.values() for name in names} | {container.program for container in pins.CONTAINERS}
    assert sorted(made) == sorted(used)


def test_what_kube_proxy_runs_is_cut_out_of_packages_that_the_node_has() -> None:
    essential = {"dash", "coreutils", "libc-bin"}
    assert set(pins.PROXY_PACKAGES) - essential <= set(pins.NODE_PACKAGES)


def test_a_closure_follows_dependencies_round_a_circle() -> None:
    dependencies = {"a": ["b"], "b": ["c", "a"], "c": [], "d": ["a"]}
    assert closure(dependencies, ["a"]) == {"a", "b", "c"}


def test_kube_proxys_ipset_knows_the_protocols(tmp_path: Path) -> None:
    tree, target = tmp_path / "tree", tmp_path / "cut"
    info = tree / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    needs = {"iptables": "netbase, perl-base", "netbase": "", "perl-base": ""}
    fields = "Status: install ok installed\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@example.com>\nDescription: x"
    (tree / "var/lib/dpkg/status").write_text(
        "".join(f"Package: {name}\n{fields}\n{f'Depends: {depends}' if depends else 'Section: x'}\n\n" for name, depends in needs.items())
    )
    for name, path in {"iptables": "usr/sbin/ip6tables-nft", "netbase": "etc/protocols", "perl-base": "usr/bin/perl"}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(name)
        (info / f"{name}.list").write_text(f"/.\n/{path}\n")
    cut_out(tree, ["iptables"], target)
    assert (target / "etc/protocols").read_text() == "netbase"
    assert not (target / "usr/bin/perl").exists()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for folder in ("etc/ssh", "etc/apt/apt.conf.d", "etc/systemd/system/sysinit.target.wants", "boot", "var/log/apt"):
        (root / folder).mkdir(parents=True)
    for name in ("etc/ssh/ssh_host_rsa_key", "etc/apt/apt.conf.d/99mmdebstrap", "etc/machine-id", "etc/hostname", "var/log/dpkg.log", "etc/fstab"):
        (root / name).write_text("of the machine that built it\n")
    (root / "etc/apt/sources.list").write_text("deb https://user:secret@mirror.example/debian bookworm main\n")
    (root / "etc/resolv.conf").symlink_to("/nowhere/resolv.conf")
    (root / "vmlinuz").symlink_to("boot/vmlinuz-6")
    return root


def test_nothing_of_the_building_machine_is_left(tree: Path) -> None:
    clean(tree)
    left = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink() and "built it" in path.read_text()]
    assert left == [tree / "etc/fstab"], "which the product's own files replace"
    assert (tree / "etc/machine-id").read_text() == ""
    assert (tree / "etc/apt/sources.list").read_text() == "deb https://mirror.example/debian bookworm main\n"
    assert not (tree / "vmlinuz").is_symlink()


def test_own_files_get_plain_permissions_and_an_overlay_keeps_its_own_and_wins(tree: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    (overlay / "etc/secret.d").mkdir(parents=True, mode=0o700)
    (overlay / "etc/secret.d/key").write_text("key")
    (overlay / "etc/secret.d/key").chmod(0o600)
    (overlay / "etc/hosts").write_text("192.0.2.1 lab\n")
    (overlay / "etc/link").symlink_to("hosts")
    lay_files(tree, [overlay])
    assert (tree / "etc/systemd/system/kubelet.service").stat().st_mode & 0o777 == 0o644
    assert (tree / "etc/systemd/system/kubelet.service.d").stat().st_mode & 0o777 == 0o755
    assert (tree / "etc/secret.d").stat().st_mode & 0o777 == 0o700
    assert (tree / "etc/secret.d/key").stat().st_mode & 0o777 == 0o600
    assert (tree / "etc/hosts").read_text() == "192.0.2.1 lab\n"
    assert (tree / "etc/link").readlink() == Path("hosts")
    assert "LABEL=root" in (tree / "etc/fstab").read_text()


def test_an_overlay_may_replace_a_link_without_writing_through_it(tree: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tree / "etc/motd").symlink_to(victim)
    (tmp_path / "overlay/etc").mkdir(parents=True)
    (tmp_path / "overlay/etc/motd").write_text("hello")
    lay_files(tree, [tmp_path / "overlay"])
    assert victim.read_text() == "untouched"
    assert (tree / "etc/motd").read_text() == "hello"


def test_every_unit_that_is_enabled_and_not_debians_is_in_the_recipe() -> None:
    own = {path.name for path in (FILES / "etc/systemd/system").glob("*.service")}
    assert own <= set(pins.ENABLED_UNITS)
    assert not set(pins.ENABLED_UNITS) & (set(pins.MASKED_UNITS) | set(pins.DISABLED_UNITS))


@pytest.mark.skipif(not shutil.which("cloud-init"), reason="needs Debian's cloud-init")
def test_cloud_init_accepts_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "cloud.cfg"
    config.write_text("#cloud-config\n" + (FILES / "etc/cloud/cloud.cfg").read_text())
    done = subprocess.run(["cloud-init", "schema", "--config-file", str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
@pytest.mark.parametrize("unit", ["containerd.service", "kubelet.service"])
def test_systemd_accepts_our_units(unit: str, tmp_path: Path) -> None:
    units = tmp_path / "units"
    shutil.copytree(FILES / "etc/systemd/system", units)
    for path in units.rglob("*"):
        if path.is_file():  # the programs are on the node, not here
            path.write_text(re.sub(r"=/usr/bin/(containerd|kubelet)\b", "=/bin/true", path.read_text()))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(units / unit)], capture_output=True, text=True, check=False)
    own = [line for line in (done.stdout + done.stderr).splitlines() if str(units) in line or line.startswith(unit)]
    assert own == []

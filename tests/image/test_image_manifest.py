import json
from pathlib import Path

from image import pins
from image.containers import Preloaded
from image.manifest import Contents, manifest_of, manifest_text, summary
from image.parts import Program


def contents(*names: str) -> Contents:
    programs = [Program(name=name, version="v1.0.0", source=f"go:{name}@v1.0.0", sha256="0" * 64, path=Path("/cache") / name) for name in names]
    images = [Preloaded(name=f"example.org/{name}:v1", program=name, version="v1.0.0", digest=f"sha256:{'1' * 64}") for name in names]
    return Contents(
        key="abc",
        suite="bookworm",
        kernel="6.1.0-1-cloud-amd64",
        go="go1.26.8",
        programs=programs,
        containers=images,
        boot={"vmlinuz": "2" * 64, "initrd.img": "3" * 64},
        packages={"zlib1g": "1", "runc": "1.1.5"},
    )


def test_the_manifest_has_what_the_product_reads() -> None:
    manifest = manifest_of(contents("kubelet"))
    assert manifest["kubernetes"] == pins.KUBERNETES_VERSION.removeprefix("v")
    assert manifest["key"] == "abc"
    assert [set(part) for part in manifest["parts"]] == [{"name", "version", "sha256", "source"}]
    assert manifest["containers"] == [{"name": "example.org/kubelet:v1", "version": "v1.0.0", "digest": f"sha256:{'1' * 64}"}]
    assert manifest["debian"]["runc"] == "1.1.5"


def test_the_order_in_which_parts_were_made_does_not_show() -> None:
    one, other = manifest_text(manifest_of(contents("etcd", "kubelet"))), manifest_text(manifest_of(contents("kubelet", "etcd")))
    assert one == other
    assert [part["name"] for part in json.loads(one)["parts"]] == ["etcd", "kubelet"]
    assert list(json.loads(one)["debian"]) == ["runc", "zlib1g"]


def test_nothing_in_the_manifest_tells_where_it_was_built() -> None:
    assert "/cache" not in manifest_text(manifest_of(contents("kubelet")))


def test_the_summary_names_every_part_with_its_hash() -> None:
    lines = summary(manifest_of(contents("etcd", "kubelet")))
    assert [line for line in lines if line.startswith("kubelet ")] == [f"kubelet v1.0.0 sha256:{'0' * 64} from go:kubelet@v1.0.0"]
    assert sum("sha256:" in line for line in lines) == 2 + 2 + 2

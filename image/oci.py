"""Container images written as OCI archives, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from image.key import file_digest
from image.pins import SOURCE_DATE_EPOCH

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CREATED = "2026-01-01T00:00:00Z"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"

_SKELETON = {
    "etc/passwd": b"root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
}
_FOLDERS = ("dev", "etc", "proc", "run", "sys", "tmp", "var")


@dataclass(frozen=True, kw_only=True)
class ContainerImage:
    """One image: a program, beside it a tree or (without one) a bare skeleton of folders."""

    name: str
    """The full name with its tag."""
    files: Mapping[str, Path]
    """Absolute path in the container to the file on this machine; all are executable."""
    tree: Path | None = None
    entrypoint: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


def write_archive(path: Path, images: list[ContainerImage]) -> dict[str, str]:
    """Write all images into one OCI archive at `path`; gives each name's manifest digest (`sha256:...`)."""
    manifests: list[dict[str, object]] = []
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        blobs = _Blobs(archive)
        for image in images:
            layers = [_add_layer(blobs, path.with_suffix(".layer"), image)]
            config = blobs.add_json(_CONFIG_TYPE, _config(image, layers))
            manifest = {"schemaVersion": 2, "mediaType": _MANIFEST_TYPE, "config": config, "layers": layers}
            annotations = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name.rpartition(":")[2]}
            platform = {"architecture": "amd64", "os": "linux"}
            manifests.append({**blobs.add_json(_MANIFEST_TYPE, manifest), "annotations": annotations, "platform": platform})
        index = {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": manifests}
        _add_bytes(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add_bytes(archive, "index.json", _json(index))
    return {image.name: str(manifest["digest"]) for image, manifest in zip(images, manifests, strict=True)}


class _Blobs:
    """The content-addressed part of an archive: every blob once."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive: tarfile.TarFile = archive
        self._seen: set[str] = set()

    def add_json(self, media_type: str, content: object) -> dict[str, object]:
        data = _json(content)
        digest = hashlib.sha256(data).hexdigest()
        if self._new(digest):
            _add_bytes(self._archive, f"blobs/sha256/{digest}", data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def add_layer(self, path: Path) -> dict[str, object]:
        digest, size = file_digest(path), path.stat().st_size
        if self._new(digest):
            entry = _entry(f"blobs/sha256/{digest}")
            entry.size = size
            with path.open("rb") as file:
                self._archive.addfile(entry, file)
        return {"mediaType": _LAYER_TYPE, "digest": f"sha256:{digest}", "size": size}

    def _new(self, digest: str) -> bool:
        known = digest in self._seen
        self._seen.add(digest)
        return not known


def _config(image: ContainerImage, layers: list[dict[str, object]]) -> dict[str, object]:
    config: dict[str, object] = {"Env": [_PATH], "WorkingDir": "/", "Labels": dict(sorted(image.labels.items()))}
    if image.entrypoint:
        config["Entrypoint"] = list(image.entrypoint)
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": _CREATED,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        "history": [{"created": _CREATED, "created_by": "underlay image"} for _ in layers],
    }


def _add_layer(blobs: _Blobs, scratch: Path, image: ContainerImage) -> dict[str, object]:
    try:
        with tarfile.open(scratch, "w", format=tarfile.PAX_FORMAT) as layer:
            for entry, source in sorted(_members(image), key=lambda member: member[0].name):
                if isinstance(source, Path):
                    with source.open("rb") as file:
                        layer.addfile(entry, file)
                else:
                    layer.addfile(entry, io.BytesIO(source))
        return blobs.add_layer(scratch)
    finally:
        scratch.unlink(missing_ok=True)


def _members(image: ContainerImage) -> Iterator[tuple[tarfile.TarInfo, Path | bytes]]:
    """Everything in the image's layer, each path once, parents included."""
    folders: set[str] = set()
    if image.tree is None:
        folders.update(_FOLDERS)
        for name, data in _SKELETON.items():
            entry = _entry(name)
            entry.size = len(data)
            yield entry, data
    else:
        for member in _tree_members(image.tree):
            if member[0].isdir():
                folders.add(member[0].name)
            else:
                yield member
    for target, source in image.files.items():
        entry = _entry(target.lstrip("/"), mode=0o755)
        entry.size = source.stat().st_size
        yield entry, source
        folders.update(parent.as_posix().lstrip("/") for parent in Path(target).parents if parent != Path("/"))
    for name in folders:
        entry = _entry(name, mode=0o1777 if name == "tmp" else 0o755)
        entry.type = tarfile.DIRTYPE
        yield entry, b""


def _tree_members(tree: Path) -> Iterator[tuple[tarfile.TarInfo, Path | bytes]]:
    for path in tree.rglob("*"):
        name = path.relative_to(tree).as_posix()
        if path.is_symlink():
            entry = _entry(name, mode=0o777)
            entry.type, entry.linkname = tarfile.SYMTYPE, path.readlink().as_posix()
            yield entry, b""
        elif path.is_dir():
            entry = _entry(name, mode=0o755)
            entry.type = tarfile.DIRTYPE
            yield entry, b""
        elif path.is_file():
            entry = _entry(name, mode=0o755 if os.access(path, os.X_OK) else 0o644)
            entry.size = path.stat().st_size
            yield entry, path


def _entry(name: str, mode: int = 0o644) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = mode, SOURCE_DATE_EPOCH
    return entry


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = _entry(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

"""A file by path or URL, checked against its SHA-256 before anybody sees a byte of it."""

import contextlib
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

TIMEOUT_S: Final = 30
"""How long a server may be silent, s."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""No manifest is that large: a wrong address must not fill the memory."""


class SourceError(Exception):
    """A file that cannot be had or is not the declared one; the message says where it was looked for and what to do."""


def text(source: str, sha256: str, *, setting: str) -> str:
    """The file's text. `setting` is the path of the declaration, for messages. Raises SourceError."""
    kept = _cache() / sha256
    content = _kept(kept, sha256) or _mirrored(sha256) if _is_remote(source) else None
    if content is None:
        content = _read(source, setting)
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise SourceError(
                f"{setting}: {source} has SHA-256 {found}, expected {sha256}: the file is not the one that was pinned; "
                f"nothing was changed. Correct {setting}.source, or look at the file and pin its sum in {setting}.sha256"
            )
        if _is_remote(source):
            _keep(kept, content)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise SourceError(f"{setting}: {source} is no text in UTF-8; name a manifest in YAML in {setting}.source") from None


def _is_remote(source: str) -> bool:
    return urlsplit(source).scheme in {"http", "https"}


def _read(source: str, setting: str) -> bytes:
    try:
        content = _download(source) if _is_remote(source) else _path(source).read_bytes()
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise SourceError(
            f"{setting}: {source} cannot be read: {reason}; correct {setting}.source, or fetch the file elsewhere and name its folder in UNDERLAY_MIRROR"
        ) from None
    if len(content) > MOST_BYTES:
        raise SourceError(f"{setting}: {source} has more than {MOST_BYTES} bytes, limit {MOST_BYTES}; name a manifest in {setting}.source")
    return content


def _download(url: str) -> bytes:
    # urllib rather than httpx: one GET of one file, with proxies from the environment and the system's CAs, needs no further requirement
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http and https only, by _is_remote
            return answer.read(MOST_BYTES + 1)
    except urllib.error.HTTPError as refusal:
        refusal.close()  # it holds the connection
        raise


def _path(source: str) -> Path:
    parts = urlsplit(source)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(source)


def _cache() -> Path:
    """What can be fetched again, named by content: `UNDERLAY_CACHE`, else `~/.cache/underlay`."""
    return Path(os.environ.get("UNDERLAY_CACHE") or Path.home() / ".cache" / "underlay") / "manifests"


def _mirrored(sha256: str) -> bytes | None:
    """The file of this sum in a folder of `UNDERLAY_MIRROR`, for places without internet; its name does not matter."""
    folders = [Path(folder) for folder in os.environ.get("UNDERLAY_MIRROR", "").split(os.pathsep) if folder]
    files = (
        path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if path.is_file() and path.stat().st_size <= MOST_BYTES
    )
    return next((content for path in files if (content := _kept(path, sha256)) is not None), None)


def _kept(path: Path, sha256: str) -> bytes | None:
    """The file's content, if it is there and has this sum."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def _keep(path: Path, content: bytes) -> None:
    """Puts a file into the cache whole or not at all; a cache that cannot be written is none."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

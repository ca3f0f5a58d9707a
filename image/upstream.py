"""The Kubernetes project's published binaries, each with its published SHA-256."""

from __future__ import annotations

import hashlib
import re
import urllib.request
from pathlib import Path

from image.command import BuildError, Progress

_PROBE_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_CHUNK = 1 << 20


class Upstream:
    """The release files below one URL; whether they can be reached is asked once."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise BuildError(f"{url}: binaries are fetched over https only")
        self.url: str = url.rstrip("/")
        self._reached: dict[str, bool] = {}

    def reachable(self, version: str, progress: Progress) -> bool:
        """True if this machine gets an answer about `version` within 5 seconds; says once if not."""
        if version not in self._reached:
            try:
                self._published_digest(version, "kubeadm")
                self._reached[version] = True
            except (OSError, BuildError) as error:
                self._reached[version] = False
                progress(f"{self.url} is not reachable ({error}): building from Go modules")
        return self._reached[version]

    def fetch(self, version: str, name: str, target: Path) -> str:
        """Download one program to `target` and give its URL.

        Raises `BuildError` if it cannot be read or is not what the published SHA-256 says.
        """
        url = self._url(version, name)
        try:
            wanted = self._published_digest(version, name)
            digest = hashlib.sha256()
            with urllib.request.urlopen(url, timeout=_READ_TIMEOUT_S) as answer, target.open("wb") as file:  # noqa: S310 (scheme checked above)
                while chunk := answer.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
        except OSError as error:
            raise BuildError(f"{url} cannot be read: {error}") from error
        if digest.hexdigest() != wanted:
            raise BuildError(f"{url} has SHA-256 {digest.hexdigest()}, published is {wanted}: refused")
        return url

    def _url(self, version: str, name: str) -> str:
        return f"{self.url}/{version}/bin/linux/amd64/{name}"

    def _published_digest(self, version: str, name: str) -> str:
        with urllib.request.urlopen(f"{self._url(version, name)}.sha256", timeout=_PROBE_TIMEOUT_S) as answer:  # noqa: S310 (scheme checked above)
            text = answer.read(1024).decode("ascii", "replace").split()
        if not text or not re.fullmatch(r"[0-9a-f]{64}", text[0]):
            raise BuildError(f"{self._url(version, name)}.sha256 holds no SHA-256")
        return text[0]

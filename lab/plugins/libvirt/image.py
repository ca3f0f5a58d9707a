"""A volume's source: a file on this machine or one fetched over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from lab.plugins.base import ProviderError

_QCOW2 = b"QFI\xfb"


@dataclass(frozen=True)
class Image:
    """A file to upload."""

    path: Path
    size: int
    """Bytes of the file, not of the disk inside it."""
    is_qcow2: bool


@asynccontextmanager
async def opened(source: str) -> AsyncGenerator[Image]:
    """The image at a path or URL, on this machine while the context lasts. Raises ProviderError when it cannot be had."""
    url = urlsplit(source)
    if url.scheme in {"http", "https"}:
        with TemporaryDirectory(prefix="image-") as folder:
            path = Path(folder, "image")
            await _fetch(source, path)
            yield _describe(path)
    elif url.scheme in {"", "file"}:
        try:
            image = _describe(Path(unquote(url.path) if url.scheme else source))
        except OSError as error:
            raise ProviderError(f"error while opening {source}: {error.strerror}") from None
        yield image
    else:
        raise ProviderError(f"don't know how to handle image URI from '{source}' (scheme: {url.scheme})")


def _describe(path: Path) -> Image:
    with path.open("rb") as file:
        return Image(path, path.stat().st_size, file.read(4) == _QCOW2)


async def _fetch(url: str, path: Path) -> None:
    import httpx

    try:
        async with httpx.AsyncClient(follow_redirects=True, timeout=60) as client, client.stream("GET", url) as response:
            response.raise_for_status()
            with path.open("wb") as file:
                async for chunk in response.aiter_bytes(1 << 20):
                    await asyncio.to_thread(file.write, chunk)
    except httpx.HTTPError as error:
        raise ProviderError(f"error while downloading {url}: {error}") from None

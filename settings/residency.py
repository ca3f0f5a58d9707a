"""Where data may be, and where the hosts of URLs stand."""

from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field

from settings.base import Settings
from settings.forms import Country, Distinct, Words, text
from settings.uris import no_secret

HostOrBucket = Annotated[
    str,
    text(r"([a-z0-9]+://)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?", "expected a host, or a bucket with its scheme", "registry.example", 253),
    Words("host"),
]
BACKENDS = ("file", "s3", "gs", "azblob", "https", "http")


def _backend(url: str) -> str:
    parts = no_secret(url)
    if parts.scheme not in BACKENDS:
        raise ValueError(f"is a URL that Pulumi keeps no state at, allowed: {', '.join(BACKENDS)}; write what `pulumi login` is given")
    return url


StateUrl = Annotated[str, AfterValidator(_backend), Words("URL")]


class Residency(Settings):
    """The countries that bind hypervisors, what applications depend on, where files come from and where state is kept."""

    countries: Annotated[tuple[Country, ...], Distinct] = Field(min_length=1)
    """Countries in which all of that may stand, ISO 3166-1 alpha-2. A change alters nothing that runs."""
    reason: Annotated[str, text(r"[^\n\x00]+", "expected one line of text", '"health data"', 200)] | None = None
    """Why, such as the law; shown wherever something is refused for it."""
    places: dict[HostOrBucket, Country] = {}
    """Country in which each host stands that a URL of this environment names: images, manifests, registries, the state backend (of a
    bucket without an endpoint the bucket itself, such as gs://state). A host that is not named here is refused."""

    @property
    def words(self) -> str:
        """The countries, and the reason where one is given."""
        return ", ".join(self.countries) + (f" ({self.reason})" if self.reason else "")


class StateBackend(Settings):
    """Where Pulumi keeps the stack's state, secrets encrypted."""

    url: StateUrl
    """What `pulumi login` is given, such as s3://state?endpoint=s3.example; compared with it by `ops doctor`. It holds no password."""


def place_of(url: str) -> str:
    """The host at which a URL's data is: of a bucket its endpoint's host, else the bucket itself; empty for a file or path."""
    if "://" not in url:
        return ""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return parts.hostname or ""
    if parts.scheme == "file":
        return ""
    endpoint = next(iter(parse_qs(parts.query).get("endpoint", [])), "")
    if endpoint:
        return urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname or ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"

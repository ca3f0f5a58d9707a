"""The machine that runs `pulumi up` has what the engine and its providers need."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

from ops.doctor.model import OPERATOR, Finding, OperatorSeen, Seen, passed, unseen, why_not
from ops.doctor.project import canonical
from ops.verify.model import Said, Status
from settings.residency import StateBackend, place_of

FAILED: Final = Status.FAILED
NEEDED: Final = {
    "mkisofs": ("the libvirt provider writes the seeds with it", "apt install genisoimage (or xorriso with a link mkisofs)"),
    "xsltproc": ("the libvirt provider changes definitions with it", "apt install xsltproc"),
    "pulumi": ("the engine", "install it as pulumi.com says, in the version of requirements.txt"),
}
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about this machine."""
    here = seen.operator
    for name, (why, remedy) in NEEDED.items():
        if here.tools.get(name):
            yield passed("tool." + name, OPERATOR, here.tools[name], declared=why)
        else:
            yield Finding(id="tool." + name, where=OPERATOR, status=FAILED, declared=why, found="not on PATH", remedy=remedy)
    yield _packages(here)
    if here.tools.get("pulumi"):
        yield _engine(here)
        yield _plugins(here)
        backend = _backend(here, seen.plan.settings.state_backend)
        yield backend
        if backend.status is Status.PASSED:
            yield _stack(here, seen.stack)
            yield _secrets(here, seen.stack, backend)


def _packages(here: OperatorSeen) -> Finding:
    said, remedy = here.commands.get("packages"), "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    why = why_not(said)
    content = _json(said)
    if why or not (isinstance(content, list) and len(cast("list[Any]", content)) == 2):
        found = why or "the interpreter's answer cannot be read"
        return Finding(id="python.packages", where=OPERATOR, status=FAILED, declared="the project's virtual environment", found=found, remedy=remedy)
    version, raw = cast("list[Any]", content)
    there = {canonical(str(name)): str(number) for name, number in cast("dict[str, Any]", raw).items()} if isinstance(raw, dict) else {}
    wrong = [f"{name} {there.get(name, 'missing')} (pinned {pin})" for name, pin in sorted(here.pinned.items()) if there.get(name) != pin]
    declared = f"{len(here.pinned)} packages of requirements.txt"
    if wrong:
        found = "; ".join(wrong[:5]) + (f"; {len(wrong) - 5} more" if len(wrong) > 5 else "")
        return Finding(
            id="python.packages", where=OPERATOR, status=FAILED, declared=declared, found=found, remedy=".venv/bin/pip install -r requirements.txt"
        )
    return passed("python.packages", OPERATOR, f"all as pinned, Python {version}", declared=declared)


def _engine(here: OperatorSeen) -> Finding:
    """The engine runs SDKs of its own major version that are not newer than itself."""
    said, wanted = here.commands.get("engine"), here.pinned.get("pulumi", "")
    have, need = _VERSION.match(said.output.strip()) if said is not None else None, _VERSION.match(wanted)
    if have is None or need is None:
        return unseen("pulumi.version", OPERATOR, why_not(said) or "pulumi version names no version", "see what says: pulumi version")
    text, limit = have[0].removeprefix("v"), f"{need[1]}.x, {wanted} or newer"
    if have[1] == need[1] and tuple(map(int, have.groups())) >= tuple(map(int, need.groups())):
        return passed("pulumi.version", OPERATOR, text, limit=limit)
    remedy = f"install pulumi {wanted} (the SDK in requirements.txt)"
    return Finding(id="pulumi.version", where=OPERATOR, status=FAILED, declared=f"SDK {wanted}", found=text, limit=limit, remedy=remedy)


def _plugins(here: OperatorSeen) -> Finding:
    wanted = {name.removeprefix("pulumi-"): version for name, version in here.pinned.items() if name.startswith("pulumi-")}
    said = here.commands.get("plugins")
    content = _json(said)
    if why_not(said) or not isinstance(content, list):
        return unseen("pulumi.plugins", OPERATOR, why_not(said) or "its list cannot be read", "see what says: pulumi plugin ls", severity="warning")
    there = {(str(each.get("name")), str(each.get("version")).removeprefix("v")) for each in _trees(cast("list[Any]", content))}
    missing = [f"{name} {version}" for name, version in sorted(wanted.items()) if (name, version) not in there]
    declared = f"{len(wanted)} providers of requirements.txt"
    if not missing:
        return passed("pulumi.plugins", OPERATOR, "all installed", declared=declared)
    refused = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" in here.variables
    return Finding(
        id="pulumi.plugins",
        where=OPERATOR,
        status=FAILED,
        severity="error" if refused else "warning",
        declared=declared,
        found=f"not installed: {', '.join(missing)}" + ("" if refused else "; the first `up` fetches them from the vendor"),
        remedy="; ".join(f"pulumi plugin install resource {each}" for each in missing),
    )


def _backend(here: OperatorSeen, wanted: StateBackend | None) -> Finding:
    said = here.commands.get("backend")
    # a backend's URL may hold credentials before its host or in its query
    why = re.sub(r"(\w://)[^\s/@]+@|\?[^\s'\"]+", r"\1", why_not(said))
    if why:
        remedy = "pulumi login URL, or set PULUMI_BACKEND_URL (and PULUMI_ACCESS_TOKEN for a service)"
        return Finding(id="state.backend", where=OPERATOR, status=FAILED, declared="a state backend that answers", found=why, remedy=remedy)
    content = _json(said)
    url = str(cast("dict[str, Any]", content).get("url", "")) if isinstance(content, dict) else ""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.hostname or parts.path}"
    if wanted is not None and not _same(url, wanted.url):
        place = place_of(wanted.url) or wanted.url
        remedy = "pulumi login with state_backend.url, or write there where the state is: its country counts (residency.places)"
        return Finding(id="state.backend", where=OPERATOR, status=FAILED, declared=f"state_backend at {place}", found=where, remedy=remedy)
    return passed("state.backend", OPERATOR, f"answers: {where}")


def _same(found: str, declared: str) -> bool:
    """The same place: the engine may write a bucket's or folder's URL with other slashes, and a service's as that of its console."""
    one, other = urlsplit(found), urlsplit(declared)
    if other.scheme in ("http", "https"):
        return _service(one.hostname) == _service(other.hostname)
    options, wanted = parse_qs(one.query), parse_qs(other.query)
    places = [f"{parts.netloc.rpartition('@')[2]}{parts.path}".strip("/") for parts in (one, other)]
    return one.scheme == other.scheme and places[0] == places[1] and all(options.get(name) == values for name, values in wanted.items())


def _service(host: str | None) -> str:
    """A service's name without what tells its API (api.) from its console (app.)."""
    return re.sub(r"^(api|app)\.", "", host or "")


def _stack(here: OperatorSeen, stack: str) -> Finding:
    said = here.commands.get("stacks")
    content = _json(said)
    if why_not(said) or not isinstance(content, list):
        return unseen("state.stack", OPERATOR, why_not(said) or "its list cannot be read", "see what says: pulumi stack ls")
    names = {str(each.get("name")) for each in _trees(cast("list[Any]", content))}
    short = stack.rpartition("/")[2]
    if stack in names or short in {name.rpartition("/")[2] for name in names}:
        return passed("state.stack", OPERATOR, "there", declared=f"stack {stack}")
    provider = here.stack_file.get("secretsprovider", "")
    remedy = f"pulumi stack init {stack}" + (f" --secrets-provider URL (the {provider} one of the stack file)" if provider else "")
    return Finding(
        id="state.stack", where=OPERATOR, status=FAILED, severity="warning", declared=f"stack {stack}", found="not in the backend yet", remedy=remedy
    )


def _secrets(here: OperatorSeen, stack: str, backend: Finding) -> Finding:
    provider = here.stack_file.get("secretsprovider", "passphrase" if "encryptionsalt" in here.stack_file else "")
    if not provider:
        return _no_provider(here, service=backend.found.startswith(("answers: https://", "answers: http://")))
    said = here.commands.get("secrets")
    why = why_not(said)
    declared = f"secrets by {provider}"
    if not why:
        return passed("state.secrets", OPERATOR, "the stack's secrets can be decrypted", declared=declared)
    if "no stack named" in why:
        return unseen("state.secrets", OPERATOR, why, f"pulumi stack init {stack}", severity="warning")
    remedy = "set PULUMI_CONFIG_PASSPHRASE_FILE to the stack's passphrase" if provider == "passphrase" else f"log in to {provider}"
    return Finding(id="state.secrets", where=OPERATOR, status=FAILED, declared=declared, found=why, remedy=remedy)


def _no_provider(here: OperatorSeen, *, service: bool) -> Finding:
    """A stack file that names none: a service keeps the keys itself, any other backend wants a passphrase before the first secret."""
    if service:
        return passed("state.secrets", OPERATOR, "the service of the state backend keeps the keys")
    if here.variables & {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"}:
        return passed("state.secrets", OPERATOR, "a passphrase is set, and nothing is encrypted with it yet")
    remedy = "set PULUMI_CONFIG_PASSPHRASE_FILE, or choose another: pulumi stack change-secrets-provider"
    found = "the stack file names no secrets provider, and no passphrase is set"
    return Finding(id="state.secrets", where=OPERATOR, status=FAILED, declared="secrets that `up` encrypts", found=found, remedy=remedy)


def _json(said: Said | None) -> object:
    if said is None or said.error or said.exit_code != 0:
        return None
    try:
        return cast("object", json.loads(said.output))
    except ValueError:
        return None


def _trees(entries: list[Any]) -> Iterator[Mapping[str, Any]]:
    return (cast("dict[str, Any]", each) for each in entries if isinstance(each, dict))

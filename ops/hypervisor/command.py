"""`ops hypervisor describe`: asks a libvirt what its host is, and prints the block that a stack file declares of it."""

import asyncio
import re

from pydantic import TypeAdapter, ValidationError

from ops.doctor import hosts, questions, script
from ops.doctor.model import why_not
from ops.hypervisor import drives
from ops.hypervisor.block import Described, block
from ops.hypervisor.options import Words
from ops.hypervisor.pools import pools
from ops.hypervisor.tenants import domains, tenant
from ops.hypervisor.topology import first_cores, topology
from ops.stack import OpsError
from ops.verify.model import Said
from settings.uris import ConnectionUri

SHELL_S = 30.0
_URI: TypeAdapter[str] = TypeAdapter(ConnectionUri)


def run(words: Words) -> str:
    """The block; OpsError where the URI is none, or nobody answers there."""
    try:
        uri = _URI.validate_python(words.uri)
    except ValidationError as error:
        message = error.errors(include_input=False, include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise OpsError(f"URI {message}") from None
    said, told = asyncio.run(_ask(uri))
    if why := why_not(said["capabilities"]):
        raise OpsError(f"{uri}: {why}; try: virsh -c {uri} capabilities")
    return block(described(uri, said, told, environment=words.environment))


async def _ask(uri: str) -> tuple[dict[str, Said], Said]:
    """Two rounds over libvirt, and at once with the second the host's shell about its drives, where the URI gives a way to one."""
    said = await hosts.virsh(uri, questions.HOST, read_only=True)
    if why_not(said["capabilities"]):
        return said, Said(output="", exit_code=1, error="was not asked")
    more, told = await asyncio.gather(
        hosts.virsh(uri, questions.named(said), read_only=True), hosts.ask_shell(uri, script.asking({"drives": script.DRIVES}), SHELL_S)
    )
    return said | more, told.parts.get("drives") or told.parts.get("") or Said(output="", exit_code=1, error="the shell said nothing")


def described(uri: str, said: dict[str, Said], told: Said, *, environment: str) -> Described:
    """What the answers mean. `environment` is whose machines are no tenants; empty: nobody's."""
    machines, unread = domains(said)
    found = topology(said.get("capabilities"))
    tenants = [tenant(each, found) for each in machines if not (environment and each.environment == environment)]
    reserved, notes = first_cores(found, tenants)
    known, why = drives.drives(said, machines, told)
    return Described(
        uri=uri,
        version=_version(said),
        topology=found,
        reserved=reserved,
        reserved_notes=notes,
        tenants=tenants,
        tenants_unread=unread,
        drives=known,
        drives_unread=why,
        pools=tuple(pools(said, known)),
    )


def _version(said: dict[str, Said]) -> str:
    """Daemon and QEMU as `version --daemon` names them."""
    text = said["version"].output if "version" in said else ""
    daemon, emulator = re.search(r"^Running against daemon: (\S+)$", text, re.MULTILINE), re.search(r"^Running hypervisor: (.+)$", text, re.MULTILINE)
    return ", ".join(filter(None, (f"libvirt {daemon[1]}" if daemon else "", emulator[1] if emulator else "")))

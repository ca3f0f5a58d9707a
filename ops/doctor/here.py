"""Asks the machine that runs `pulumi up`: tools, engine, packages, state, secrets, the image's files, and who answers for the plan's addresses."""

import asyncio
import json
import os
import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import httpx

import sources
from ops.doctor import project as projects
from ops.doctor.model import OperatorSeen, Part
from ops.doctor.processes import run
from ops.doctor.project import Project
from ops.doctor.script import probed
from ops.verify.model import Said
from plan import Plan

TOOLS: Final = ("pulumi", "mkisofs", "xsltproc", "virsh", "ssh", "ping")
ENGINE_S: Final = 60.0
HTTP_S: Final = 10.0
PINGS: Final = 64
VARIABLES: Final = frozenset({"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"})
_PACKAGES: Final = (
    "import importlib.metadata as m, json, sys; print(json.dumps([sys.version.split()[0], {d.name: d.version for d in m.distributions()}]))"
)
_QCOW2: Final = b"QFI\xfb"


async def ask(plan: Plan, project: Project, stack: str) -> OperatorSeen:
    """Everything about this machine; nothing is decrypted that stays, and nothing is written."""
    tools = {name: shutil.which(name) or "" for name in TOOLS}
    encryption = projects.encryption(project, stack)
    commands, pings, parts, manifests = await asyncio.gather(
        _commands(project, stack, encryption, engine=bool(tools["pulumi"])), _pings(plan), _parts(plan, project), _manifests(plan, project)
    )
    return OperatorSeen(
        tools=tools,
        commands=commands,
        pinned=projects.pinned(project),
        variables=frozenset(name for name in VARIABLES if os.environ.get(name) not in (None, "", "false")),
        stack_file=encryption,
        parts=parts,
        image_kubernetes=_image_kubernetes(plan, project),
        pings=pings,
        manifests=manifests,
    )


async def _commands(project: Project, stack: str, encryption: Mapping[str, str], *, engine: bool) -> dict[str, Said]:
    asked: dict[str, list[str]] = {"packages": [str(project.python), "-c", _PACKAGES]}
    if engine:
        asked |= {
            "engine": ["pulumi", "version"],
            "plugins": ["pulumi", "plugin", "ls", "--json"],
            "backend": ["pulumi", "whoami", "--json", "--non-interactive"],
            "stacks": ["pulumi", "stack", "ls", "--json", "--non-interactive"],
        }
        # without these the engine could begin to encrypt, and so write into the stack file
        if encryption:
            asked["secrets"] = ["pulumi", "config", "--stack", stack, "--show-secrets", "--json", "--non-interactive"]
    quiet = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    said = await asyncio.gather(*(run(words, timeout_s=ENGINE_S, cwd=project.folder, variables=quiet) for words in asked.values()))
    answers = dict(zip(asked, said, strict=True))
    if "secrets" in answers and answers["secrets"].exit_code == 0:
        answers["secrets"] = Said(output="", exit_code=0)  # that it could be decrypted is all that is asked
    return answers


async def _pings(plan: Plan) -> dict[str, Said]:
    gate = asyncio.Semaphore(PINGS)

    async def one(address: str) -> tuple[str, Said]:
        async with gate:
            return address, await run(["ping", "-n", "-q", "-c", "1", "-W", "1", address], timeout_s=5)

    return dict(await asyncio.gather(*(one(address) for address in probed(plan))))


async def _manifests(plan: Plan, project: Project) -> dict[str, str]:
    """Read and held against their sums exactly as `up` does it."""

    def one(setting: str) -> str:
        manifest = plan.manifests[setting]
        source = manifest.source if "://" in manifest.source else str(project.main / manifest.source)
        try:
            sources.text(source, manifest.sha256, setting=setting)
        except sources.SourceError as error:
            return str(error)
        return ""

    return {setting: await asyncio.to_thread(one, setting) for setting in plan.manifests}


async def _parts(plan: Plan, project: Project) -> Sequence[Part]:
    image = plan.settings.image
    logical = any(hypervisor.pool.kind == "logical" for hypervisor in plan.settings.hypervisors.values())
    folders = any(hypervisor.pool.kind == "dir" for hypervisor in plan.settings.hypervisors.values())
    named = {
        "image.source": image.source if folders else None,
        "image.raw": image.raw if logical else None,
        "image.kernel": image.kernel,
        "image.initrd": image.initrd,
    }
    async with httpx.AsyncClient(timeout=HTTP_S, follow_redirects=True) as client:
        return await asyncio.gather(*(_part(client, project, setting, source) for setting, source in named.items() if source))


async def _part(client: httpx.AsyncClient, project: Project, setting: str, source: str) -> Part:
    if source.startswith(("http://", "https://")):
        try:
            answer = await client.head(source)
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Part(setting=setting, source=source, size=None, error=str(error).splitlines()[0] if str(error) else type(error).__name__)
        length = answer.headers.get("content-length", "")
        return Part(setting=setting, source=source, size=int(length) if length.isdigit() else None)
    path = project.main / source.removeprefix("file://")
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(32)
    except OSError as error:
        return Part(setting=setting, source=source, size=None, error=error.strerror or str(error))
    virtual = struct.unpack(">Q", head[24:32])[0] if head[:4] == _QCOW2 and len(head) == 32 else None
    return Part(setting=setting, source=source, size=size, virtual_size=size if setting == "image.raw" else virtual)


def _image_kubernetes(plan: Plan, project: Project) -> str:
    """The Kubernetes version in the image's manifest, which lies beside it."""
    source = plan.settings.image.source
    if "://" in source:
        return ""
    try:
        manifest: object = json.loads((project.main / Path(source).with_name("manifest.json")).read_text())
    except (OSError, ValueError):
        return ""
    version: object = cast("dict[str, object]", manifest).get("kubernetes") if isinstance(manifest, dict) else None
    return version if isinstance(version, str) else ""

"""The CPU that machines are declared to see: it can be had, and hides nothing of the host's that makes TLS and system calls fast."""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from ops.doctor.host_xml import tree
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen, why_not
from ops.verify.model import Said, Status
from plan import NodePlan

FAILED = Status.FAILED
TLS: Final = ("aes", "pclmuldq", "avx2", "bmi2", "adx")
"""What Go's and OpenSSL's assembly for AES-GCM and for curves asks the CPU for: the API server, etcd and the ingress controller live by it."""
CALLS: Final = ("pcid", "invpcid")
"""With them Linux keeps the TLB over system calls where page tables are isolated."""
NEEDED: Final = ("aes", "pclmuldq")
"""Every server CPU of the last ten years has them; a host without them has them switched off."""


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about CPU models and their features on each hypervisor that carries machines."""
    for host in seen.hosts.values():
        nodes = seen.nodes_on(host)
        said = host.virsh.get("emulator")
        document = tree(said)
        if document is not None:
            yield from _models(host, document, nodes)
        elif nodes and (host.settings.domain_type == "qemu" or said is None or said.error):
            why = why_not(said) or "libvirt's answer cannot be read"
            yield unseen("cpu.model", host.name, why, f"see what says: virsh -c {host.settings.uri} domcapabilities")
        if nodes and host.settings.domain_type == "kvm":
            yield from _features(host, _customs(nodes, document))


def _features(host: HostSeen, models: list[str]) -> Iterator[Finding]:
    said = host.virsh.get("features of the host")
    there = features(said)
    if not there:
        why = why_not(said) or "libvirt names no features of the host's CPU"
        remedy = "look on the host: grep -m1 flags /proc/cpuinfo"
        yield unseen("cpu.features", host.name, why, remedy, severity="warning")
        return
    wrong = list(_lacking(host, there)) + [finding for model in models for finding in _hidden(host, there, model)]
    yield from wrong
    if not wrong:
        names = [name for name in (*TLS, *CALLS) if name in there]
        yield passed("cpu.features", host.name, f"{_model_of(host)} with {', '.join(names)}", declared="fast TLS and system calls")


def _lacking(host: HostSeen, there: frozenset[str]) -> Iterator[Finding]:
    lacks = [name for name in NEEDED if name not in there]
    if lacks:
        yield Finding(
            id="cpu.features",
            where=host.name,
            status=FAILED,
            severity="warning",
            declared="TLS by the CPU's own instructions",
            found=f"{_model_of(host)} without {', '.join(lacks)}",
            remedy="switch AES on in the firmware (on a virtual host: its CPU model), or place machines on another hypervisor",
        )


def _hidden(host: HostSeen, there: frozenset[str], model: str) -> Iterator[Finding]:
    said = host.virsh.get(f"features of {model}")
    known = features(said)
    if not known:
        why = why_not(said) or "libvirt names none"
        yield unseen(
            "cpu.features", host.name, f"features of {model}: {why}", "write cpu.mode: host-model, or a model of libvirt's", severity="warning"
        )
        return
    hidden = [name for name in (*TLS, *CALLS) if name in there and name not in known]
    if hidden:
        yield Finding(
            id="cpu.features",
            where=host.name,
            status=FAILED,
            severity="warning",
            declared=f"cpu.mode custom, model {model}",
            found=f"it hides {', '.join(hidden)} of the host's CPU from its machines",
            remedy="write cpu.mode: host-passthrough, host-model, or a newer model",
        )


def _customs(nodes: tuple[NodePlan, ...], document: ElementTree.Element | None) -> list[str]:
    """Models that machines are declared to have, without those that cpu.model finds unknown."""
    models = {node.cpu.model for node in nodes if node.cpu.model is not None}
    return sorted(models & {each.text for each in document.iterfind("cpu/mode/model") if each.text} if document is not None else models)


def _model_of(host: HostSeen) -> str:
    document = tree(host.virsh.get("capabilities"))
    return f"the host's CPU ({document.findtext('host/cpu/model', 'no model')})" if document is not None else "the host's CPU"


def features(said: Said | None) -> frozenset[str]:
    """Names in an answer to `cpu-baseline --features`."""
    return (
        frozenset(re.findall(r"<feature policy='require' name='([^']+)'/>", said.output)) if said is not None and not why_not(said) else frozenset()
    )


def _models(host: HostSeen, document: ElementTree.Element, nodes: tuple[NodePlan, ...]) -> Iterator[Finding]:
    modes = {mode.get("name", ""): mode for mode in document.iterfind("cpu/mode")}
    for mode, model in sorted({(node.cpu.mode, node.cpu.model or "") for node in nodes}):
        declared = f"cpu.mode {mode}{f', model {model}' if model else ''}"
        element = modes.get(mode)
        if element is None or element.get("supported") != "yes":
            offered = [name for name, each in modes.items() if each.get("supported") == "yes"]
            remedy = f"write one of {', '.join(offered)}" if offered else "update libvirt and QEMU"
            yield Finding(id="cpu.model", where=host.name, status=FAILED, declared=declared, found="not offered for this domain type", remedy=remedy)
        elif model:
            yield _model(host, element, declared, model)
        else:
            known = element.findtext("model") or document.findtext("cpu/mode/model") or "its own"
            yield passed("cpu.model", host.name, f"offered; the host's model is {known}", declared=declared)


def _model(host: HostSeen, custom: ElementTree.Element, declared: str, model: str) -> Finding:
    usable = {each.text or "": each.get("usable") for each in custom.iterfind("model")}
    if model in usable and usable[model] != "no":
        return passed("cpu.model", host.name, "offered", declared=declared)
    best = sorted(name for name, state in usable.items() if state == "yes")
    lacks = [feature.get("name", "") for each in custom.iterfind("blockers") if each.get("model") == model for feature in each.iterfind("feature")]
    found = "the host lacks features of it" if model in usable else "unknown to this QEMU"
    return Finding(
        id="cpu.model",
        where=host.name,
        status=FAILED,
        declared=declared,
        found=found + (f": {', '.join(lacks[:8])}" if lacks else ""),
        remedy=f"write a model that it has: {', '.join(best[:12]) or 'none is usable, use mode host-model'}",
    )

"""Each hypervisor answers, over libvirt and on its shell."""

import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen
from ops.doctor.script import reach
from ops.verify.model import Status

FAILED = Status.FAILED


def judge(seen: Seen) -> Iterator[Finding]:
    """One finding for libvirt, and one for the shell or for all that could not be looked at."""
    for host in seen.hosts.values():
        yield _libvirt(host)
        if down(host):
            yield unseen("host.rest", host.name, "nothing else of it could be looked at", "mend host.libvirt, then ask again")
        else:
            yield _shell(host)


def down(host: HostSeen) -> str:
    """Why no question over libvirt was answered; empty where one was."""
    errors = [said.error for said in host.virsh.values()]
    return (errors[0] if errors else "was not asked") if all(errors) else ""


def _libvirt(host: HostSeen) -> Finding:
    why = down(host)
    if not why:
        return passed("host.libvirt", host.name, "answers")
    if "no virsh" in why:
        return unseen("host.libvirt", host.name, why, "apt install libvirt-clients")
    if "is encrypted" in why:
        return unseen("host.libvirt", host.name, why, f"write hypervisors.{host.name}.uri plainly: it holds no password")
    return Finding(
        id="host.libvirt", where=host.name, status=FAILED, declared="a libvirt that answers", found=why, remedy=_remedy(host.settings.uri, why)
    )


def _remedy(uri: str, why: str) -> str:
    shell, parts = reach(uri), urlsplit(uri)
    if parts.scheme == "qemu+ssh" and shell is not None:
        log_in = shlex.join([*shell[:-1], "true"])
        if "Host key verification" in why:
            return f"connect once and compare the key: {log_in.replace('-o BatchMode=yes ', '')}"
        if "resolve" in why:
            return "correct the host name in hypervisors.*.uri, or give it to DNS"
        return f"make this work without a password: {log_in}; then this: virsh -c {shlex.quote(uri)} version"
    if parts.hostname:
        return f"on the hypervisor: systemctl start virtproxyd (or libvirtd) with its {parts.scheme.partition('+')[2]} socket, and open its port"
    return "start it: systemctl start libvirtd (or virtqemud); the user must be in group libvirt"


def _shell(host: HostSeen) -> Finding:
    heard, why, words = any(host.by_shell), host.by_shell.get(""), reach(host.settings.uri)
    if heard and why is None:
        return passed("host.shell", host.name, "answers")
    found = host.told("").error
    if heard:
        found, remedy = f"cut off: {found}", "ask again; what hangs there is the first part that was not checked"
    elif words is None:
        remedy = "run doctor with a URI qemu+ssh://, or on the hypervisor; disk, clock, link and a booting guest cannot be seen otherwise"
    else:
        remedy = f"make this work without a password: {shlex.join([*words[:-1], 'true'])}"
    return unseen("host.shell", host.name, found, remedy, severity="warning")

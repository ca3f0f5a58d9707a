"""KVM where it is declared: libvirt offers it, a guest boots under it, and the kernel carries packets for it."""

from collections.abc import Iterator
from xml.etree import ElementTree

from ops.doctor.guest import BOOT_S
from ops.doctor.host_xml import tree
from ops.doctor.model import Finding, HostSeen, Seen, passed, unseen, why_not
from ops.verify.model import Status

FAILED = Status.FAILED
SWITCH_ON = "switch virtualization on in the firmware (VT-x, AMD-V; nested on a virtual host) and load it: modprobe kvm_intel or kvm_amd"
ALTERNATIVE = "or declare domain_type: qemu, which is slow"


def judge(seen: Seen) -> Iterator[Finding]:
    """Findings about virtualization."""
    for host in seen.hosts.values():
        document = tree(host.virsh.get("emulator"))
        if host.settings.domain_type == "kvm":
            yield _offered(host, document)
            if document is not None:
                yield _boots(host)
        if any(node.nic.driver == "vhost" for node in seen.nodes_on(host)):
            yield _vhost(host)


def _offered(host: HostSeen, document: ElementTree.Element | None) -> Finding:
    if document is not None and document.findtext("domain") == "kvm":
        return passed("kvm.offered", host.name, f"domain type kvm, by {document.findtext('path', 'QEMU')}", declared="domain_type kvm")
    why = why_not(host.virsh.get("emulator")) or "libvirt's answer names no domain type kvm"
    said = host.virsh.get("emulator")
    if said is None or said.error:
        return unseen("kvm.offered", host.name, why, "make the hypervisor answer (host.libvirt)")
    return Finding(id="kvm.offered", where=host.name, status=FAILED, declared="domain_type kvm", found=why, remedy=f"{SWITCH_ON}; {ALTERNATIVE}")


def _boots(host: HostSeen) -> Finding:
    """A device that opens proves nothing: on some virtual hosts /dev/kvm is there and guests fail or hang."""
    said = host.told("kvm")
    why, text = said.error, said.output.strip()
    if not why and said.exit_code == 0 and text == "booted":
        return passed("kvm.boots", host.name, "a guest of 512 MiB booted under it", declared="domain_type kvm")
    if not why and said.exit_code in (3, 5):
        found = text or f"a guest under KVM did not boot within {BOOT_S} s and said nothing"
        return Finding(id="kvm.boots", where=host.name, status=FAILED, declared="domain_type kvm", found=found, remedy=f"{SWITCH_ON}; {ALTERNATIVE}")
    return unseen(
        "kvm.boots", host.name, why or text or "no word", "only a guest that boots proves KVM: log in as root over qemu+ssh, or try one by hand"
    )


def _vhost(host: HostSeen) -> Finding:
    said = host.told("vhost")
    if said.error:
        return unseen("link.vhost", host.name, said.error, "look on the host: ls /dev/vhost-net")
    if said.exit_code == 0 and said.output.strip():
        return passed("link.vhost", host.name, said.output.strip(), declared="nic.driver vhost")
    remedy = "on the hypervisor: modprobe vhost_net; echo vhost_net > /etc/modules-load.d/vhost_net.conf"
    return Finding(id="link.vhost", where=host.name, status=FAILED, declared="nic.driver vhost", found="no /dev/vhost-net", remedy=remedy)

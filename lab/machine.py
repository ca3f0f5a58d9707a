"""Making the machine at hand ready for a lab, step by step: engine, plugins, image, hypervisor."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.build import ImageOptions, ensure_image, image_key
from image.command import BuildError
from image.parts import Source, ensure_binaries
from lab import drives, engine, golang, hypervisor, kvm, overlay, pluginset, stackfile
from lab.calico_images import PodNetworkChoice
from lab.network import LabNetwork
from lab.places import Lab, LabError, cache_dir, offline
from lab.pluginset import PluginSet
from lab.progress import Progress
from lab.stackfile import Machine


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The engine's executable and its plugins."""

    engine: Path
    plugins: PluginSet


def tools(lab: Lab, progress: Progress) -> Tools:
    """Engine and plugins, made where they are missing."""
    with progress.phase("engine"):
        executable, source = engine.ensure(progress.note)
    with progress.phase("plugins"):
        chosen = pluginset.ensure(lab, executable, progress.note)
    progress.say(f"  Pulumi engine: {executable} ({source}); plugins: {_plugins_line(chosen)}")
    return Tools(engine=chosen.engine, plugins=chosen)


def _plugins_line(chosen: PluginSet) -> str:
    return "the lab's stand-ins, as the vendor's cannot be had here" if chosen.stand_ins else "the vendor's"


BIRD = PodNetworkChoice()


def image(lab: Lab, network: LabNetwork, progress: Progress, pods: PodNetworkChoice = BIRD) -> Path:
    """The folder of the node image with the lab's pod network in it."""
    with progress.phase("image"):
        golang.put_first(progress.note)
        try:
            return ensure_image(image_options(lab, network, pods), progress.note).folder
        except BuildError as error:
            raise LabError(f"the node image cannot be built: {error}") from error


def test_tools(progress: Progress) -> dict[str, str]:
    """Environment variables that tell tests where the engine and Kubernetes' programs are, made where they are missing."""
    with progress.phase("engine"):
        executable, _ = engine.ensure(progress.note)
    with progress.phase("programs"):
        folder = programs(progress)
    return {"UNDERLAY_PULUMI": str(executable), "UNDERLAY_BIN": str(folder), "UNDERLAY_KUBE_BIN": str(folder)}


def programs(progress: Progress) -> Path:
    """The folder with kubectl, kubeadm and the rest for this machine, of the image's versions."""
    golang.put_first(progress.note)
    try:
        return ensure_binaries(progress.note, source=_source())
    except BuildError as error:
        raise LabError(f"Kubernetes' programs cannot be had: {error}") from error


def _source() -> Source:
    return "modules" if offline() else "auto"


def image_options(lab: Lab, network: LabNetwork, pods: PodNetworkChoice = BIRD) -> ImageOptions:
    """What the lab asks of the image builder: its own pod network, or Calico's images and nothing else."""
    if pods.calico:
        return ImageOptions(archives=pods.archives, source=_source())
    return ImageOptions(overlays=(overlay.write(lab.root / "overlay", network),), packages=overlay.PACKAGES, source=_source())


def known(lab: Lab, declared: Mapping[str, Any], pods: PodNetworkChoice = BIRD) -> Machine:
    """What a preview may know of this machine without making or starting anything: where the image will be, and what was found out before."""
    if set(stackfile.on_this_machine(declared)) == set(declared["hypervisors"]):
        golang.put_first(lambda _: None)
        folder = cache_dir() / "images" / image_key(image_options(lab, stackfile.lab_network(declared), pods))
    else:
        folder = lab.root
    return Machine(image_dir=folder, domain_type=kvm.known())


def host(lab: Lab, declared: Mapping[str, Any], image_dir: Path, progress: Progress) -> Machine:
    """The running hypervisors with their drives, and what the machine gives to stacks on them."""
    network, local = stackfile.lab_network(declared), stackfile.libvirt_hosts(lab, declared)
    drives.refuse_logical(declared, local)
    with progress.phase("hypervisor"), ThreadPoolExecutor(max_workers=1) as pool:
        progress.note("starting libvirt, and looking whether KVM boots a guest here")
        asked = pool.submit(kvm.domain_type, image_dir / stackfile.KERNEL)
        hypervisor.start(lab, network, tuple(local.values()))
        for drive in drives.devices(lab, declared, local).values():
            drives.make(drive)
        found = asked.result()
    progress.say(
        f"  domain type {found}: {'KVM boots a guest here' if found == 'kvm' else 'no guest boots under KVM here, so machines are emulated'}"
    )
    return Machine(image_dir=image_dir, domain_type=found)

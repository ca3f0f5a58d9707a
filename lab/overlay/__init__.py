"""What the lab lays over the node image: CNI's reference plugins and a BIRD that waits for its sessions, unknown to the product."""

import json
import shutil
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.network import MTU, LabNetwork

FILES = Path(__file__).parent / "files"
UNIT = Path("etc/systemd/system/lab-pods.service")
SCRIPT = Path("usr/local/lib/lab/pods")
BIRD = Path("etc/bird/bird.conf")
BIRD_ENVIRONMENT = Path("etc/bird/envvars")
PACKAGES = ("bird2",)
"""What the overlay needs of Debian; the package enables its service."""
OCTET = "OCTET"
"""Stands in the rendered texts for the last octet of the node's address, which only the node knows."""


def cni(network: LabNetwork) -> str:
    """The CNI configuration of a node: each pod on a point-to-point link, routed and never translated."""
    pods = network.pods.network_address + 0
    subnet = f"{str(pods).rsplit('.', 2)[0]}.{OCTET}.0/24"
    ipam = {"type": "host-local", "ranges": [[{"subnet": subnet}]], "routes": [{"dst": "0.0.0.0/0"}]}
    plugins = [
        {"type": "ptp", "ipMasq": False, "mtu": MTU, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "lab", "plugins": plugins}, separators=(",", ":"))


def script(network: LabNetwork) -> str:
    """The program that a node runs at boot."""
    templates = Environment(loader=FileSystemLoader(FILES), undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701 - shell, not HTML
    prefix = str(network.gateway.network.network_address).rsplit(".", 1)[0]
    return templates.get_template("pods.sh.j2").render(prefix=prefix, octet=OCTET, cni=cni(network))


def write(target: Path, network: LabNetwork) -> Path:
    """Make the overlay's tree anew at `target`; the same network gives the same tree."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    texts = {
        UNIT: ((FILES / "lab-pods.service").read_text(), 0o644),
        SCRIPT: (script(network), 0o755),
        BIRD: ((FILES / "bird.conf").read_text(), 0o644),
        BIRD_ENVIRONMENT: ((FILES / "envvars").read_text(), 0o644),
    }
    for path, (text, mode) in texts.items():
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        (part / path).write_text(text)
        (part / path).chmod(mode)
    wanted = part / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir()
    (wanted / UNIT.name).symlink_to(f"../{UNIT.name}")
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return target

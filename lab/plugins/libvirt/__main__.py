"""Runs the plugin: `python -m lab.plugins.libvirt <engine address>`."""

from lab.plugins.base import serve
from lab.plugins.libvirt.provider import LibvirtProvider

if __name__ == "__main__":
    serve(LibvirtProvider())

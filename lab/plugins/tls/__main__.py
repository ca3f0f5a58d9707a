"""Runs the plugin: `python -m lab.plugins.tls <engine address>`."""

from lab.plugins.base import serve
from lab.plugins.tls.provider import TlsProvider

if __name__ == "__main__":
    serve(TlsProvider())

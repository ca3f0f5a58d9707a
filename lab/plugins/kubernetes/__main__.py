"""Runs the plugin: `python -m lab.plugins.kubernetes <engine address>`."""

from lab.plugins.base import serve
from lab.plugins.kubernetes.provider import KubernetesProvider

if __name__ == "__main__":
    serve(KubernetesProvider())

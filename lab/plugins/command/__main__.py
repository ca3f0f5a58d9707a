"""Runs the plugin: `python -m lab.plugins.command <engine address>`."""

from lab.plugins.base import serve
from lab.plugins.command.provider import CommandProvider

if __name__ == "__main__":
    serve(CommandProvider())

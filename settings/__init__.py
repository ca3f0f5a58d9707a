"""Every value an operator may set, validated, all mistakes reported at once."""

from settings.environment import Environment
from settings.errors import SettingsError
from settings.load import load

__all__ = ["Environment", "SettingsError", "load"]

"""Calico's selectors from labels that a node must have."""

from collections.abc import Mapping


def selector(labels: Mapping[str, str]) -> str:
    """Chooses what has all these labels; without any, everything. Values hold neither quotes nor backslashes (LabelValue)."""
    return " && ".join(f"{key} == '{value}'" for key, value in sorted(labels.items())) or "all()"

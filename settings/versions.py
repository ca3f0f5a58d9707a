"""Versions of what others publish, and how they are written."""

Minor = tuple[int, int]
"""Major and minor version."""


def spelt(minor: Minor) -> str:
    """A minor version as people write it."""
    return f"{minor[0]}.{minor[1]}"


def is_three_numbers(version: str) -> bool:
    """Whether a version is major, minor and patch."""
    numbers = version.split(".")
    return len(numbers) == 3 and all(number.isdecimal() and len(number) <= 3 for number in numbers)

"""Files from elsewhere, each pinned by its SHA-256: the only room of the product that reads the network."""

from sources.fetch import SourceError, text

__all__ = ["SourceError", "text"]

"""Pulumi components; the only room that imports Pulumi's providers."""

"""The contract as JSON Schema, for readers that are not Python."""

import json
from pathlib import Path
from typing import Any

from .contract import Environment
from .version import CONTRACT_VERSION, major

FILE = Path(__file__).parent / "schema" / f"v{major(CONTRACT_VERSION)}.json"
"""Checked in, one for each major version."""


def schema() -> dict[str, Any]:
    """JSON Schema of what `pulumi stack output --json --show-secrets` prints. Further properties are allowed everywhere: newer stacks have more."""
    made = Environment.model_json_schema()
    made["title"] = "Outputs of an underlay environment"
    made["description"] = "Published as outputs of the environment's stack. Read docs/outputs.md for what may change within a major version."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "x-contract-version": CONTRACT_VERSION, **made}


def text() -> str:
    """The schema as it is checked in."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"

"""The engine's JSON without what changes from run to run, and a look whether anything in it must not be shown."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

_DROPPED: Final = frozenset(
    {"sourcePosition", "stackTrace", "created", "modified", "dependencies", "propertyDependencies", "duration", "customTimeouts", "providerRef"}
)
"""Of a resource's state and of the document: large, or of the moment."""
_UNKNOWN: Final = re.compile(r"04da6b54-80e4-46f7-96ec-b56ff0331ba9|1c4a061d-8072-4f0a-a4cb-0ff528b18fe7|3eeb2bf0-c639-47a8-9e75-3b44932eb421")
_UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_KEYS: Final = (
    (re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]{40,}"), "ssh-ed25519 PUBLIC-KEY"),
    (re.compile(r"-----BEGIN (CERTIFICATE|PUBLIC KEY|CERTIFICATE REQUEST)-----[^-]+-----END \1-----"), r"(\1)"),
    (re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]+"), "(PEM in base64)"),
    (re.compile(r"/[\w./-]*/images/[0-9a-f]{16}/"), "/images/"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:(hash)"),
)
LONGEST: Final = 300
DEEPEST: Final = 6
"""A container's image is still shown, its environment is not."""
MOST_PATHS: Final = 10
_SUBSTANCE: Final = frozenset({"rules", "versions", "webhooks"})
SECRETS: Final = (
    re.compile(r"PRIVATE KEY"),
    re.compile(r"client-key-data:\s*[\"']?[A-Za-z0-9+/=]{20,}"),
    re.compile(r"(?<![\w.])[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.])"),
    re.compile(r"v1:[A-Za-z0-9+/=]{8,}:[A-Za-z0-9+/=]+"),
    re.compile(r"hush-hush"),
    re.compile(r"\"plaintext\""),
)
"""Private keys, kubeconfigs, bootstrap tokens, ciphertexts of the stack, and the passwords of the tests."""


class Normal:
    """One recording; the same identity gets the same stand-in everywhere in it."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """`places`: paths of this machine and what is written for them, the longest first."""
        self._places = sorted(places.items(), key=lambda item: -len(item[0]))
        self._identities: dict[str, str] = {}

    def document(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The one-document form."""
        steps = [self._step(step, "oldState", "newState") for step in document.get("steps", ())]
        rest = {key: value for key, value in document.items() if key not in ("steps", "duration", "config")}
        return self.value({**rest, "config": self._config(document.get("config") or {}), "steps": steps})

    def events(self, events: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The stream, without what the engine says of resources that stay as they are, and without what it says for debugging."""
        for event in events:
            found: dict[str, Any] = dict(event)
            if "diagnosticEvent" in found and found["diagnosticEvent"]["severity"] == "debug":
                continue
            for kind in ("resourcePreEvent", "resOutputsEvent"):
                if kind in found:
                    found[kind] = {**found[kind], "metadata": self._step(found[kind]["metadata"], "old", "new")}
            step: dict[str, Any] | None = found.get("resourcePreEvent") or found.get("resOutputsEvent")
            metadata: dict[str, Any] | None = step["metadata"] if step else None
            if metadata and metadata["type"] != "pulumi:pulumi:Stack" and ("resOutputsEvent" in found or metadata["op"] == "same"):
                continue
            if "preludeEvent" in found:
                found["preludeEvent"] = {"config": self._config(found["preludeEvent"]["config"])}
            if "summaryEvent" in found:
                found["summaryEvent"] = {**found["summaryEvent"], "durationSeconds": 0}
            yield self.value({**found, "timestamp": 0, "sequence": 0})

    @staticmethod
    def _config(config: Mapping[str, Any]) -> dict[str, Any]:
        """The environment's settings alone."""
        return {key: value for key, value in config.items() if key == "underlay:environment"}

    @staticmethod
    def _step(step: Mapping[str, Any], *sides: str) -> dict[str, Any]:
        found = {key: value for key, value in step.items() if key not in _DROPPED}
        for side in sides:
            state: dict[str, Any] | None = found.get(side)
            if state is not None:
                stack = "pulumi:pulumi:Stack" in state.get("type", "")
                found[side] = {key: value for key, value in state.items() if key not in _DROPPED and (key != "outputs" or stack)}
        if "underlay:cluster:Calico$kubernetes:" in found["urn"]:
            detailed: dict[str, Any] = found.get("detailedDiff") or {}
            found["detailedDiff"] = dict(list(detailed.items())[:MOST_PATHS])
            for side in sides:
                if found.get(side):
                    found[side] = {**found[side], "inputs": _digested(found[side].get("inputs") or {}, 0)}
        return _shortened(found) if found["op"] in ("create", "delete") else found

    def value(self, value: Any) -> Any:
        """Any part of it."""
        if isinstance(value, dict):
            return {key: self.value(inner) for key, inner in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in cast("list[Any]", value)]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for place, shown in self._places:
            text = text.replace(place, shown)
        for pattern, shown in _KEYS:
            text = pattern.sub(shown, text)
        return _UUID.sub(self._identity, text)

    def _identity(self, found: re.Match[str]) -> str:
        if _UNKNOWN.fullmatch(found[0]):
            return found[0]
        return self._identities.setdefault(found[0], f"00000000-0000-4000-8000-{len(self._identities) + 1:012d}")


def _digested(value: Any, depth: int) -> Any:
    """An object of a published manifest without its substance, which is not ours: hashes still tell what differs."""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return (
            _hash(found)
            if depth >= DEEPEST
            else {key: _hash(inner) if key in _SUBSTANCE else _digested(inner, depth + 1) for key, inner in found.items()}
        )
    if isinstance(value, list):
        entries = cast("list[Any]", value)
        return _hash(entries) if depth >= DEEPEST else [_digested(inner, depth + 1) for inner in entries]
    return _hash(value) if isinstance(value, str) and len(value) > LONGEST else value


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    if re.fullmatch(r'"\(\d+ characters, [0-9a-f]{12}\)"', text):
        return str(value)
    return f"({len(text)} characters, {hashlib.sha256(text.encode()).hexdigest()[:12]})"


def _shortened(value: Any) -> Any:
    """Without the text of scripts: of what comes or goes as a whole nothing is compared."""
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in cast("list[Any]", value)]
    return f"{value[:LONGEST]}… ({len(value)} characters)" if isinstance(value, str) and len(value) > LONGEST else value


def told(text: str) -> list[str]:
    """What of a recording must not be shown."""
    return [found[0][:40] for pattern in SECRETS for found in pattern.finditer(text)]

"""What the engine writes for `pulumi preview --json`: one document, or a stream of events (PULUMI_ENABLE_STREAMING_JSON_PREVIEW)."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from ops.preview.effects import natural
from ops.preview.values import SECRET, Difference, differences, masked

Action = Literal["create", "update", "replace", "delete", "same"]
ENVIRONMENT: Final = "underlay:environment"
STACK: Final = "pulumi:pulumi:Stack"
_ACTIONS: Final[Mapping[str, Action]] = {
    "create": "create",
    "import": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "same": "same",
}
"""All other operations of the engine change nothing (read, refresh, discard)."""
_COLOUR: Final = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")

Tree = Mapping[str, Any]


class PreviewError(Exception):
    """The text is no preview of the engine."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one resource."""

    action: Action
    urn: str
    type: str
    name: str
    parent: str
    """Type and name of the resource it belongs to, as in underlay:cluster:Node::oslo-cp-1; empty for the stack."""
    reasons: tuple[str, ...]
    """Properties for which it is replaced, as the engine or the provider gives them."""
    noted: tuple[str, ...]
    """Properties that the provider says differ."""
    details: Mapping[str, str]
    """How single values differ, as far as the provider says it: path to add, update or delete."""
    before: Tree
    """Inputs, secrets masked; empty where it is new."""
    after: Tree
    """Inputs, secrets masked; empty where it goes."""
    was_protected: bool
    is_protected: bool
    stays: bool
    """Only the state forgets it: what it declares is left as it is."""

    def differences(self) -> tuple[Difference, ...]:
        """All inputs that differ, and by name what the provider says differs and cannot be shown."""
        shown = tuple(differences(self.before, self.after)) if self.before and self.after else ()
        seen = {re.split(r"[.\[]", item.path)[0] for item in shown}
        rest = dict.fromkeys(re.split(r"[.\[]", path)[0] for path in (*self.noted, *self.reasons))
        return (*shown, *(Difference(path=path, before=SECRET, after=SECRET) for path in rest if path not in seen and self._hides(path)))

    def _hides(self, path: str) -> bool:
        return masked(self.before.get(path)) == SECRET or masked(self.after.get(path)) == SECRET


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """What the program or the engine said."""

    severity: Literal["error", "warning", "info"]
    text: str


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A preview, whichever form it came in."""

    stack: str
    changes: tuple[Change, ...]
    diagnostics: tuple[Diagnostic, ...]
    settings: Tree | None
    """The settings that the preview was made with."""
    outputs: tuple[Tree, Tree] | None
    """The stack's outputs before and after; None where the form does not have them."""
    refused: bool
    """The program or the engine said no: what `up` would do is then not known."""


def read(text: str) -> Preview:
    """The preview; PreviewError where the text is none. What precedes the JSON (the CLI's notes) is passed over."""
    start = re.search(r"(?m)^\{", text)
    if start is None:
        raise PreviewError("holds no JSON of `pulumi preview --json`" if text.strip() else "is empty: `pulumi preview --json` said nothing")
    body = text[start.start() :]
    try:
        first, end = json.JSONDecoder().raw_decode(body)
        if _is_event(first):
            return _from_events(json.loads(line) for line in body.splitlines() if line.startswith("{"))
    except json.JSONDecodeError as error:
        raise PreviewError(f"is no JSON: {error}") from None
    if not isinstance(first, dict) or not {"steps", "changeSummary", "diagnostics", "config"} & first.keys() or body[end:].strip():
        raise PreviewError("is JSON, but no document of `pulumi preview --json`")
    return _from_document(cast("Tree", first))


def _is_event(value: object) -> bool:
    return isinstance(value, dict) and "sequence" in value and "timestamp" in value


@dataclass(frozen=True, kw_only=True)
class _Step:
    """One operation, as both forms have it."""

    op: str
    urn: str
    old: Tree | None
    new: Tree | None
    reasons: tuple[str, ...]
    noted: tuple[str, ...]
    details: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Names:
    """What one form calls the parts of an operation."""

    old: str
    new: str
    reasons: str
    noted: str
    kind: str


_IN_A_DOCUMENT = _Names(old="oldState", new="newState", reasons="replaceReasons", noted="diffReasons", kind="kind")
_IN_AN_EVENT = _Names(old="old", new="new", reasons="keys", noted="diffs", kind="diffKind")


def _from_document(document: Tree) -> Preview:
    steps = [_step(step, _IN_A_DOCUMENT) for step in document.get("steps") or ()]
    diagnostics = [_diagnostic(item["severity"], item["message"]) for item in document.get("diagnostics") or ()]
    refused = any(item is not None and item.severity == "error" for item in diagnostics)
    return _preview(steps, diagnostics, document.get("config") or {}, None, refused=refused)


def _from_events(events: Iterable[Tree]) -> Preview:
    steps: list[_Step] = []
    diagnostics: list[Diagnostic | None] = []
    config: Tree = {}
    outputs: tuple[Tree, Tree] | None = None
    result = ""
    for event in events:
        if found := event.get("preludeEvent"):
            config = found["config"]
        elif found := event.get("diagnosticEvent"):
            if not found.get("ephemeral") and not result:  # what comes after the summary is of the engine's own end
                diagnostics.append(_diagnostic(found["severity"], f"{found.get('prefix', '')}{found['message']}"))
        elif found := event.get("policyEvent"):
            severity = "error" if found["enforcementLevel"] == "mandatory" else "warning"
            diagnostics.append(_diagnostic(severity, f"policy {found['policyName']}: {found['message']}"))
        elif found := event.get("summaryEvent"):
            result = found.get("result", "succeeded")
        elif found := event.get("resourcePreEvent"):
            steps.append(_step(found["metadata"], _IN_AN_EVENT))
        elif (found := event.get("resOutputsEvent")) and found["metadata"]["type"] == STACK:
            outputs = _outputs(found["metadata"], "old"), _outputs(found["metadata"], "new")
    return _preview(steps, diagnostics, config, outputs, refused=result != "succeeded")


def _outputs(metadata: Tree, side: str) -> Tree:
    state: Tree = metadata.get(side) or {}
    return masked(state.get("outputs") or {})


def _step(found: Tree, names: _Names) -> _Step:
    detailed: Mapping[str, Tree] = found.get("detailedDiff") or {}
    return _Step(
        op=found["op"],
        urn=found["urn"],
        old=found.get(names.old),
        new=found.get(names.new),
        reasons=tuple(found.get(names.reasons) or ()),
        noted=_noted(found.get(names.noted), detailed, names.kind),
        details={path: str(item.get(names.kind, "")).removesuffix("-replace") for path, item in detailed.items()},
    )


def _noted(properties: Sequence[str] | None, detailed: Mapping[str, Tree], kind: str) -> tuple[str, ...]:
    replacing = [path for path, item in detailed.items() if str(item.get(kind, "")).endswith("-replace")]
    return tuple(dict.fromkeys([*replacing, *(properties or ()), *detailed]))


def _diagnostic(severity: str, message: str) -> Diagnostic | None:
    text = _COLOUR.sub("", message).strip()
    if severity == "debug" or not text:
        return None
    named = "error" if severity == "error" else "warning" if severity == "warning" else "info"
    return Diagnostic(severity=named, text=str(masked(text)))


def _preview(
    steps: Sequence[_Step], diagnostics: Iterable[Diagnostic | None], config: Tree, outputs: tuple[Tree, Tree] | None, *, refused: bool
) -> Preview:
    by_urn: dict[str, list[_Step]] = {}
    for step in steps:
        if step.op in _ACTIONS:
            by_urn.setdefault(step.urn, []).append(step)
    changes = sorted((_change(urn, same) for urn, same in by_urn.items()), key=lambda change: natural(change.name))
    stack = next((urn.split("::", 1)[0].removeprefix("urn:pulumi:") for urn in by_urn), "")
    return Preview(
        stack=stack,
        changes=tuple(change for change in changes if change.action != "same" or change.was_protected != change.is_protected),
        diagnostics=tuple(dict.fromkeys(item for item in diagnostics if item is not None)),
        settings=_settings(config),
        outputs=outputs,
        refused=refused,
    )


def _change(urn: str, steps: Sequence[_Step]) -> Change:
    """The steps of one resource as one change: a replacement comes as two or three of them."""
    actions = {_ACTIONS[step.op] for step in steps}
    replaced = "replace" in actions or {"create", "delete"} <= actions
    order: tuple[Action, ...] = ("delete", "create", "update")
    found: list[Action] = ["replace"] if replaced else [item for item in order if item in actions]
    action: Action = found[0] if found else "same"
    old = next((step.old for step in steps if step.old), None) or {}
    new = next((step.new for step in reversed(steps) if step.new), None) or {}
    kind, _, name = urn.split("::", 2)[2].partition("::")
    parent = str(new.get("parent") or old.get("parent") or "")
    return Change(
        action=action,
        urn=urn,
        type=kind.rpartition("$")[2],
        name=name,
        parent=_short(parent),
        reasons=tuple(dict.fromkeys(reason for step in steps for reason in step.reasons)),
        noted=tuple(dict.fromkeys(path for step in steps for path in step.noted)),
        details={path: kind for step in steps for path, kind in step.details.items()},
        before=masked(old.get("inputs") or {}) if action != "create" else {},
        after=masked(new.get("inputs") or {}) if action != "delete" else {},
        was_protected=bool(old.get("protect")),
        is_protected=bool(new.get("protect")),
        stays=bool(old.get("retainOnDelete")),
    )


def _short(urn: str) -> str:
    if not urn:
        return ""
    kind, _, name = urn.split("::", 2)[2].partition("::")
    return "" if kind == STACK else f"{kind.rpartition('$')[2]}::{name}"


def _settings(config: Tree) -> Tree | None:
    found = config.get(ENVIRONMENT)
    try:
        tree: Any = json.loads(found) if isinstance(found, str) else found
    except json.JSONDecodeError:
        return None
    return cast("Tree", tree) if isinstance(tree, dict) else None

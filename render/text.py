"""How text is made: templates with strict names, YAML documents, here-documents."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_END = "UNDERLAY_END_OF_FILE"
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    comment_start_string="{##",  # bash counts with ${#name}
    autoescape=lambda name: name is not None and ".xslt" in name,  # noqa: S701 - only XML is escaped; shell words are quoted by `sh`
)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's signature
        return True


def fill(template: str, /, **values: object) -> str:
    """The template's text; a name that it uses and does not get is an error."""
    return _TEMPLATES.get_template(template).render(put=put, **values)


def document(content: Mapping[str, Any]) -> str:
    """One YAML document, keys in the order given, without aliases."""
    return yaml.dump(content, Dumper=_Plain, sort_keys=False, default_flow_style=False, width=200)


def documents(contents: Iterable[Mapping[str, Any]]) -> str:
    """Several YAML documents in one file."""
    return "---\n".join(document(content) for content in contents)


def shell_pattern(path: str) -> str:
    """A path as a word for bash in which only `*` keeps its meaning."""
    return "*".join(quote(part) if part else "" for part in path.split("*"))


def put(mode: str, path: str, text: str, unit: str = "") -> str:
    """The call of the scripts' function `put` that writes a file where it differs.

    `mode` is octal; `unit` is the systemd unit that has to be restarted when the file changes.
    """
    body = text if text.endswith("\n") or not text else f"{text}\n"
    if _END in body:
        raise ValueError(f"the text of {path} holds the end mark of here-documents, {_END}")
    words = " ".join(quote(word) for word in (mode, path, unit) if word)
    return f"put {words} <<'{_END}'\n{body}{_END}\n"


_TEMPLATES.filters.update(sh=lambda value: quote(str(value)), glob=shell_pattern)

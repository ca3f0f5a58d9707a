"""nginx.conf as directives: where each one is, and its words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{};]|(?:\\.|\$\{\w+\}|[^\s{};"'#])(?:\\.|\$\{\w+\}|[^\s{};])*""", re.DOTALL)
LUA = re.compile(r"\w+_by_lua_block\b")
SIZE = re.compile(r"(\d+)([kKmMgG])")
TIME = re.compile(r"(\d+)([smh])")
SIZES = {"k": 1024, "m": 1024**2, "g": 1024**3}
TIMES = {"s": 1, "m": 60, "h": 3600}
IN_TIME = re.compile(r".*timeout|keepalive_time")


@dataclass(frozen=True)
class Directive:
    """One directive; `blocks` are the heads of the blocks around it."""

    blocks: tuple[str, ...]
    name: str
    words: tuple[str, ...]


def directives(text: str) -> Iterator[Directive]:
    """All directives of a file, Lua left out."""
    blocks: list[str] = []
    words: list[str] = []
    for token in TOKEN.findall(_without_lua(text)):
        if token.startswith("#"):
            continue
        if token == "{":
            blocks.append(" ".join(words))
            words = []
        elif token == "}":
            blocks.pop()
        elif token == ";":
            yield Directive(tuple(blocks), words[0], tuple(plain(words[0], word) for word in words[1:]))
            words = []
        else:
            words.append(token)


def plain(name: str, word: str) -> str:
    """A word of a directive or key, without quotes; sizes in bytes and times in seconds, so that 1m and 1024k, 10m and 600s are the same."""
    if word[:1] in {"'", '"'}:
        return word[1:-1]
    units, found = (TIMES, TIME.fullmatch(word)) if IN_TIME.fullmatch(name.replace("-", "_")) else (SIZES, SIZE.fullmatch(word))
    return str(int(found[1]) * units[found[2].lower()]) if found else word


def _without_lua(text: str) -> str:
    """The text without blocks of Lua, whose words are not NGINX's."""
    kept: list[str] = []
    at = 0
    while found := LUA.search(text, at):
        kept.append(text[at : found.start()])
        at, depth = text.index("{", found.end()) + 1, 1
        while depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
    return "".join((*kept, text[at:]))

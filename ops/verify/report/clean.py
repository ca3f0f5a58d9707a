"""Words of nodes made fit to be shown: nothing secret, nothing that steers a terminal, nothing that XML or JSON refuses."""

import re
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 2000
"""Characters of one text of a finding."""
MASK: Final = "[secret]"
_LEAST_SECRET: Final = 8
_LEAST_WORD: Final = 40
"""Words of a longer secret that are secrets themselves: lines of a key, never a server's address in a kubeconfig."""
_KEYS: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:(?!-----END).)*(?:-----END [A-Z0-9 ]*PRIVATE KEY-----)?", re.DOTALL)
_KEY_FIELDS: Final = re.compile(
    r"(?i)((?:client-key-data|password|passwd|token|secret|authorization)\"?\s*[:=]\s*)(?:bearer\s+)?(?:\"[^\"]*\"|[^\s,;\"]+)"
)
_TOKENS: Final = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|(?<![\w.])[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.])")
"""A service account's token, a bootstrap token."""
_LINE_ENDS: Final = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_INVISIBLE: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Controls, among them those of terminals and of the direction of writing; tab and line feed have gone before."""
_IMPOSSIBLE: Final = re.compile(r"[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Cleaner:
    """Cleans texts, with the secrets of one run in mind."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        hidden = {word for secret in secrets for word in _secret_words(secret)}
        ordered = sorted(hidden, key=lambda word: (-len(word), word))
        self._hidden = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text without secrets, each control character in words (`ESC` as its number), and not too long."""
        shown = _LINE_ENDS.sub("\n", text)
        if self._hidden:
            shown = self._hidden.sub(MASK, shown)
        shown = _TOKENS.sub(MASK, _KEY_FIELDS.sub(rf"\g<1>{MASK}", _KEYS.sub(MASK, shown)))
        shown = _IMPOSSIBLE.sub("\ufffd", _INVISIBLE.sub(_named, shown.replace("\t", " "))).strip()
        return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} ... ({len(shown)} characters)"


def _secret_words(secret: str) -> Iterable[str]:
    whole = secret.strip()
    if len(whole) >= _LEAST_SECRET:
        yield whole
    yield from (word for word in whole.split() if len(word) >= _LEAST_WORD)


def _named(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

"""Takes everything out of a text that could open something. Pure.

Two nets, one behind the other: secrets that we know are looked for as they are, and what looks like a secret goes,
whoever wrote it. That costs checksums and fingerprints, too: nobody needs those to help.
"""

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST = 4
"""Characters of a known secret that is looked for: a shorter one would take half the text with it."""

_NAMES = (
    r"pass(?:word|phrase|wd)?|secret|token|nonce|chap\w*|authorization|cookie|api[_-]?key|psk|private[_-]?key|setup"
    r"|credential\w*|community|bearer|basic|again"
)
_KEY = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)"
"""As it is, and inside of JSON."""
_HASH = r"\$(?:argon2\w*|[0-9][a-z]?|y|gy|7|sha1|md5)\$[^\s\"'<>]+"
"""Of a password: argon2, and what crypt(5) makes."""
_NAMED = (
    rf"(?i)((?:^|\\[nrt]|[\s\"'?&;,.(_-])(?:{_NAMES})(?:_\w+)?[\"']?(?:\s*[=:]|\s+is(?=\s))\s*)(?:(?:bearer|basic)\s+)?"
    r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"',;&}\])]+)"
)
"""What follows a word that announces it, at the beginning of a line of JSON too."""
_TYPED = r"(?<![\w-])[0-9A-HJ-NP-TV-Za-hj-np-tv-z]{4}(?:-[0-9A-HJ-NP-TV-Za-hj-np-tv-z]{4}){3}(?![\w-])"
"""A code that people type, such as that of the set-up link."""
_HEX = r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,}(?![0-9A-Fa-f])"
"""128 bits and more. A UUID has hyphens, and stays."""
_MIXED = r"(?<![\w+/-])(?=[\w+/-]*[0-9])(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])(?![\w-]*/[\w-]*/)[\w+/-]{24,}={0,2}"
"""Base64 of as much; a path has more slashes."""
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(_KEY, re.DOTALL), HIDDEN),
    (re.compile(_HASH), HIDDEN),
    (re.compile(r"(?<=://)[^/\s\"'@]+@"), f"{HIDDEN}@"),
    (re.compile(r"(?<=/poll/)[^\s\"'?#<>]+"), HIDDEN),
    (re.compile(_NAMED), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\bqrm_[0-9A-Za-z_-]{8,}"), HIDDEN),
    (re.compile(_TYPED), HIDDEN),
    (re.compile(_HEX), HIDDEN),
    (re.compile(_MIXED), HIDDEN),
)


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without what opens something; ``known`` are secrets that must not be in it, whatever they look like."""
    for secret in sorted({each for each in known if len(each) >= SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
        text = text.replace(_in_json(secret), HIDDEN)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def _in_json(secret: str) -> str:
    """The secret as it stands inside of a JSON string."""
    return secret.replace("\\", "\\\\").replace('"', '\\"')

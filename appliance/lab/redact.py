"""Taking secrets out of logs before they are kept or shown.  Pure."""

import re

REDACTED = "[redacted]"

_VALUE = r"""[^\s"'&,;<>]+(?:\r?\n[0-9a-f]{8,})?"""
"""A secret in the open. iPXE breaks lines at 80 columns, so the rest of a hex string may be on the next one."""
_KEY = r"""(?:token|password|passwd|secret|nonce|cookie|session)"""
_PATTERNS = (
    # qrm.token=..., ?token=..., boot_token: ..., "machine_token": "...", token='...'
    re.compile(rf"""((?:[\w.-]*[._-])?{_KEY}["']?\s*[=:]\s*b?["']?)({_VALUE})""", re.IGNORECASE),
    re.compile(rf"((?:Bearer|Basic)\s+)({_VALUE})", re.IGNORECASE),
    # Whoever knows the poll address of a machine can ask whether it has work.
    re.compile(r"(/poll/)([^\s\"'?]+)"),
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(.*?)(?=-----END )", re.DOTALL),
    # Password hashes, crypt(5).
    re.compile(r"(\$(?:y|6|5|2[aby]|argon2id?)\$)([^\s:\"']+)"),
)


def redact(text: str) -> str:
    """``text`` with tokens, passwords, nonces, private keys and password hashes replaced."""
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{REDACTED}", text)
    return text

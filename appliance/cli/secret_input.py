"""Passwords and tokens: asked for on a terminal, else read from standard input; never an argument."""

import getpass
import sys
from pathlib import Path

from appliance.errors import ApplianceError, Invalid


def ask(prompt: str) -> str:
    """One secret. Without a terminal, the next line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{prompt}: ")
    return sys.stdin.readline().rstrip("\r\n")


def ask_new(whose: str) -> str:
    """A new password, typed twice on a terminal; raises ApplianceError where the two differ."""
    first = ask(f"New password of {whose}")
    if sys.stdin.isatty() and ask("The same again") != first:
        raise ApplianceError("password-differs", "the two passwords differ", "nothing was changed; try again")
    return first


def first_line(file: Path) -> str:
    """The secret in the first line of a file; raises Invalid ``file-unreadable``."""
    try:
        with file.open(encoding="utf-8") as lines:
            return lines.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Invalid("file-unreadable", f"{file}: {reason}", "name a file with the passphrase") from error

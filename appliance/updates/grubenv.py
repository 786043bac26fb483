"""GRUB's environment block: 1024 bytes that boot loader and system both read and write in place. Pure.

GNU GRUB manual, "environment block": a first line, ``name=value`` lines with backslashes before newlines and
backslashes, filled up with ``#``. Its size never changes, so that no file system is needed to write it.
"""

from collections.abc import Mapping

from appliance.errors import ApplianceError

SIZE = 1024
"""Bytes."""
HEAD = b"# GRUB Environment Block\n"


def parse(block: bytes) -> dict[str, str]:
    """The variables of a block. Raises ApplianceError ``grubenv-broken`` for anything else."""
    if len(block) != SIZE or not block.startswith(HEAD):
        hint = "the boot loader starts slot A then; it is written anew with the next update"
        raise ApplianceError("grubenv-broken", "the notes of the boot loader cannot be read", hint)
    text = block[len(HEAD) :].decode(errors="replace")
    values: dict[str, str] = {}
    for line in _lines(text):
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            values[name] = value
    return values


def _lines(text: str) -> list[str]:
    lines, line, escaped = [], "", False
    for letter in text:
        if escaped or letter not in "\\\n":
            line, escaped = line + letter, False
        elif letter == "\\":
            escaped = True
        else:
            lines.append(line)
            line = ""
    return lines


def render(values: Mapping[str, str]) -> bytes:
    """A block with these variables. Raises ApplianceError ``grubenv-full`` where they do not fit."""
    lines = [f"{name}={_escaped(value)}\n".encode() for name, value in values.items()]
    block = HEAD + b"".join(lines)
    if len(block) > SIZE:
        raise ApplianceError("grubenv-full", f"the notes of the boot loader have room for {SIZE} bytes only")
    return block.ljust(SIZE, b"#")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\\n")

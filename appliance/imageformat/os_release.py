"""os-release(5), and for which processor a program was made: what tells a root file system's distribution. Pure."""

import re
import struct

LARGEST = 16384
"""Bytes of an os-release that are read."""
_LINE = re.compile(r"(?m)^(PRETTY_NAME|NAME|VERSION_ID)=(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s\"']*))\s*$")
_LONGEST = 100
_MACHINES = {
    3: "i386", 21: "ppc64el", 22: "s390x", 40: "armhf", 62: "amd64", 183: "arm64", 243: "riscv64",
}  # fmt: skip
"""``e_machine`` of ELF (System V ABI, chapter 4)."""
ELF_HEAD = 20
"""Bytes of a program that tell its processor."""


def distribution(content: bytes) -> str:
    """What it calls itself, fit to be shown; empty where it does not say."""
    text = content[:LARGEST].decode(errors="replace")
    said = {name: next((value for value in values if value), "") for name, *values in _LINE.findall(text)}
    found = said.get("PRETTY_NAME") or " ".join(filter(None, (said.get("NAME"), said.get("VERSION_ID"))))
    return "".join(each for each in found if each.isprintable())[:_LONGEST].strip()


def architecture(program: bytes) -> str:
    """For which processor a program is, from its first bytes; empty where it is none, or for another one."""
    if len(program) < ELF_HEAD or program[:4] != b"\x7fELF" or program[5] not in (1, 2):
        return ""
    (machine,) = struct.unpack_from("<H" if program[5] == 1 else ">H", program, 18)
    return _MACHINES.get(machine, "")

"""Packages of a system with their versions and licences, from what the packages themselves say. Pure."""

import re
from collections.abc import Iterable

_SHORT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.+_-]*( (and|or|with) .*)?(,.*)?$")


def parse_status(text: str) -> dict[str, str]:
    """Name -> version of the installed packages in dpkg's status file."""
    stanzas = (_fields(stanza) for stanza in text.split("\n\n"))
    return {one["Package"]: one["Version"] for one in stanzas if one.get("Status", "").endswith(" installed")}


def _fields(stanza: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in stanza.splitlines() if ":" in line and not line.startswith(" "))
    return {name: value.strip() for name, value in pairs}


def of_copyright(text: str) -> list[str]:
    """Licences that a Debian copyright file names; empty when it is not machine-readable (copyright-format 1.0)."""
    if not text.startswith("Format:"):
        return []
    named = (line.removeprefix("License:").strip() for line in text.splitlines() if line.startswith("License:"))
    return sorted({name for name in named if _SHORT.match(name)})


def common(text: str) -> list[str]:
    """Licences of /usr/share/common-licenses that an old copyright file points at."""
    return sorted(set(re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.-]*[A-Za-z0-9])", text)))


def of_metadata(text: str) -> tuple[str, str, list[str]]:
    """Name, version and licences of a Python package (core metadata)."""
    head = _fields(text.partition("\n\n")[0])
    classifiers = re.findall(r"^Classifier: License :: (?:OSI Approved :: )?(.+)$", text, re.MULTILINE)
    declared = head.get("License-Expression") or head.get("License", "")
    short = [declared] if declared and len(declared) < 80 else []  # some put the whole text there
    return head["Name"], head["Version"], short or sorted(classifiers)


def listing(rows: Iterable[tuple[str, str, str, list[str]]]) -> list[dict[str, object]]:
    """Rows of (kind, name, version, licences), as `packages.json` has them."""
    return [
        {"kind": kind, "name": name, "version": version, "licences": licences}
        for kind, name, version, licences in sorted(rows)
    ]

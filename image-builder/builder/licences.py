"""Packages of a system with their versions and licences, from what the packages themselves say. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_SHORT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.+_-]*( (and|or|with) .*)?(,.*)?$")


@dataclass(frozen=True)
class Package:
    """An installed Debian package, and the source package that it was built from."""

    name: str
    version: str
    source: str


def parse_status(text: str) -> list[Package]:
    """The installed packages in dpkg's status file."""
    stanzas = (_fields(stanza) for stanza in text.split("\n\n"))
    installed = (one for one in stanzas if one.get("Status", "").endswith(" installed"))
    return [Package(one["Package"], one["Version"], _source(one)) for one in installed]


def _source(fields: dict[str, str]) -> str:
    # "Source: linux (6.12-1)" where name or version differ.
    return fields.get("Source", fields["Package"]).partition(" ")[0]


def debian(packages: Sequence[Package], copyrights: Mapping[str, str]) -> list[tuple[str, str, str, list[str]]]:
    """Rows for `listing`; `copyrights` by package name.

    Of packages made from one source often one alone has the file, and the others point at it.
    """
    own = {one.name: _stated(copyrights.get(one.name, "")) for one in packages}
    shared: dict[str, set[str]] = {}
    for one in packages:
        shared.setdefault(one.source, set()).update(own[one.name])
    return [("debian", one.name, one.version, own[one.name] or sorted(shared[one.source])) for one in packages]


def _stated(copyright_file: str) -> list[str]:
    return of_copyright(copyright_file) or common(copyright_file) or worded(copyright_file)


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


_WORDS = {
    "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2": "PSF-2.0",
    "GNU Lesser General Public License, version 2.1 (or, at your option, any later version)": "LGPL-2.1+",
    "Permission is hereby granted, free of charge, to any person obtaining a copy": "Expat",
    "3-clause BSD license": "BSD-3-clause",
    "any person obtaining a copy of this microcode in binary form": "AMD-microcode",
}
"""Sentences that only one licence has, and its name as Debian writes it."""


def worded(text: str) -> list[str]:
    """Licences whose own words are in a copyright file of no form, however its lines are broken."""
    plain = " ".join(line.strip(" \t*") for line in text.splitlines())
    return sorted({name for words, name in _WORDS.items() if words in plain})


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

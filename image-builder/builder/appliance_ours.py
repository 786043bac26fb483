"""What of the appliance is ours: the daemon's package, units, settings, and what machines boot; as path -> file."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from . import appliance_places, appliance_python, cache
from .appliance_python import SITE
from .appliance_tree import File
from .errors import BuildError

PROJECT = cache.SOURCE.parent
RECIPE = cache.SOURCE / "appliance"
UNITS = "usr/lib/systemd/system"
SHARE = "usr/share/qrm"
DOCUMENTS = {name: f"usr/share/doc/qrm-appliance/{name}" for name in ("README.md", "ARCHITECTURE.md", "LICENSE")}
# Where a file of systemd/ goes, by the end of its name; a unit otherwise.
FRAGMENTS = {
    ".sysctl.conf": "usr/lib/sysctl.d/60-{}.conf",
    ".sysusers.conf": "usr/lib/sysusers.d/{}.conf",
    ".tmpfiles.conf": "usr/lib/tmpfiles.d/{}.conf",
}
QRM = b"""#!/opt/qrm/bin/python3
import sys

from appliance.__main__ import main

sys.exit(main())
"""


def sources() -> list[Path]:
    """Every file of the project that goes into the appliance. Raises BuildError when the console's are not there."""
    package = PROJECT / "appliance"
    if not (package / "web" / "static" / "vendor" / "icons.svg").is_file():
        raise BuildError("The console's npm packages are not installed: appliance/web/static/vendor. Say: make setup")
    inside = (
        path for folder in (package, PROJECT / "systemd", RECIPE / "root", RECIPE / "esp") for path in _all(folder)
    )
    return sorted([*inside, *(PROJECT / name for name in DOCUMENTS)])


def _all(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return [path for path in found if "__pycache__" not in path.parts]


def version() -> str:
    """The version in `pyproject.toml`."""
    return str(tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"])


def files(scratch: Path, programs: Path, python: Path, booted: Mapping[str, Path]) -> dict[str, File]:
    """All of it but what is known when the rest is written.

    `python`: the packages that the daemon needs; `booted`: stack, programs and demo image.
    """
    made = {f"{SITE}/{path.relative_to(python)}": File(path) for path in python.rglob("*") if path.is_file()}
    for source in sources():
        made[place(source)] = _file(source)
    for path in [one for one in made if one.startswith(f"{UNITS}/") and one.count("/") == UNITS.count("/") + 1]:
        made |= _enabled(path.rpartition("/")[2], made[path])
    made |= {f"{SITE}/{path}": File(content) for path, content in compiled(scratch, programs).items()}
    made |= {f"{SHARE}/{kind}/{one.name}": File(one) for kind, folder in booted.items() for one in folder.iterdir()}
    made["opt/qrm/bin/qrm"] = File(QRM, 0o755)
    made["usr/bin/qrm"] = File(link="/opt/qrm/bin/qrm")
    return made


def place(path: Path) -> str:
    """Where a file of the project goes in the appliance."""
    top, rest = path.relative_to(PROJECT).parts[0], path.relative_to(PROJECT)
    if top == "appliance":
        return f"{SITE}/{rest}"
    if top in DOCUMENTS:
        return DOCUMENTS[top]
    if top == "systemd":
        return _fragment(str(rest.relative_to("systemd")))
    if path.is_relative_to(RECIPE / "esp"):
        return f"{SHARE}/boot/{path.name}"
    return str(path.relative_to(RECIPE / "root"))


def _fragment(name: str) -> str:
    for suffix, form in FRAGMENTS.items():
        if name.endswith(suffix):
            return form.format(name.removesuffix(suffix))
    return f"{UNITS}/{name}"


def _file(path: Path) -> File:
    if path.is_symlink():
        return File(link=os.readlink(path))
    return File(path, 0o755 if path.stat().st_mode & 0o100 else 0o644)


def _enabled(unit: str, file: File) -> dict[str, File]:
    assert isinstance(file.content, Path)
    links = appliance_places.installed(unit, file.content.read_text())
    return {link: File(link=to) for link, to in links.items()}


def compiled(scratch: Path, programs: Path) -> dict[str, Path]:
    """Byte code of the package, by the Python that will run it; checked against nothing, since nothing changes."""
    site = scratch / "site"
    for path in sources():
        if path.suffix == ".py" and path.is_relative_to(PROJECT / "appliance"):
            copy = site / path.relative_to(PROJECT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    appliance_python.compile_tree(site, programs, scratch)
    return {str(path.relative_to(site)): path for path in sorted(site.rglob("*.pyc"))}


def console_packages() -> list[tuple[str, str, str, list[str]]]:
    """(kind, name, version, licences) of the npm packages that the console serves files of."""
    wanted = json.loads((PROJECT / "package.json").read_text()).get("dependencies", {})
    return [_npm(PROJECT / "node_modules" / name / "package.json") for name in sorted(wanted)]


def _npm(path: Path) -> tuple[str, str, str, list[str]]:
    try:
        about = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise BuildError(f"{path} is not there. Say: make setup") from error
    return "npm", about["name"], about["version"], [str(about.get("license", ""))]

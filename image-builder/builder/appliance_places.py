"""Where the files of an installed system go in the appliance, whose root is never written to. Pure."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

FACTORY = "usr/share/factory/state"
STATE = "/state"


@dataclass(frozen=True)
class Places:
    """`links`: paths in /etc that live on the state partition; `drop`: patterns of what stays out. No leading slash."""

    links: Sequence[str]
    drop: Sequence[str]

    def of(self, path: str) -> str | None:
        """Where `path` of the installed system goes; None when it stays out.

        What changes in use is kept for filling a fresh state partition: all of /var, and `links`.
        """
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in self.drop):
            return None
        if path.startswith("var/") or any(is_below(path, link) for link in self.links):
            return f"{FACTORY}/{path}"
        return path


def is_below(path: str, top: str) -> bool:
    """Whether `path` is `top`, or in it."""
    return path == top or path.startswith(f"{top}/")


def target(link: str) -> str:
    """What the link at `link` (without leading slash) points at, on the state partition."""
    return f"{STATE}/{link}"


def installed(unit: str, content: str) -> dict[str, str]:
    """Links that switch a unit on, as path -> target: what `systemctl enable` would make (systemd.unit(5), [Install]).

    A template is switched on for its DefaultInstance. Other sections' lines are of no concern.
    """
    wants: dict[str, str] = {}
    values = _install(content)
    name = unit.replace("@.", f"@{values['DefaultInstance'][0]}.") if "DefaultInstance" in values else unit
    if "@." in name:
        return {}
    for key, suffix in (("WantedBy", "wants"), ("RequiredBy", "requires")):
        for by in values.get(key, ()):
            wants[f"etc/systemd/system/{by}.{suffix}/{name}"] = f"/usr/lib/systemd/system/{unit}"
    for alias in values.get("Alias", ()):
        wants[f"etc/systemd/system/{alias}"] = f"/usr/lib/systemd/system/{unit}"
    return wants


def _install(content: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    section = ""
    for line in content.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[Install]" and "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            values.setdefault(key.strip(), []).extend(value.split())
    return values

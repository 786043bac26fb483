"""The settings as they are, and a change of them."""

import difflib
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Any

from appliance.config import Config, parse
from appliance.errors import ApplianceError, Invalid
from appliance.networking.layout import Interface
from appliance.privileged.verb import Done, Verb
from appliance.privileged.verbs.configuration import Configured
from appliance.privileged.verbs.network import NetworkStatus

NAME = "appliance.toml"
"""What the file is called in messages."""


@dataclass(frozen=True, slots=True)
class Present:
    """All that forms are made from."""

    configured: Configured
    network: NetworkStatus
    config: Config
    """What the file says, with what holds where it says nothing."""

    @property
    def tables(self) -> dict[str, Any]:
        """What stands in the file."""
        return tomllib.loads(self.configured.text)

    @property
    def version(self) -> str:
        """Another one whenever any of it changes."""
        of = self.configured
        parts = (of.text, of.host_name, of.time_zone, *of.time_servers)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def address(self, interface: str) -> IPv4Interface | None:
        """The first IPv4 address that an interface has at this moment; None where it has none."""
        seen = next((each.addresses for each in self.network.seen if each.name == interface), ())
        return next((IPv4Interface(each) for each in seen if ":" not in each), None)

    def provisioning(self) -> tuple[Interface, ...]:
        """The interfaces of networks where machines boot."""
        return self.network.layout.with_role("provisioning")


def present(configured: Configured, network: NetworkStatus) -> Present:
    """Raises ConfigError where somebody left a file that cannot be read."""
    return Present(configured, network, parse(configured.text, NAME))


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done, and what it means."""

    action: str
    """For the audit log, as ``settings.change``."""
    subject: str
    before: str
    """The text of the file."""
    after: str
    lines: tuple[str, ...] = ()
    """What changes, in words; none: nothing does."""
    verbs: tuple[Verb[Done], ...] = ()
    """What the helper does besides writing the file."""
    was: Mapping[str, object] = field(default_factory=dict)
    becomes: Mapping[str, object] = field(default_factory=dict)
    """The same for the audit log."""
    confirm: str = ""
    """What has to be typed first; empty: nothing."""
    rules: Mapping[str, str | bool] = field(default_factory=dict)
    """How a new subnet is to be served, as if a user had switched it."""

    @property
    def begins_anew(self) -> bool:
        """Whether the daemon has to read the file again."""
        return self.before != self.after

    @property
    def difference(self) -> str:
        """Lines of the file that go and come."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), NAME, NAME, n=2, lineterm="")
        return "\n".join(lines)


def complaint(section: str, key: str | None, wrong: str, right: str) -> Invalid:
    """As forms and programs hear it: the field is the key."""
    return Invalid("setting-invalid", wrong, right, key or section)


def check_file(text: str) -> None:
    """Raise Invalid for the first thing in a file that cannot be."""
    try:
        parse(text, NAME)
    except ApplianceError as error:
        place, bracket, wrong = error.message.partition("] ")
        if place.endswith(".options"):
            raise Invalid("setting-invalid", wrong, error.hint, "options") from error
        wrong = wrong.removeprefix(f"{error.field} ") if bracket else place
        raise Invalid("setting-invalid", wrong, error.hint, error.field) from error


def spoken(value: object) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value in (None, "") else str(value)

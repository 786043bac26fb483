"""What set-up finds in the computer, and what cannot be with that. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from appliance.errors import Invalid
from appliance.machine import parse_mac
from appliance.setup.checks import Complain
from appliance.setup.value import Management, SetUp, Storage


@dataclass(frozen=True, slots=True)
class FoundNic:
    """One network interface of the appliance."""

    name: str
    mac: str
    link: bool = False
    """Whether a cable with somebody at its other end is plugged in."""
    speed: int | None = None
    """Mbit/s, where the link says it."""
    model: str = ""
    """Its driver, or what the card calls itself."""
    addresses: tuple[str, ...] = ()
    """IPv4, each with its prefix."""


@dataclass(frozen=True, slots=True)
class FoundDisk:
    """One disk of the appliance."""

    name: str
    """The kernel's, which changes: for people only."""
    bytes: int
    model: str = ""
    serial: str = ""
    wwn: str = ""
    content: str = ""
    """What is on it, in words; empty: nothing that anybody recognises."""
    own: bool = False
    """Whether the appliance itself runs from it."""
    removable: bool = False
    """Whether it is a stick or a card, which anybody pulls out."""
    in_use: str = ""
    """What keeps it from being given away; empty: nothing."""

    @property
    def refused(self) -> str:
        """Why it cannot be chosen; empty: it can."""
        if self.own:
            return "the appliance runs from it"
        if self.removable:
            return "it is a stick or a card, which anybody can pull out"
        return self.in_use or ("" if self.identifier else "it has no serial number to name it by")

    @property
    def identifier(self) -> str:
        """What names it for sure: its serial number or its WWN; empty where it has neither."""
        return self.serial or self.wwn


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that set-up asks of the computer."""

    nics: tuple[FoundNic, ...] = ()
    disks: tuple[FoundDisk, ...] = ()
    zones: frozenset[str] = frozenset()
    """Names of time zones; empty where they are not known."""
    management: Management | None = None
    """How the console is reached where somebody gave it a fixed address already, on the screen; else None."""


def nic_of(nics: Iterable[FoundNic], text: str) -> FoundNic | None:
    """The interface of this name or MAC address."""
    if ":" in text:
        try:
            wanted = parse_mac(text)
        except Invalid:
            return None
        return next((each for each in nics if each.mac == wanted), None)
    return next((each for each in nics if each.name == text), None)


def resolved(set_up: SetUp, nics: Sequence[FoundNic]) -> SetUp:
    """The same with interfaces by their names; those that are not there stay as they are."""

    def name(text: str) -> str:
        found = nic_of(nics, text)
        return found.name if found else text

    management = replace(set_up.management, nic=name(set_up.management.nic))
    provisioning = set_up.provisioning
    if provisioning is not None:
        provisioning = replace(provisioning, nic=name(provisioning.nic))
    return replace(set_up, management=management, provisioning=provisioning)


def check_nics(set_up: SetUp, nics: Sequence[FoundNic], complain: Complain) -> None:
    """Raise what ``complain`` makes of the first interface that is not there."""
    named = {"management": set_up.management.nic}
    if set_up.provisioning is not None:
        named["provisioning"] = set_up.provisioning.nic
    for section, nic in named.items():
        if nic_of(nics, nic) is None:
            there = ", ".join(f"{each.name} ({each.mac})" for each in nics) or "none at all"
            right = f"it has {there}; one that is put in is there within seconds, for a seed at the next start"
            raise complain(section, "nic", f"{nic} is not in this computer", right)


def check_zone(set_up_zone: str, zones: frozenset[str], complain: Complain) -> None:
    """Raise what ``complain`` makes of a time zone that nobody knows."""
    if zones and set_up_zone not in zones:
        right = "write it as the tz database does: Europe/Vienna"
        raise complain("site", "time_zone", f"{set_up_zone} is no time zone that is known here", right)


def disk_of(disks: Iterable[FoundDisk], identifier: str) -> list[FoundDisk]:
    """The disks that an identifier names: one, where all is well."""
    return [each for each in disks if identifier and identifier in (each.serial, each.wwn)]


def check_disks(storage: Storage, disks: Sequence[FoundDisk], complain: Complain) -> None:
    """Raise what ``complain`` makes of the first disk that is not there, or that cannot be given away."""
    named = dict[str, str]()
    for identifier in storage.data_disks:
        found = disk_of(disks, identifier)
        if len(found) != 1:
            there = ", ".join(f"{each.identifier} ({each.name})" for each in disks if each.identifier) or "none"
            wrong = f"{identifier} is {'no disk' if not found else 'more than one disk'} of this computer"
            raise complain("storage", "data_disks", wrong, f"it has {there}")
        (disk,) = found
        if disk.own:
            right = "leave it out: what is free on it is used where no disk is named"
            raise complain("storage", "data_disks", f"{identifier} is what the appliance itself runs from", right)
        if disk.refused:
            raise complain(
                "storage", "data_disks", f"{identifier} cannot be chosen: {disk.refused}", "choose another disk"
            )
        if (other := named.setdefault(disk.name, identifier)) != identifier:
            raise complain("storage", "data_disks", f"{other} and {identifier} are the same disk", "name each once")


def lost(storage: Storage, disks: Sequence[FoundDisk]) -> list[str]:
    """What is on the chosen disks and would go, a line for each that holds something."""
    return [
        f"{disk.model or 'a disk'} {disk.identifier}, {_gigabytes(disk.bytes)}: {disk.content}"
        for identifier in storage.data_disks
        for disk in disk_of(disks, identifier)
        if disk.content
    ]


def to_type(storage: Storage, disks: Sequence[FoundDisk]) -> str:
    """What has to be typed before the chosen disks may be cleared: the identifiers of those that hold something, with
    commas between; empty where none does.
    """
    holding = {each for each in storage.data_disks for disk in disk_of(disks, each) if disk.content}
    return ", ".join(each for each in storage.data_disks if each in holding)


def _gigabytes(count: int) -> str:
    """As it stands on the disk's label."""
    return f"{count / 1e12:.3g} TB" if count >= 10**12 else f"{count / 1e9:.3g} GB"

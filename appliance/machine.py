"""What a machine is, which states it can be in, and which changes of state are allowed. Pure."""

import re
import uuid as uuids
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NewType

from appliance.errors import Conflict, Invalid
from appliance.rescue import Rescue
from appliance.wiping import Wiped

MacAddress = NewType("MacAddress", str)
"""Six octets, lower case, colon separated."""

MachineId = NewType("MachineId", str)

_HEX = re.compile(r"[0-9a-f]{12}")


def parse_mac(text: str) -> MacAddress:
    """Normalise any usual spelling of a MAC address; raises Invalid for anything else.

    Group addresses (the lowest bit of the first octet) and all zeros identify no machine.
    """
    digits = re.sub(r"[:.\-]", "", text.strip().lower())
    if not _HEX.fullmatch(digits):
        raise Invalid("mac-invalid", f"{text[:40]!r} is not a MAC address", "write it as 52:54:00:12:34:56", "mac")
    if digits == "000000000000" or int(digits[:2], 16) & 1:
        hint = "take that of the interface itself"
        raise Invalid("mac-invalid", f"{text[:40]!r} is not the address of one network interface", hint, "mac")
    return MacAddress(":".join(digits[i : i + 2] for i in range(0, 12, 2)))


_PLACEHOLDER_WORDS = frozenset(
    {
        "",
        "0",
        "none",
        "n/a",
        "empty",
        "unknown",
        "default string",
        "not specified",
        "not applicable",
        "to be filled by o.e.m.",
        "system serial number",
        "chassis serial number",
        "123456789",
        "0123456789",
    }
)
_PLACEHOLDER_UUIDS = frozenset({"03000200040005000006000700080009", "00020003000400050006000700080009"})
"""The counting pattern of a vendor's sample, in both orders of its octets."""


def meaningful_uuid(text: str | None) -> str | None:
    """The SMBIOS UUID in lower case, or None where firmware left a placeholder that identifies nothing."""
    try:
        value = uuids.UUID((text or "").strip())
    except ValueError:
        return None
    digits = value.hex
    # Boards shipped unprogrammed carry all zeros, all ones, or a sample.
    if len(set(digits)) == 1 or digits in _PLACEHOLDER_UUIDS:
        return None
    return str(value)


def meaningful_serial(text: str | None) -> str | None:
    """A chassis or system serial, or None where firmware left a placeholder."""
    value = (text or "").strip()
    if value.lower() in _PLACEHOLDER_WORDS or len(set(value)) <= 1:
        return None
    return value


class State(StrEnum):
    """The stored state of a machine; offline and power are observations beside it."""

    DISCOVERED = "discovered"
    IDLE = "idle"
    ACTIVE = "active"
    STOPPED = "stopped"
    RESCUE = "rescue"
    BROKEN = "broken"
    INSPECTING = "inspecting"
    DEPLOYING = "deploying"
    STARTING = "starting"
    STOPPING = "stopping"
    RELEASING = "releasing"
    WIPING = "wiping"
    RESCUING = "rescuing"
    CAPTURING = "capturing"
    FAILED = "failed"


S = State
STABLE = frozenset({S.DISCOVERED, S.IDLE, S.ACTIVE, S.STOPPED, S.RESCUE, S.BROKEN})
BUSY = frozenset({S.INSPECTING, S.DEPLOYING, S.STARTING, S.STOPPING, S.RELEASING, S.WIPING, S.RESCUING, S.CAPTURING})

TRANSITIONS: dict[State, frozenset[State]] = {
    S.DISCOVERED: frozenset({S.INSPECTING, S.IDLE, S.RESCUING, S.BROKEN, S.FAILED}),
    # Inspecting: a machine that leaves its rescue, too, which may have a stopped deployment.
    S.INSPECTING: frozenset({S.IDLE, S.STOPPED, S.FAILED, S.BROKEN}),
    # Starting: a machine that was mended while its deployment kept its disk.
    S.IDLE: frozenset(
        {S.DEPLOYING, S.STARTING, S.RELEASING, S.INSPECTING, S.WIPING, S.RESCUING, S.CAPTURING, S.BROKEN}
    ),
    S.DEPLOYING: frozenset({S.ACTIVE, S.FAILED}),
    S.ACTIVE: frozenset({S.STOPPING, S.RELEASING, S.DEPLOYING, S.RESCUING, S.CAPTURING, S.BROKEN, S.FAILED}),
    S.STOPPING: frozenset({S.STOPPED, S.FAILED}),
    S.STOPPED: frozenset({S.STARTING, S.RELEASING, S.DEPLOYING, S.RESCUING, S.CAPTURING, S.BROKEN}),
    S.STARTING: frozenset({S.ACTIVE, S.FAILED}),
    S.RELEASING: frozenset({S.IDLE, S.FAILED}),
    S.WIPING: frozenset({S.IDLE, S.FAILED}),
    S.RESCUING: frozenset({S.RESCUE, S.FAILED}),
    # Somebody was root in the stack that runs: only a fresh one leads on, or back after a restart of its own.
    S.RESCUE: frozenset({S.INSPECTING, S.RESCUING, S.BROKEN}),
    S.CAPTURING: frozenset({S.IDLE, S.STOPPED, S.ACTIVE, S.FAILED}),
    # A failed machine goes on by retrying what failed, by another try at the same end, or back to the fleet; what was
    # cancelled before anything was done comes back to where it was.
    S.FAILED: frozenset(BUSY | {S.DISCOVERED, S.IDLE, S.BROKEN, S.ACTIVE, S.STOPPED}),
    S.BROKEN: frozenset({S.DISCOVERED, S.IDLE}),
}
del S


@dataclass(frozen=True, slots=True)
class Machine:
    """One computer that network-boots from us."""

    id: MachineId
    name: str
    state: State
    macs: tuple[MacAddress, ...]
    created: float
    """Unix time of the first packet."""
    maintenance: bool = True
    """Seen, but not used. Every new machine starts so."""
    uuid: str | None = None
    serial: str | None = None
    firmware: str | None = None
    """``bios`` or ``uefi``, as last observed."""
    address: str | None = None
    """IPv4 address last leased to the interface that booted."""
    reserved_address: str | None = None
    """IPv4 address that a user keeps for the interface it boots from; None takes any of its subnet's ranges."""
    last_seen: float | None = None
    failed_from: State | None = None
    failed_code: str = ""
    failed_reason: str = ""
    hand_over: str = "kexec"
    """One of HAND_OVERS: ``reboot`` once a kexec on this machine ended in silence, or when a user says so."""
    boot_program: str = ""
    """What a user wants its firmware to be sent, one of ``bootprogram.CHOICES``; empty has it chosen by itself."""
    secure_boot: bool | None = None
    """Whether its firmware runs only what is signed, as its last inventory says; None where that is not known."""
    dhcp_options: Mapping[str, str] = field(default_factory=dict)
    """What users have it told by DHCP beyond what its subnet says, by name; see ``dhcp_options``."""
    notes: str = ""
    tags: tuple[str, ...] = ()
    """Words that users sort machines by, sorted; see ``check_tags``."""
    rescue: Rescue | None = None
    """What a user wants of a rescue; None: nothing."""
    wiped: tuple[Wiped, ...] = ()
    """The last wipe of each of its disks, newest first."""
    inventory: dict[str, Any] | None = None
    """As the agent sent it (ARCHITECTURE.md, Inventory), checked for shape at the border."""


def moved(machine: Machine, state: State, *, code: str = "", reason: str = "") -> Machine:
    """The machine in its new state; raises Conflict where TRANSITIONS has no such edge."""
    if state not in TRANSITIONS[machine.state]:
        raise Conflict(
            "state-forbids",
            f"{machine.name} is {machine.state} and cannot become {state}",
            "wait until it has finished, or look at its timeline",
        )
    if state is State.FAILED:
        return replace(machine, state=state, failed_from=machine.state, failed_code=code, failed_reason=reason)
    return replace(machine, state=state, failed_from=None, failed_code="", failed_reason="")


def in_rescue(machine: Machine) -> bool:
    """Whether somebody else may be root in the stack that runs on it: nothing but a rescue's end is asked of it."""
    ended_badly = machine.state is State.FAILED and machine.failed_from in (State.RESCUING, State.INSPECTING)
    return machine.state is State.RESCUE or machine.rescue is not None or ended_badly


HAND_OVERS = ("kexec", "reboot")


LONGEST_NOTES = 4000


def check_length(text: str, most: int, field: str) -> str:
    """A text to be kept; raises Invalid for one of more than ``most`` characters: nothing is cut off in silence."""
    if len(text) > most:
        raise Invalid("text-long", f"{field} has {len(text)} characters", f"use {most} at most", field)
    return text


def check_hand_over(method: str) -> str:
    """A way from the maintenance stack into a deployed system; raises Invalid for any other word."""
    if method not in HAND_OVERS:
        text = f"{method[:80]!r} is no way to hand over"
        raise Invalid("hand-over-invalid", text, f"use {' or '.join(HAND_OVERS)}", "hand_over")
    return method


MOST_TAGS = 32
_TAG = re.compile(r"[a-z0-9_.:-]{1,40}")


def check_tags(tags: Iterable[str], field: str = "tags") -> tuple[str, ...]:
    """Tags, sorted and each once; raises Invalid for what cannot be one, and for too many."""
    unique = tuple(sorted(set(tags)))
    for tag in unique:
        if not _TAG.fullmatch(tag):
            hint = "use 1 to 40 lower-case letters, digits and - _ . :"
            raise Invalid("tag-invalid", f"{tag[:80]!r} cannot be a tag", hint, field)
    if len(unique) > MOST_TAGS:
        raise Invalid("tags-too-many", f"these are {len(unique)} tags", f"use {MOST_TAGS} at most", field)
    return unique


_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a letter in it: plain digits are ids

RESERVED_NAMES = frozenset(
    {
        "appliance",  # we ourselves
        "wpad",  # browsers fetch their proxy settings from this name
        "isatap",  # Windows builds an IPv6 tunnel to it
        "localhost",
        "localdomain",
        "broadcasthost",
        "ip6-localhost",
        "ip6-loopback",
    }
)
"""Labels that mean something else to computers: nobody may choose them, and DNS gives them to nobody."""


def check_name(name: str, field: str = "name") -> str:
    """A name that is also a DNS label (RFC 1123 section 2.1); raises Invalid otherwise."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            "name-invalid",
            f"{name[:80]!r} cannot be a name",
            "use 1 to 63 lower-case letters, digits and hyphens, at least one letter, no hyphen at the ends",
            field,
        )
    if name in RESERVED_NAMES:
        raise Invalid("name-reserved", f"{name!r} has a meaning of its own in networks", "choose another name", field)
    return name


def default_name(macs: Iterable[MacAddress]) -> str:
    """A name to begin with, from the address that the user can read on the box."""
    return "node-" + next(iter(macs)).replace(":", "")[6:]

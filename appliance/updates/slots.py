"""Slots as RAUC tells them: ``rauc status --detailed --output-format=json``. Pure."""

from typing import Any

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError


class Slot(msgspec.Struct, frozen=True):
    """One of the two places that hold a system."""

    name: str
    """As RAUC calls it: ``rootfs.0``."""
    letter: str
    """As the boot loader calls it: ``A`` or ``B``."""
    booted: bool
    first: bool
    """Whether it is started next, as long as it has a try left."""
    good: bool
    """False: not to be started, since it was never written, or only in part."""
    version: str
    """Of what was installed; empty where that is not known: it came with the flashed image."""
    installed: str
    """When, as RAUC writes it (ISO 8601); empty as above."""


class _Status(msgspec.Struct):
    booted: str = ""
    boot_primary: str | None = None
    slots: list[dict[str, dict[str, Any]]] = []


def parse_status(text: str) -> list[Slot]:
    """The slots by letter. Raises ApplianceError ``update-status`` for what RAUC does not say."""
    try:
        status = decoded(text, _Status)
    except msgspec.DecodeError as error:
        raise ApplianceError("update-status", f"the answer of rauc cannot be read: {error}") from error
    found = [_slot(name, told, status) for each in status.slots for name, told in each.items() if told.get("bootname")]
    return sorted(found, key=lambda slot: slot.letter)


def _slot(name: str, told: dict[str, Any], status: _Status) -> Slot:
    detail = told.get("slot_status") or {}
    return Slot(
        name=name,
        letter=str(told["bootname"]),
        booted=told.get("state") == "booted",
        first=name == status.boot_primary,
        good=told.get("boot_status") == "good",
        version=str((detail.get("bundle") or {}).get("version") or ""),
        installed=str((detail.get("installed") or {}).get("timestamp") or ""),
    )


def booted_of(slots: list[Slot]) -> Slot:
    """The one that runs. Raises ApplianceError ``update-status`` where none does."""
    for slot in slots:
        if slot.booted:
            return slot
    hint = "it was started by other means than its own boot loader; restart it"
    raise ApplianceError("update-status", "rauc does not know which slot was started", hint)


def other_of(slots: list[Slot]) -> Slot:
    """The one that the next update is written to. Raises ApplianceError ``update-status`` where there is none."""
    for slot in slots:
        if not slot.booted:
            return slot
    raise ApplianceError("update-status", "there is one slot only", "flash the appliance anew")


def booted_letter(command_line: str) -> str:
    """The letter in ``rauc.slot=`` of a kernel's command line; empty where it has none."""
    words = [word.partition("=")[2] for word in command_line.split() if word.startswith("rauc.slot=")]
    return words[-1] if words else ""

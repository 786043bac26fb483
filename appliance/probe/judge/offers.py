"""What each kind of firmware is told to boot. Pure."""

from collections.abc import Sequence

from appliance.probe.finding import Finding, Status
from appliance.probe.judge.servers import IGNORING
from appliance.probe.kinds import KINDS, Kind, Wants
from appliance.probe.observed import Offer

CHECK = "offers"
SLOW_SECONDS = 3.0
"""PXE ROMs ask again after 4 s, and some count such an answer as late."""


def offers(found: Sequence[Offer]) -> list[Finding]:
    """One finding for each kind of firmware, from the offers of the appliance."""
    firsts = {kind: next((each for each in found if each.kind == kind.name), None) for kind in KINDS}
    binaries = {each.boot_file for kind, each in firsts.items() if each and kind.wants is not Wants.SCRIPT}
    return [_judged(kind, offer, binaries) for kind, offer in firsts.items() if kind.wants is not Wants.NOTHING]


def _judged(kind: Kind, offer: Offer | None, binaries: set[str]) -> Finding:
    if offer is None or not offer.boot_file:
        return _nothing(kind, offer)
    details = _details(kind, offer)
    if wrong := _wrong(kind, offer, binaries):
        text, reason, hint = wrong
        return Finding(CHECK, Status.FAILED, f"{kind.label}: {text}", reason, hint, details)
    text = f"{kind.label}: {_named(offer)} after {offer.after:.1f} s"
    if offer.after > SLOW_SECONDS:
        return Finding(
            CHECK,
            Status.WARNING,
            text,
            "Firmware asks four times and then gives up; slow answers come close to that.",
            "Is the appliance busy, or a relay or wireless link in between?",
            details,
        )
    return Finding(CHECK, Status.OK, text, details=details)


def _named(offer: Offer) -> str:
    file, asked, _ = offer.boot_file.partition("?")
    return f"{file}{asked}{'...' if asked else ''}" if "://" in file else f"{offer.boot_file} from {offer.tftp_server}"


def _nothing(kind: Kind, offer: Offer | None) -> Finding:
    status = Status.FAILED if kind.common else Status.WARNING
    said = "no offer at all" if offer is None else "an address, and no boot file"
    return Finding(
        CHECK,
        status,
        f"{kind.label}: {said}",
        "Machines with this firmware do not boot from here.",
        f"The appliance may lack a boot program for it: look into [boot] programs, and at its log. {IGNORING}"
        if kind.common
        else "If there are such machines, add the boot program for them; else nothing is to be done.",
        _details(kind, offer),
    )


def _wrong(kind: Kind, offer: Offer, binaries: set[str]) -> tuple[str, str, str] | None:
    """What keeps this firmware from using the file: what, why, what to do."""
    file = offer.boot_file
    url, efi = "://" in file, file.lower().split("?")[0].endswith(".efi")
    other = "Another DHCP server may answer for the appliance, or an option is set for all clients alike."
    if kind.wants is Wants.SCRIPT and file in binaries:
        return f"told to load {file} again", "iPXE would load itself for ever.", other
    if kind.wants is Wants.URL and not url:
        return f"told to load {file}, which is no URL", "HTTP boot knows URLs only.", other
    if kind.wants is Wants.URL and not offer.vendor_class.startswith("HTTPClient"):
        return "the answer does not say HTTPClient", "UEFI drops an answer to HTTP boot without it.", other
    if kind.wants in (Wants.BIOS_FILE, Wants.EFI_FILE) and url:
        return f"told to load the URL {file}", "This firmware knows file names on a TFTP server only.", other
    if kind.wants is Wants.BIOS_FILE and efi:
        return f"told to load {file}, which is for UEFI", "A BIOS cannot start it.", other
    if kind.wants is Wants.EFI_FILE and not efi:
        return f"told to load {file}, which is not for UEFI", "UEFI cannot start it.", other
    return None


def _details(kind: Kind, offer: Offer | None) -> dict[str, object]:
    asked: dict[str, object] = {"kind": kind.name, "architecture": kind.architecture}
    if offer is None:
        return asked
    return asked | {
        "boot_file": offer.boot_file,
        "next_server": offer.next_server,
        "vendor_class": offer.vendor_class,
        "address": offer.address,
        "seconds": round(offer.after, 3),
    }

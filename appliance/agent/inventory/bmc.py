"""The controller that this computer is managed by (BMC): what SMBIOS tells of it, and what it says itself over IPMI."""

import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ..commandline import identifies, mac_of
from ..errors import AgentError
from ..run import run
from .dmi import Structure, first
from .management import IPMI_DEVICE, ipmi_version, redfish_service

DEVICES = (Path("/dev/ipmi0"), Path("/dev/ipmi/0"), Path("/dev/ipmidev/0"))
CHANNELS = range(1, 9)
"""LAN channels are numbered by the maker: nearly always 1, else 8 or 3."""
APPEARS_SECONDS = 5.0
"""For the device to appear after its driver came: it asks the controller who it is first."""
EMPTY = {"address": "", "mac": "", "vlan": None}


def read_bmc(structures: Sequence[Structure], notes: list[str]) -> dict[str, Any] | None:
    """`bmc` of an inventory; None where there is no such controller."""
    told = described(structures)
    if not has_device(expected=first(structures, IPMI_DEVICE) is not None):
        if told and told["kind"] == "ipmi":
            notes.append("bmc: SMBIOS tells of a controller, but it does not answer to its driver")
        return told
    return {"kind": "ipmi", "version": "", "host_name": "", "port": None, **(told or {}), **read_lan(notes)}


def described(structures: Sequence[Structure]) -> dict[str, Any] | None:
    """What SMBIOS tells of the controller (pure). Redfish comes first: where both are spoken it can do more."""
    version = ipmi_version(structures)
    service = redfish_service(structures)
    if service is None and version is None:
        return None
    more = service or {"host_name": "", "port": None}
    return {"kind": "redfish" if service else "ipmi", "version": version or "", **more, **EMPTY}


def has_device(expected: bool) -> bool:
    """Whether the controller can be asked, once its drivers are there; `expected` is worth a moment's waiting."""
    if expected:
        run(["modprobe", "-a", "-q", "ipmi_si", "ipmi_ssif"], good=range(256))
    run(["modprobe", "-q", "ipmi_devintf"], good=range(256))  # nothing loads this one by itself
    end = time.monotonic() + APPEARS_SECONDS
    while not any(device.exists() for device in DEVICES):
        if not expected or time.monotonic() >= end:
            return False
        time.sleep(0.1)
    return True


def read_lan(notes: list[str]) -> dict[str, Any]:
    """Address and MAC of the first channel that has an address, else of the first that there is."""
    found = dict(EMPTY)
    try:
        for channel in CHANNELS:
            said = parse_lan(run(["ipmitool", "lan", "print", str(channel)], timeout=20, good=(0, 1)))
            if said["address"]:
                return said
            found = found if found["mac"] else said
    except AgentError as error:
        notes.append(f"bmc: {error.message}")
    return found


def parse_lan(text: str) -> dict[str, Any]:
    """Address, MAC and VLAN from `ipmitool lan print` (pure); empty where there are none."""
    pairs = (line.partition(":") for line in text.splitlines())
    said = {key.strip(): value.strip() for key, _, value in pairs if key.strip()}
    vlan, mac = said.get("802.1q VLAN ID", ""), mac_of(said.get("MAC Address", ""))
    return {
        "address": usable(said.get("IP Address", "")),
        "mac": mac if mac and identifies(mac) else "",
        "vlan": int(vlan) if vlan.isascii() and vlan.isdigit() and 0 < int(vlan) < 4095 else None,
    }


def usable(text: str) -> str:
    """The address, "" for what is none that anybody else could send to (pure)."""
    with suppress(ValueError):
        found = ip_address(text)
        if not (found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local):
            return str(found)
    return ""

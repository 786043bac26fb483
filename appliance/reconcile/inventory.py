"""Inventories at the border: what the rest of the product relies on is checked here, once. Pure."""

from typing import Annotated, Any

import msgspec

from appliance.errors import Invalid
from appliance.machine import MacAddress, Machine, parse_mac

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Words = Annotated[str, msgspec.Meta(max_length=1000)]


class _Content(msgspec.Struct):
    empty: bool | None = None
    fingerprint: Words | None = None
    summary: Words | None = None


class _Disk(msgspec.Struct):
    name: Words | None = None
    model: Words | None = None
    serial: Words | None = None
    wwn: Words | None = None
    bytes: Count | None = None
    sector_size: Count | None = None
    read_only: bool | None = None
    content: _Content | None = None


class _Nic(msgspec.Struct):
    mac: Words | None = None


class _Cpu(msgspec.Struct):
    threads: Count | None = None


class _Memory(msgspec.Struct):
    bytes: Count | None = None


class _Shape(msgspec.Struct):
    """What is read of an inventory. Null stands for what the agent could not find out."""

    disks: Annotated[list[_Disk], msgspec.Meta(max_length=4096)] | None
    nics: Annotated[list[_Nic], msgspec.Meta(max_length=1024)] | None
    cpu: _Cpu | None
    memory: _Memory | None
    system: dict[str, Any] | None
    firmware: Words | None = None
    boot_mac: Words | None = None


def checked(inventory: dict[str, Any]) -> list[MacAddress]:
    """The interfaces of an inventory whose shape is right; raises Invalid otherwise."""
    try:
        shape = msgspec.convert(inventory, _Shape)
    except msgspec.ValidationError as error:
        raise Invalid("inventory-invalid", f"the inventory is not one: {error}") from error
    macs = []
    for nic in shape.nics or ():
        try:
            macs.append(parse_mac(nic.mac or ""))
        except Invalid:
            continue  # an interface without an address of its own identifies nothing
    return list(dict.fromkeys(macs))


def inventory_macs(machine: Machine) -> set[str]:
    """The interfaces in the machine's last inventory."""
    return {str(nic.get("mac", "")).lower() for nic in (machine.inventory or {}).get("nics") or []}

"""Inventories at the border: what the rest of the product relies on is checked here, once. Pure."""

from typing import Annotated, Any

import msgspec

from appliance.decoding import converted
from appliance.errors import Invalid
from appliance.machine import MacAddress, Machine, parse_mac

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Words = Annotated[str, msgspec.Meta(max_length=1000)]


def _at_most(length: int) -> msgspec.Meta:
    return msgspec.Meta(max_length=length)


class _Partition(msgspec.Struct):
    number: Count | None = None
    bytes: Count | None = None
    type: Words | None = None
    filesystem: Words | None = None
    label: Words | None = None


class _Content(msgspec.Struct):
    empty: bool | None = None
    fingerprint: Words | None = None
    summary: Words | None = None
    partitions: Annotated[list[_Partition], _at_most(4096)] | None = None


class _Disk(msgspec.Struct):
    name: Words | None = None
    model: Words | None = None
    serial: Words | None = None
    wwn: Words | None = None
    bytes: Count | None = None
    sector_size: Count | None = None
    physical_sector_size: Count | None = None
    rotational: bool | None = None
    transport: Words | None = None
    read_only: bool | None = None
    smart: Words | None = None
    content: _Content | None = None


class _Nic(msgspec.Struct):
    name: Words | None = None
    mac: Words | None = None
    driver: Words | None = None
    speed_mbps: Count | None = None
    link: bool | None = None
    pci: Words | None = None
    addresses: Annotated[list[Words], _at_most(256)] | None = None


class _Cpu(msgspec.Struct):
    model: Words | None = None
    sockets: Count | None = None
    cores: Count | None = None
    threads: Count | None = None
    mhz: Count | None = None
    architecture: Words | None = None
    flags: Annotated[list[Words], _at_most(4096)] | None = None


class _Module(msgspec.Struct):
    locator: Words | None = None
    bytes: Count | None = None
    type: Words | None = None
    speed_mhz: Count | None = None
    manufacturer: Words | None = None
    serial: Words | None = None
    part: Words | None = None


class _Memory(msgspec.Struct):
    bytes: Count | None = None
    modules: Annotated[list[_Module], _at_most(4096)] | None = None


class _Made(msgspec.Struct):
    """What the firmware says of the system, or of one part of it: each part has some of these."""

    manufacturer: Words | None = None
    product: Words | None = None
    version: Words | None = None
    serial: Words | None = None
    uuid: Words | None = None
    sku: Words | None = None
    vendor: Words | None = None
    date: Words | None = None
    type: Words | None = None
    asset_tag: Words | None = None


class _Device(msgspec.Struct):
    """A PCI device; its ``class`` is a word that Python keeps for itself."""

    slot: Words | None = None
    kind: Words | None = msgspec.field(default=None, name="class")
    vendor: Words | None = None
    device: Words | None = None
    vendor_id: Words | None = None
    device_id: Words | None = None
    driver: Words | None = None


class _Bmc(msgspec.Struct):
    kind: Words | None = None
    version: Words | None = None
    host_name: Words | None = None
    port: Count | None = None
    address: Words | None = None
    mac: Words | None = None
    vlan: Count | None = None


class _Neighbour(msgspec.Struct):
    nic: Words | None = None
    chassis: Words | None = None
    port: Words | None = None
    port_description: Words | None = None
    system: Words | None = None
    description: Words | None = None
    address: Words | None = None
    vlan: Count | None = None


class _Shape(msgspec.Struct):
    """What is read of an inventory, by the console too. Null stands for what the agent could not find out."""

    disks: Annotated[list[_Disk], _at_most(4096)] | None
    nics: Annotated[list[_Nic], _at_most(1024)] | None
    cpu: _Cpu | None
    memory: _Memory | None
    system: _Made | None
    board: _Made | None = None
    bios: _Made | None = None
    chassis: _Made | None = None
    pci: Annotated[list[_Device], _at_most(4096)] | None = None
    bmc: _Bmc | None = None
    firmware: Words | None = None
    secure_boot: bool | None = None
    boot_mac: Words | None = None
    kernel: Words | None = None
    agent: Words | None = None
    neighbours: Annotated[list[_Neighbour], _at_most(256)] | None = None


def checked(inventory: dict[str, Any]) -> list[MacAddress]:
    """The interfaces of an inventory whose shape is right; raises Invalid otherwise."""
    try:
        shape = converted(inventory, _Shape)
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


def with_neighbours(inventory: dict[str, Any], machine: Machine) -> dict[str, Any]:
    """A new inventory, with the neighbours that are known where it does not tell: they are heard of later."""
    known = (machine.inventory or {}).get("neighbours")
    return inventory if known is None or "neighbours" in inventory else {**inventory, "neighbours": known}

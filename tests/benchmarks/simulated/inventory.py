"""What the agent of a simulated computer tells of it: a small server, in as many words as a real one takes. Pure."""

from typing import Any

from appliance.machine import MacAddress

MESSAGES = "\n".join(
    f"[{number / 60:12.6f}] pci 0000:{number:02x}:1c.0: BAR 14: assigned [mem 0x{number:08x}00000-0x{number:08x}fffff]"
    for number in range(600)
)
"""What the kernel said while it started: 50 kB, as of a server with a few cards."""


def inventory_of(number: int, uuid: str, mac: MacAddress) -> dict[str, Any]:
    """See "Inventory" in ARCHITECTURE.md."""
    return {
        "firmware": "bios",
        "secure_boot": None,
        "boot_mac": mac,
        "system": {"manufacturer": "Bench", "product": "Simulated", "serial": f"S{number}", "uuid": uuid},
        "cpu": {"model": "Simulated", "sockets": 2, "cores": 32, "threads": 64, "architecture": "x86_64"},
        "memory": {"bytes": 256 << 30, "modules": [_module(number, slot) for slot in range(16)]},
        "disks": [_disk(number, slot, name) for slot, name in enumerate(("sda", "sdb"))],
        "nics": [{"name": "eth0", "mac": mac, "driver": "none", "link": True, "addresses": []}],
        "pci": [_device(slot) for slot in range(60)],
        "bmc": None,
        "kernel": "6.12.48",
        "agent": "0",
        "notes": [],
    }


def _module(number: int, slot: int) -> dict[str, Any]:
    return {
        "locator": f"DIMM{slot}",
        "bytes": 16 << 30,
        "type": "DDR5",
        "speed_mhz": 4800,
        "manufacturer": "Bench",
        "serial": f"M{number}-{slot}",
        "part": "M321R2GA3BB6-CQKET",
    }


def _disk(number: int, slot: int, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "path": f"/dev/disk/by-path/pci-0000:00:0{slot}",
        "model": "Simulated",
        "wwn": "",
        "serial": f"D{number}-{slot}",
        "bytes": 480 << 30,
        "sector_size": 512,
        "physical_sector_size": 4096,
        "rotational": False,
        "transport": "sata",
        "read_only": False,
        "smart": "passed",
        "content": {"empty": True, "fingerprint": "0" * 64, "summary": "nothing", "partitions": []},
    }


def _device(slot: int) -> dict[str, Any]:
    return {
        "slot": f"0000:{slot:02x}:1c.0",
        "class": "PCI bridge",
        "vendor": "Intel Corporation",
        "device": "Sapphire Rapids PCI Express Root Port",
        "vendor_id": "8086",
        "device_id": "352a",
        "driver": "pcieport",
    }

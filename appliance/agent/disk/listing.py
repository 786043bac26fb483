"""The disks of this computer, from lsblk's JSON."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..run import run
from .model import Disk

COLUMNS = "NAME,PATH,TYPE,MODEL,SERIAL,WWN,SIZE,LOG-SEC,PHY-SEC,ROTA,TRAN,RO"
BY_PATH = Path("/dev/disk/by-path")
SYS_BLOCK = Path("/sys/block")
NO_DISKS = ("loop", "ram", "zram", "nbd", "fd", "md", "dm-", "sr", "mtdblock")


def read_disks() -> list[Disk]:
    """All disks of this computer that are there now. Raises ProgramFailed."""
    text = run(["lsblk", "--json", "--bytes", "--nodeps", "--output", COLUMNS])
    found = parse_lsblk(text, read_by_path(BY_PATH))
    return [disk for disk in found if not is_lent(str((SYS_BLOCK / disk.name).resolve()))]


def is_lent(path: str) -> bool:
    """Whether this directory below /sys/devices is of a disk that open-iscsi has brought: the appliance's (pure).

    Adapters that log in by themselves are on a bus, and their disks are the computer's own.
    """
    return re.search(r"/platform/host\d+/session\d+/", path) is not None


def read_by_path(directory: Path) -> dict[str, str]:
    """Kernel name of a disk -> its by-path name, of those that udev knows."""
    if not directory.is_dir():
        return {}
    links = sorted(directory.iterdir(), key=lambda link: (len(link.name), link.name), reverse=True)
    return {link.resolve().name: str(link) for link in links}


def parse_lsblk(text: str, by_path: Mapping[str, str]) -> list[Disk]:
    """Disks from lsblk's JSON (pure). Card readers without a card and eMMC boot areas are none."""
    devices = json.loads(text).get("blockdevices", [])
    return [_disk(device, by_path) for device in devices if _is_disk(device)]


def _is_disk(device: Mapping[str, Any]) -> bool:
    name = str(device["name"])
    special = name.startswith(NO_DISKS) or "boot" in name or name.endswith("rpmb")
    return device.get("type") == "disk" and not special and int(device.get("size") or 0) > 0


def _disk(device: Mapping[str, Any], by_path: Mapping[str, str]) -> Disk:
    name = str(device["name"])
    path = by_path.get(name, "")
    serial, wwn = _word(device.get("serial")), _word(device.get("wwn"))
    if not serial and not wwn and path:  # cheap USB sticks, some virtual disks: only the socket tells them apart
        serial = f"path:{path}"
    return Disk(
        name=name,
        device=Path(device.get("path") or f"/dev/{name}"),
        path=path,
        model=_word(device.get("model")),
        serial=serial,
        wwn=wwn,
        size=int(device["size"]),
        sector_size=int(device.get("log-sec") or 512),
        physical_sector_size=int(device.get("phy-sec") or 512),
        rotational=_flag(device.get("rota")),
        transport=transport_of(name, _word(device.get("tran"))),
        read_only=_flag(device.get("ro")),
    )


def transport_of(name: str, said: str) -> str:
    """How the disk is attached. lsblk before 2.39 does not know virtio, and none knows eMMC."""
    if said:
        return said
    known: Iterable[tuple[str, str]] = (("vd", "virtio"), ("nvme", "nvme"), ("mmcblk", "mmc"), ("xvd", "xen"))
    return next((transport for prefix, transport in known if name.startswith(prefix)), "")


def _word(value: object) -> str:
    return " ".join(str(value).split()) if value is not None else ""


def _flag(value: object) -> bool:
    return value in (True, 1, "1")  # lsblk wrote "1" before it wrote true

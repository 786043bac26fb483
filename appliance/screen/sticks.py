"""Backups of the state on sticks: looked for, and put in the place of the present state.

A stick is mounted read-only and without its programs, for as long as it is read.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.command import run
from appliance.errors import ApplianceError
from appliance.privileged.verbs.services import DAEMON
from appliance.screen.orders import Backup

SUFFIX = ".qrmstate"
KINDS = ("vfat", "exfat", "ext4", "ext3", "ext2", "ntfs", "iso9660")
PROGRAM_SECONDS = 60.0
MOST = 50
"""Backups that are listed of one stick."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What is to be told of a restore."""

    host: str
    """Whose state it is."""
    aside: Path | None
    """Where the state is now that was there before."""
    configuration: bool
    """Whether the configuration came back, too."""
    missing: tuple[str, ...]
    """Images and kernels whose content is not here."""


def candidates(text: str) -> list[str]:
    """Partitions, or whole disks, with a file system that may hold backups, from ``lsblk --json`` (pure)."""
    found = list[str]()

    def look(device: dict[str, Any], on_stick: bool) -> None:
        on_stick = on_stick or device.get("tran") == "usb" or device.get("rm") in (True, 1, "1")
        is_free = not any(device.get("mountpoints") or [])
        if on_stick and is_free and device.get("fstype") in KINDS:
            found.append(str(device["path"]))
        for child in device.get("children") or []:
            look(child, on_stick)

    for each in json.loads(text or "{}").get("blockdevices") or []:
        look(each, False)
    return found


def find(place: Path) -> tuple[Backup, ...]:
    """All backups on all sticks, newest first; ``place`` is where sticks are mounted. Raises ApplianceError."""
    text = run(["lsblk", "--json", "--output", "PATH,TRAN,RM,FSTYPE,MOUNTPOINTS"], PROGRAM_SECONDS)
    found = list[tuple[float, Backup]]()
    for device in candidates(text):
        with suppress(ApplianceError), mounted(device, place):
            found += _listed(device, place)
    return tuple(backup for _, backup in sorted(found, key=lambda each: -each[0]))


def _listed(device: str, place: Path) -> Iterator[tuple[float, Backup]]:
    from appliance.backup.contents import read_header  # what restores is half of what the screen would load to start

    for path in sorted(place.glob(f"*{SUFFIX}"))[:MOST]:
        with suppress(ApplianceError, OSError):
            header = read_header(path)
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(header.created))
            sealed = ", encrypted" if header.derivation else ""
            about = f"the state of {header.host}, of {when}, version {header.product}{sealed}"
            yield header.created, Backup(device, path.name, about, bool(header.derivation))


@contextmanager
def mounted(device: str, place: Path) -> Iterator[None]:
    """The stick's file system in ``place``, read only. Raises ApplianceError."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    run(["mount", "--options", "ro,nosuid,nodev,noexec", device, str(place)], PROGRAM_SECONDS)
    try:
        yield
    finally:
        run(["umount", str(place)], PROGRAM_SECONDS)


def bring_back(backup: Backup, passphrase: str, config: Path, place: Path) -> Restored:
    """Restore a backup from its stick while the daemon stands still; it is started again whatever comes of it.

    A configuration that is there stays: that of another computer names other network cards. Raises ApplianceError as
    ``restore`` does.
    """
    from appliance.backup.contents import read_manifest
    from appliance.backup.restore import Order, restore

    with mounted(backup.device, place):
        read_manifest(place / backup.name, lambda: passphrase)  # a wrong passphrase is no reason to stop anything
        run(["systemctl", "stop", DAEMON], PROGRAM_SECONDS)
        try:
            wanted = Order(place / backup.name, config, lambda: passphrase, time.time())
            done = restore(wanted)
            return Restored(done.contents.header.host, done.aside, done.config_written, tuple(done.missing))
        finally:
            run(["systemctl", "--no-block", "start", DAEMON], PROGRAM_SECONDS)

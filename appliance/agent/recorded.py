"""The computer of the tests: disks are files, and what would end the machine is written down instead.

`python3 -m appliance.agent --test-platform DIR`. DIR holds

- `cmdline`: the kernel command line;
- `kmsg`: what the kernel said; optional;
- `exported`: a directory, the root that the appliance exports to this machine; optional;
- `platform.json`: `{"firmware": "bios", "uuid": "...", "macs": ["..."], "kexec": true, "pause_scale": 1.0,
  "neighbours": [],
  "disks": [{"file": "a.img", "serial": "S1", "wwn": "", "model": "", "sector_size": 512, "read_only": false}]}`,
  everything optional, files relative to DIR;
- written by the agent: `run/` (its state, gone when the machine restarts: empty it to play a power cut),
  `screen`, and `actions`, one JSON object a line: `{"action": "set-clock", "now": ...}`,
  `{"action": "load-kernel", "linux", "initrd", "cmdline"}` (with SHA-256 of both files), `{"action": "kexec"}`,
  `{"action": "reboot"}`, `{"action": "open-ssh", "keys": ...}`, `{"action": "leave-rescue"}`,
  `{"action": "open-export", "delivery", "root"}`, `{"action": "give-export-back"}`.

The network is as it is. After kexec and reboot the process ends with exit code 0. Needs root, for
loop devices and mounts; both go away with the process when it has a mount namespace of its own.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from .disk import loop
from .disk.model import Disk
from .errors import Leaving
from .exported.given import ExportedRoot, NfsRoot
from .installed.root import Root
from .network import Link
from .run import ProgramFailed
from .screen import Screen

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFU8bzEWXL8tLMHoHFtQCtNTZ2yQSTVcKXjXJYgWJgVh"
"""A public key that nobody has the other half of."""


class RecordedComputer:
    """See the top of this file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.run_directory = directory / "run"
        settings = directory / "platform.json"
        self.settings: dict[str, Any] = json.loads(settings.read_text()) if settings.exists() else {}
        self.devices: dict[str, tuple[Path, int]] = {}

    def command_line(self) -> str:
        return (self.directory / "cmdline").read_text()

    def consoles(self) -> list[Path]:
        screen = self.directory / "screen"
        screen.touch()
        return [screen]

    def firmware(self) -> str:
        return str(self.settings.get("firmware", "bios"))

    def identity(self) -> tuple[str | None, list[str]]:
        return self.settings.get("uuid"), list(self.settings.get("macs", []))

    def connect(self, mac: str | None, screen: Screen) -> Link:
        return Link("127.0.0.1", mac or str(self.settings.get("macs", [""])[0]))

    def disks(self) -> list[Disk]:
        return [self._disk(number, entry) for number, entry in enumerate(self.settings.get("disks", []))]

    @contextmanager
    def exported(self, root: ExportedRoot) -> Iterator[Root]:
        delivery, point = "nfs" if isinstance(root, NfsRoot) else "iscsi", self.directory / "exported"
        self._record(action="open-export", delivery=delivery, root=str(root))
        yield Root(point)
        self._record(action="give-export-back")

    def set_clock(self, now: float) -> None:
        self._record(action="set-clock", now=now)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds * float(self.settings.get("pause_scale", 1.0)))

    def load_kernel(self, linux: Path, initrd: Path | None, cmdline: str) -> None:
        if not self.settings.get("kexec", True):
            raise ProgramFailed("kexec: this kernel cannot")
        files = {"linux": _sha256(linux), "initrd": _sha256(initrd) if initrd else None}
        self._record(action="load-kernel", cmdline=cmdline, **files)

    def unload_kernel(self) -> None:
        self._record(action="unload-kernel")

    def enter_kernel(self) -> NoReturn:
        self._record(action="kexec")
        raise Leaving

    def reboot(self) -> NoReturn:
        self._record(action="reboot")
        raise Leaving

    def kernel_messages(self) -> str:
        messages = self.directory / "kmsg"
        return messages.read_text() if messages.exists() else ""

    def neighbours(self) -> list[dict[str, Any]]:
        return list(self.settings.get("neighbours", []))

    def open_ssh(self, keys: str) -> list[str]:
        self._record(action="open-ssh", keys=keys)
        return [HOST_KEY]

    def mounted(self) -> list[str]:
        return []

    def leave_rescue(self) -> NoReturn:
        self._record(action="leave-rescue")
        raise Leaving

    def _record(self, **what: object) -> None:
        with (self.directory / "actions").open("a") as file:
            file.write(json.dumps(what) + "\n")

    def _disk(self, number: int, entry: dict[str, Any]) -> Disk:
        file = self.directory / entry["file"]
        sector_size = int(entry.get("sector_size", 512))
        if entry["file"] not in self.devices:
            self.devices[entry["file"]] = loop.attach(file, sector_size=sector_size)
        name = f"vd{'abcdefgh'[number]}"
        return Disk(
            name=name,
            device=self.devices[entry["file"]][0],
            path=f"/dev/disk/by-path/test-{number}",
            model=str(entry.get("model", "file")),
            serial=str(entry.get("serial", "")),
            wwn=str(entry.get("wwn", "")),
            size=file.stat().st_size,
            sector_size=sector_size,
            physical_sector_size=sector_size,
            rotational=False,
            transport="virtio",
            read_only=bool(entry.get("read_only", False)),
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""A computer of the tests: disks that are files, and what was done to it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.agent.job import Job, Params
from appliance.agent.recorded import RecordedComputer

REPOSITORY = Path(__file__).parents[2]
MIB = 1 << 20
GRUB_CFG = """
set default="0"
menuentry 'Demo' --class debian $menuentry_id_option 'gnulinux-demo' {
    search --no-floppy --fs-uuid --set=root 11111111-2222-3333-4444-555555555555
    linux /boot/vmlinuz-6.12 root=UUID=11111111-2222-3333-4444-555555555555 ro quiet
    initrd /boot/initrd.img-6.12
}
"""
FSUUID = "11111111-2222-3333-4444-555555555555"


class Bench:
    """A computer of the tests, with its directory and what was done to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.settings: dict[str, object] = {"pause_scale": 0.01, "disks": [], "macs": ["52:54:00:00:00:01"]}
        self._computer: RecordedComputer | None = None

    def add_disk(self, size: int = 48 * MIB, content: bytes = b"", **settings: object) -> Path:
        disks = self.settings["disks"]
        assert isinstance(disks, list)
        name = f"disk{len(disks)}.img"
        path = self.directory / name
        path.write_bytes(content)
        os.truncate(path, size)
        disks.append({"file": name, "serial": f"SERIAL{len(disks)}", **settings})
        self.write()
        return path

    def write(self) -> None:
        (self.directory / "platform.json").write_text(json.dumps(self.settings))

    @property
    def computer(self) -> RecordedComputer:
        self.write()
        self._computer = self._computer or RecordedComputer(self.directory)
        return self._computer

    def close(self) -> None:
        for _, fd in self._computer.devices.values() if self._computer else ():
            os.close(fd)
        self._computer = None

    @property
    def actions(self) -> list[dict[str, object]]:
        path = self.directory / "actions"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def screen(self) -> str:
        return (self.directory / "screen").read_text()

    def job(self, step: str, attempt: str = "attempt-1", **params: object) -> Job:
        params.setdefault("disk", {"serial": "SERIAL0", "wwn": "", "size": None})
        self.told: list[tuple[float, str]] = []
        self.sent: list[tuple[str, dict[str, object]]] = []
        tell, send = (lambda *said: self.told.append(said)), (lambda *said: self.sent.append(said))
        return Job(attempt, step, Params(params), self.computer, tell, send)

    def start_agent(self, command_line: str) -> subprocess.Popen[bytes]:
        """The real agent as a process; with disks in a mount namespace of its own."""
        self.write()
        (self.directory / "cmdline").write_text(command_line)
        private = ["unshare", "--mount", "--kill-child", "--pid", "--fork"] if self.settings["disks"] else []
        argv = [*private, sys.executable, "-m", "appliance.agent", "--test-platform", str(self.directory)]
        return subprocess.Popen(argv, cwd=REPOSITORY)

    @contextmanager
    def running(self, command_line: str) -> Iterator[subprocess.Popen[bytes]]:
        """The agent for as long as the context lasts."""
        process = self.start_agent(command_line)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

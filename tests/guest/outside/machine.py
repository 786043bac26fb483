"""The guest's computer: a QEMU that can be switched on and off, with disks that stay.

Nothing of it has a name on the host, and QEMU ends with the process that started it, however that one ends (prctl(2),
PR_SET_PDEATHSIG): there is nothing to clean up.
"""

import os
import socket
import subprocess
from pathlib import Path
from typing import IO

from tests.guest.outside.artefact import nameless, path_of, squash_source
from tests.guest.outside.command_line import SCSI_DISKS, Channels, Files, command_line
from tests.guest.outside.qmp import Qmp

DISK_BYTES = 8 << 30
SERIAL_LINES = 40


class Machine:
    """Off at first. ``system`` is a directory of the image builder; ``disk_bytes`` is the size of each scratch disk."""

    def __init__(self, system: Path, disk_bytes: int = DISK_BYTES) -> None:
        self._system = system
        self._source, self._serial, self._said = nameless(), nameless(), nameless()
        self._scratch = [nameless(disk_bytes) for _ in range(SCSI_DISKS + 1)]
        squash_source(self._source)
        self._process: subprocess.Popen[bytes] | None = None
        self._agent: socket.socket | None = None
        self._qmp: Qmp | None = None

    def on(self) -> socket.socket:
        """Power; the end of the line to the agent in the guest. It must be off."""
        agent_here, agent_there = socket.socketpair()
        qmp_here, qmp_there = socket.socketpair()
        with agent_there, qmp_there:
            channels = Channels(agent=agent_there.fileno(), qmp=qmp_there.fileno())
            self._process = self._started(channels)
        self._agent, self._qmp = agent_here, Qmp(qmp_here)
        return agent_here

    def _started(self, channels: Channels) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._argv(channels, path_of(self._serial)),
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            pass_fds=self._inherited(channels),
            start_new_session=True,  # Ctrl-C is for whoever runs the tests
        )

    def attend(self) -> int:
        """Run it on our terminal, with a shell, until it goes off; QEMU's exit status."""
        agent_here, agent_there = socket.socketpair()
        qmp_here, qmp_there = socket.socketpair()
        with agent_here, agent_there, qmp_here, qmp_there:
            channels = Channels(agent=agent_there.fileno(), qmp=qmp_there.fileno())
            argv = self._argv(channels, None)
            return subprocess.run(argv, pass_fds=self._inherited(channels), check=False).returncode

    def _argv(self, channels: Channels, serial: Path | None) -> list[str]:
        qemu = command_line(self._files(serial), channels, _accelerator())
        return ["setpriv", "--pdeathsig", "KILL", "--", *qemu]

    def _inherited(self, channels: Channels) -> list[int]:
        files = [self._source, self._serial, *self._scratch]
        return [channels.agent, channels.qmp, *(file.fileno() for file in files)]

    def _files(self, serial: Path | None) -> Files:
        return Files(
            kernel=self._system / "vmlinuz",
            initrd=self._system / "initrd",
            root=self._system / "root.squashfs",
            source=path_of(self._source),
            scratch=tuple(map(path_of, self._scratch)),
            serial=serial,
        )

    @property
    def qmp(self) -> Qmp:
        """To ask QEMU; only while it is on."""
        assert self._qmp, "the guest is off"
        return self._qmp

    def off(self) -> None:
        """No power from one moment to the next; nothing happens when it is off."""
        if self._process:
            self._process.kill()
            self._process.wait()
        for end in (self._agent, self._qmp):
            if end:
                end.close()
        self._process = self._agent = self._qmp = None

    def close(self) -> None:
        """Off, and its disks are gone."""
        self.off()
        for file in (self._source, self._serial, self._said, *self._scratch):
            file.close()

    def resources(self) -> set[str]:
        """What this process has open for it, as the check for leaks calls them (``tests/conftest.py``)."""
        found = {f"process {self._process.pid} (qrm-guest)"} if self._process else set()
        return found | {os.readlink(f"/proc/self/fd/{each.fileno()}") for each in self._sockets()}

    def _sockets(self) -> list[socket.socket]:
        return [self._agent, self._qmp.connection] if self._agent and self._qmp else []

    def last_words(self) -> str:
        """The end of what the guest said on its serial port, and of what QEMU itself had to say."""
        parts = [(self._serial, "its serial port said last"), (self._said, "QEMU said")]
        return "\n".join(f"{what}:\n{words}" for file, what in parts if (words := tail(text_of(file))))

    def serial(self) -> str:
        """All that the guest said on its serial port since it was made."""
        return text_of(self._serial)


def text_of(file: IO[bytes]) -> str:
    """The content of a file that somebody else adds to."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace").replace("\r", "")


def tail(text: str, lines: int = SERIAL_LINES) -> str:
    """The last lines of a text."""
    return "\n".join(text.strip().splitlines()[-lines:])


def _accelerator() -> str:
    """``tcg``, which works everywhere; or ``kvm`` for whoever has one that nests."""
    return os.environ.get("QRM_GUEST_ACCELERATOR", "tcg")

"""The guest as tests on the host drive it: programs in it, its power, its serial port."""

import select
import socket
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.guest.frames import Frame, Lines, decoded, encoded, packed, unpacked
from tests.guest.outside.machine import Machine

BOOT_SECONDS = 600.0
"""Half a minute by itself; other tests may keep both cores busy."""
COMMAND_SECONDS = 180.0
"""The guest's processor is emulated."""
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "QRM_GUEST": "1"}

Command = str | Sequence[str]
"""A line for the shell, which stops at the first failure; or program and arguments."""


class GuestDied(Exception):
    """The guest has no power any more; the text has its last words."""


class GuestFailed(Exception):
    """A program in the guest failed, or could not be started."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: exit status (negative for a signal) and output."""

    status: int
    stdout: str
    stderr: str


class Job:
    """A program that runs in the guest."""

    def __init__(self, guest: "Guest", number: int, command: Command) -> None:
        self._guest = guest
        self._number = number
        self.command = command
        self.output = {"stdout": b"", "stderr": b""}
        self.status: int | None = None

    def take(self, frame: Frame) -> None:
        """A frame about it. Raises GuestFailed when it could not be started."""
        for name in self.output.keys() & frame.keys():
            self.output[name] += unpacked(frame[name])
        if "failed" in frame:
            self.status = 127
            self.output["stderr"] += frame["failed"].encode()
        self.status = frame.get("ended", self.status)

    def write(self, text: str) -> None:
        """To its standard input."""
        self._guest.send({"job": self._number, "write": packed(text.encode())})

    def close_input(self) -> None:
        """Nothing more to read for it."""
        self._guest.send({"job": self._number, "close": True})

    def kill(self, number: int = 9) -> None:
        """Send it, and all that it started, a signal."""
        self._guest.send({"job": self._number, "signal": number})

    def line(self, seconds: float) -> str | None:
        """The next line of its standard output; None when it ended. Raises TimeoutError, GuestDied."""
        end = time.monotonic() + seconds
        while b"\n" not in self.output["stdout"]:
            if self.status is not None:
                return None
            self._guest.take(end)
        line, _, self.output["stdout"] = self.output["stdout"].partition(b"\n")
        return line.decode(errors="replace")

    def wait(self, seconds: float = COMMAND_SECONDS) -> Finished:
        """Its end. Raises TimeoutError, GuestDied."""
        end = time.monotonic() + seconds
        while self.status is None:
            self._guest.take(end)
        out, err = (self.output[name].decode(errors="replace") for name in ("stdout", "stderr"))
        return Finished(self.status, out, err)


class Guest:
    """One guest. Every start begins from the same system; what is on the scratch disks stays."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._line: socket.socket | None = None
        self._lines = Lines()
        self._jobs: dict[int, Job] = {}
        self._started = 0
        self._hellos = 0
        self.boots = 0
        """How often it came up; whoever has something running in it compares."""

    def boot(self) -> None:
        """Switch it on and wait until all its units have started or failed. Raises GuestDied, TimeoutError."""
        self._line, self._lines = self.machine.on(), Lines()
        self._come_up()

    def _come_up(self) -> None:
        end, before = time.monotonic() + BOOT_SECONDS, self._hellos
        while self._hellos == before:
            self.take(end)
        self.boots += 1
        # Drivers are loaded behind the units' backs, KVM's among them.
        self.run("udevadm settle --timeout=600", seconds=BOOT_SECONDS)
        state = self.run(
            "systemctl is-system-running --wait || systemctl --failed --no-legend --plain", seconds=BOOT_SECONDS
        )
        # What a test needs and did not start fails that test; others shall not suffer for it.
        if state.stdout.strip() != "running":
            warnings.warn(f"the guest did not come up in order:\n{state.stdout}", stacklevel=2)

    def reboot(self) -> None:
        """Shut it down in good order, and wait until it is up again."""
        self.start("systemctl reboot")
        self._come_up()

    def power_cut(self) -> None:
        """Take its power away at this very moment; it is booted again."""
        self.kill()
        self.boot()

    def kill(self) -> None:
        """Take its power away, and leave it off."""
        self.machine.off()
        self._line = None
        self._jobs.clear()

    @property
    def on(self) -> bool:
        """Whether it has power."""
        return self._line is not None

    def start(self, command: Command, environment: dict[str, str] | None = None) -> Job:
        """Start a program in it, and do not wait."""
        self._started += 1
        job = self._jobs[self._started] = Job(self, self._started, command)
        argv = ["/bin/sh", "-euc", command] if isinstance(command, str) else list(command)
        self.send({"start": self._started, "argv": argv, "environment": {**ENVIRONMENT, **(environment or {})}})
        return job

    def run(
        self, command: Command, *, given: str = "", seconds: float = COMMAND_SECONDS, check: bool = True
    ) -> Finished:
        """Run a program in it to its end. Raises GuestFailed with its output unless ``check`` is False."""
        job = self.start(command)
        if given:
            job.write(given)
        job.close_input()
        finished = job.wait(seconds)
        if check and finished.status:
            said = finished.stderr.strip() or finished.stdout.strip()
            raise GuestFailed(f"in the guest: {command}: status {finished.status}: {said[-2000:]}")
        return finished

    def write(self, path: str | Path, text: str) -> None:
        """Make a file in it, with the directories above."""
        self.run(["sh", "-c", 'mkdir -p "$(dirname "$0")" && cat >"$0"', str(path)], given=text)

    def read(self, path: str | Path) -> str:
        """The text of a file in it."""
        return self.run(["cat", str(path)]).stdout

    def serial(self) -> str:
        """All that it said on its serial port."""
        return self.machine.serial()

    def qmp(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """Ask QEMU, for example ``set_link`` for a cable or ``device_del`` for a disk that is pulled."""
        return self.machine.qmp.execute(command, arguments)

    def send(self, frame: Frame) -> None:
        """To the agent in it. Raises GuestDied."""
        if self._line is None:
            raise GuestDied("the guest is off")
        try:
            self._line.sendall(encoded(frame))
        except ConnectionError:
            raise self._died() from None

    def take(self, end: float) -> None:
        """Take in what it says until time ``end`` at the latest. Raises TimeoutError, GuestDied."""
        if self._line is None:
            raise GuestDied("the guest is off")
        readable, _, _ = select.select([self._line], [], [], max(0.0, end - time.monotonic()))
        if not readable:
            raise TimeoutError(f"the guest did not answer in time; {self.machine.last_words()}")
        try:
            data = self._line.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            raise self._died()
        for line in self._lines.taken(data):
            self._dispatch(line)

    def _dispatch(self, line: bytes) -> None:
        frame = decoded(line)
        if "hello" in frame:
            self._hellos += 1
            self._jobs.clear()
        elif job := self._jobs.get(frame["job"]):
            job.take(frame)
            if job.status is not None:
                del self._jobs[frame["job"]]

    def _died(self) -> GuestDied:
        words = self.machine.last_words()
        self.kill()
        return GuestDied(f"the guest went off by itself; {words}")

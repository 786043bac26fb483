"""A machine for tests of the facility itself: the guest's agent as a process on the host, with no time to boot."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.guest.outside.artefact import PROJECT

AGENT = "import sys; from tests.guest.inside.agent import Agent; Agent(int(sys.argv[1])).run()"
UP = "#!/bin/sh\necho running\n"


class NearMachine:
    """Like ``Machine``; ``directory`` is where its programs run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        programs = directory / "bin"
        programs.mkdir(exist_ok=True)
        for name in ("systemctl", "udevadm"):
            (programs / name).write_text(UP)
            (programs / name).chmod(0o755)
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT)}

    def on(self) -> socket.socket:
        """The agent runs; the end of the line to it."""
        self._line, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-c", AGENT, str(there.fileno())],
                pass_fds=[there.fileno()],
                cwd=self._directory,
                env=self._environment,
            )
        return self._line

    def off(self) -> None:
        """The agent is killed."""
        if self._process and self._line:
            self._process.kill()
            self._process.wait()
            self._line.close()

    close = off

    def resources(self) -> set[str]:
        """As ``Machine`` tells them: nothing that lasts."""
        return set()

    def last_words(self) -> str:
        """It has no screen."""
        return "its serial port said last:\nnothing"

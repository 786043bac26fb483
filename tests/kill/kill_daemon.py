"""The real daemon as a process that can be killed, frozen and started again on the same state."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kill_network import GUARDED, Network

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 40
SERVE = "import sys, pathlib, appliance.daemon; sys.exit(appliance.daemon.serve(pathlib.Path(sys.argv[1])))"
CONFIGURATION = """
[site]
state_dir = "{state}"
[[subnet]]
interface = "br0"
ranges = ["10.77.0.50-10.77.0.200"]
[boot]
stack = "{stack}"
programs = "{programs}"
[web]
listen = ["127.0.0.1:8443"]
"""

Record = dict[str, Any]


class DaemonProcess:
    """Runs in ``network``; everything it owns is below ``directory``."""

    def __init__(self, directory: Path, network: Network) -> None:
        self._network, self._directory = network, directory
        self.state = directory / "state"
        self.log = directory / "daemon.log"
        self._configuration = directory / "appliance.toml"
        self._process: subprocess.Popen[bytes] | None = None
        stack, programs = directory / "stack", directory / "programs"
        _fill(stack, vmlinuz=b"a kernel", initrd=b"an initrd")
        _fill(programs, **{"undionly.kpxe": b"a boot program", "grub-i386-pc.pxe": b"a boot loader"})
        text = CONFIGURATION.format(state=self.state, stack=stack, programs=programs)
        self._configuration.write_text(text)

    @property
    def running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Returns once it says READY (sd_notify(3)); does nothing when it runs."""
        if self.running:
            return
        address = self._directory / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(address))
            notify.setblocking(False)
            process = self._process = self._spawn(address)
            until(lambda: process.poll() is not None or _is_ready(notify), self._last_words, READY_SECONDS)
        assert process.poll() is None, self._last_words()

    def _last_words(self) -> str:
        return "the daemon does not start: " + self.log.read_text(errors="replace")[-2000:]

    def _spawn(self, notify: Path) -> subprocess.Popen[bytes]:
        argv = [*GUARDED, sys.executable, "-c", SERVE, str(self._configuration)]
        environment = {**os.environ, "NOTIFY_SOCKET": str(notify)}
        with self._network.inside(), self.log.open("ab") as log:
            return subprocess.Popen(argv, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self.thaw()
        self._process.terminate()
        return self._process.wait(30)

    def freeze(self) -> None:
        """It keeps its ports and answers nobody: what machines say now is neither heard nor lost."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def documents(self, sql: str, *values: str) -> list[Record]:
        """Documents of the store, read only, also while the daemon is frozen or dead."""
        path = f"file:{self.state}/store.db?mode=ro"
        with sqlite3.connect(path, uri=True, timeout=10) as db:
            return [json.loads(row[0]) for row in db.execute(sql, values)]

    def count(self, sql: str, *values: str) -> int:
        """One number of the store."""
        with sqlite3.connect(f"file:{self.state}/store.db?mode=ro", uri=True, timeout=10) as db:
            return int(db.execute(sql, values).fetchone()[0])


def _is_ready(notify: socket.socket) -> bool:
    try:
        return b"READY=1" in notify.recv(4096).splitlines()
    except BlockingIOError:
        return False


def _fill(directory: Path, **files: bytes) -> None:
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)


def until(condition: Any, what: str, seconds: float = 40.0, pause: float = 0.01) -> Any:
    """What ``condition`` returns once that is true; fails with ``what`` (text, or a function of it) after that."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"after {seconds} s: {what() if callable(what) else what}"
        time.sleep(pause)
    return found

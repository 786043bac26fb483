"""The real daemon as a process that can be killed, frozen and started again on the same state."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kill_network import GUARDED, Network

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 40
SERVE = Path(__file__).with_name("kill_serve.py")
INSTANT = 0.001
"""Seconds between two looks at whether the daemon is held."""
CONFIGURATION = """
[site]
state_dir = "{state}"
[[subnet]]
interface = "br0"
ranges = ["10.77.0.50-10.77.0.200"]
other_servers = "ignore"
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
        self._step = directory / "step"
        self._process: subprocess.Popen[bytes] | None = None
        self.rests = False
        """Whether it stays held at the moment that `hold_when` waited for: whoever asks it now would ask in vain."""
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
        self.rests = False
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
        argv = [*GUARDED, sys.executable, str(SERVE), str(self._configuration), str(self._directory)]
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
        self.rests = False
        self._signal(signal.SIGCONT)

    def hold_when(self, right: Callable[[], bool], meanwhile: Callable[[], None], what: Callable[[], str]) -> None:
        """Let it go on from commit to commit until one before or after which it is ``right``; there it stays held.

        No moment is missed, however slow we are. ``meanwhile`` is called again and again until then.
        """
        over = threading.Event()

        def follow() -> None:
            while not over.is_set():
                if self._held:  # asked once: one that is held a moment later was not looked at yet
                    if right():
                        self.rests = True
                        return
                    self.thaw()
                time.sleep(INSTANT)

        self._step.touch()
        self.freeze()
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(follow)
            try:
                until(lambda: meanwhile() or following.done(), what, 60)
            finally:
                over.set()
                self._step.unlink()
        following.result()

    @property
    def _held(self) -> bool:
        """Whether the process is stopped (proc_pid_stat(5))."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

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

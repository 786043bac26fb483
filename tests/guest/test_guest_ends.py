"""However the one who started the guest ends, nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.guest.outside.artefact import PROJECT

pytestmark = [pytest.mark.vm, pytest.mark.slow]
OWNER = """
import os, sys, time
from tests.guest.outside.artefact import built
from tests.guest.outside.machine import Machine
machine = Machine(built())
machine.on()
print(machine._process.pid, flush=True)
time.sleep(600)
"""


def gone(process: int) -> bool:
    """Whether a process runs no more; who has ended may wait for somebody to take notice."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


@pytest.mark.timeout(1200)  # the system may have to be built
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left(how: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "TMPDIR": str(tmp_path)}
    argv = [sys.executable, "-c", OWNER]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as owner:
        assert owner.stdout
        qemu = int(owner.stdout.readline())
        owner.send_signal(how)
    while not gone(qemu):
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []

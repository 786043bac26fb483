"""The real daemon, real clients, and a disk whose writes never return: what goes on, what waits, and who is told."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from daemon_namespace import LEASE_SCRIPT, REPOSITORY, SCRIPT_URL, Daemon
from test_daemon_reservations import Administrator

SECONDS = 30
NEWCOMER = "52:54:00:00:00:02"
SILENT = "the disk that holds the state has not answered"
"""The disk of whoever runs this may be nearly full besides, and that is told, too."""


class Stuck(Daemon):
    """Its writer hangs while ``sign`` is there."""

    @property
    def sign(self):
        return self.path / "stuck"

    def spawn(self, **environment):
        argv = [sys.executable, REPOSITORY / "tests" / "stuck_serve.py", self.config]
        environment = {**os.environ, **environment, "STUCK": str(self.sign), "PYTHONPATH": str(REPOSITORY)}
        with self.log.open("ab") as log:
            self.process = self.namespace.popen(*argv, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)

    @contextmanager
    def disk_hangs(self):
        self.sign.touch()
        try:
            yield
        finally:
            self.sign.unlink()


@pytest.fixture
def stuck(namespace, tmp_path):
    made = Stuck(namespace, tmp_path / "one")
    made.start()
    (made.path / "lease").write_text(LEASE_SCRIPT)
    (made.path / "lease").chmod(0o755)
    yield made
    made.process.kill()
    made.process.wait()


def lease(stuck, *options):
    """What busybox's client says, in a few tries."""
    argv = ["busybox", "udhcpc", "-i", "port1", "-s", stuck.path / "lease", "-n", "-q", "-t", "2", "-T", "1", *options]
    said = subprocess.run(stuck.namespace.inside(*argv), capture_output=True, text=True, timeout=SECONDS, check=False)
    return said.stdout


def become(stuck, mac):
    for words in (("down",), ("address", mac), ("up",)):
        stuck.namespace.run("ip", "link", "set", "port1", *words)


def until(look, why):
    end = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < end, why()
        time.sleep(0.1)
    return found


def test_who_has_an_address_goes_on_and_nobody_gets_a_new_one_until_the_disk_is_back(stuck, namespace):
    admin = Administrator(stuck)
    first = lease(stuck)
    assert "leased 10.77.0.50" in first
    with stuck.disk_hangs():
        become(stuck, NEWCOMER)
        assert "leased" not in lease(stuck), "its lease would not survive a power cut"
        become(stuck, "52:54:00:00:00:01")
        assert "leased 10.77.0.50" in lease(stuck), "inside its slack a renewal needs no write"
        assert namespace.run("dig", "+short", "@10.77.0.1", "appliance.lab.test") == "10.77.0.1\n"
        assert namespace.run("curl", "--silent", "tftp://10.77.0.1/undionly.kpxe").startswith("undionly.kpxe")
        assert namespace.curl("http://10.77.0.1/boot/undionly.kpxe")[0] == 200
        assert namespace.curl("http://10.77.0.1/time")[0] == 200
        status, script = namespace.curl(SCRIPT_URL, "--interface", "10.77.0.50")
        assert status == 200, "a machine is never sent away"
        assert script.startswith("#!ipxe")
        assert "has not answered" in script
        until(lambda: SILENT in admin.ask("GET", "/settings")["trouble"], stuck.words)
        refused = admin.ask("POST", "/network/reservations", 503, mac=NEWCOMER, address="10.77.0.9", name="", note="")
        assert refused["code"] == "store-stuck"
        assert SILENT in stuck.words()
    until(lambda: SILENT not in admin.ask("GET", "/settings")["trouble"], stuck.words)
    become(stuck, NEWCOMER)
    assert "leased 10.77.0.51" in lease(stuck)
    told = until(lambda: admin.ask("GET", "/events?kind=daemon.trouble")["items"], stuck.words)
    assert told[0]["text"].startswith("the disk that holds the state answers again")


def test_a_kill_while_the_disk_hangs_promises_nothing_twice(stuck, namespace):
    assert "leased 10.77.0.50" in lease(stuck)
    with stuck.disk_hangs():
        become(stuck, NEWCOMER)
        assert "leased" not in lease(stuck)
        stuck.process.kill()
        stuck.process.wait()
    stuck.start()
    assert "leased 10.77.0.51" in lease(stuck)
    become(stuck, "52:54:00:00:00:01")
    assert "leased 10.77.0.50" in lease(stuck)

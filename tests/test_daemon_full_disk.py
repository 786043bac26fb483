"""The real daemon, real clients, and a small file system of the state that fills up: what goes on, what returns."""

import secrets
import signal
import time

import pytest
from daemon_namespace import LEASE_SCRIPT, SCRIPT_URL
from test_daemon_reservations import Administrator
from test_daemon_stuck_disk import Stuck, become, lease, until

MEGABYTES = 24
KNOWN = "52:54:00:00:00:01"
FIRST = {"name": "admin", "password": "correct horse battery"}


@pytest.fixture
def small(namespace, tmp_path):
    """A daemon whose state is on a file system of its own, of a few megabytes, and that looks at it often."""
    daemon = Stuck(namespace, tmp_path / "one")
    state = daemon.path / "state"
    state.mkdir(mode=0o700)
    namespace.run("mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=700", "none", state)
    (daemon.path / "lease").write_text(LEASE_SCRIPT)
    (daemon.path / "lease").chmod(0o755)
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.process.kill()
        daemon.process.wait()
    namespace.run("umount", "--lazy", state)


class Inside(Administrator):
    """Reads the set-up link where the state is mounted."""

    def __init__(self, daemon):
        state = daemon.path / "state" / "setup-url"
        link = daemon.namespace.run("cat", state)
        self._curl = daemon.namespace.curl
        made = self.ask("POST", "/setup", 201, token=link.split()[0].partition("token=")[2], **FIRST)
        self._token = made["token"]

    def refusal(self):
        """What is said to a change; None while the store has room for it in itself."""
        record = {"name": secrets.token_hex(8), "type": "TXT", "value": "x" * 200, "note": ""}
        try:
            self.ask("POST", "/network/names", 201, **record)
        except AssertionError as error:
            return str(error)
        return None


def fill(daemon, name="filler"):
    """Take all room that is left, whatever it is; dd(1) ends with an error then."""
    target = daemon.path / "state" / name
    daemon.namespace.run("sh", "-c", f"dd if=/dev/zero of={target} bs=64k 2>/dev/null; sync; test -s {target}")


def empty(daemon, *names):
    daemon.namespace.run("rm", *(daemon.path / "state" / each for each in names))


def leased(daemon, address):
    """Ask until this address is leased: a busy computer may answer later than a client waits."""
    until(lambda: f"leased {address}" in lease(daemon), daemon.words)


def level(admin):
    found = admin.ask("GET", "/events?kind=state.room")["items"]
    return found[0]["detail"]["level"] if found else "fine"


def stored(admin, address):
    return next(each for each in admin.ask("GET", "/network/leases")["items"] if each["address"] == address)


def later(admin, before):
    """Whether the disk has the lease for longer, with the name that made it be written."""
    now = stored(admin, before["address"])
    return now["hostname"] == "node" and now["until"] > before["until"]


def serves(daemon):
    """What needs no write goes on, whatever happens to the disk."""
    inside = daemon.namespace
    assert inside.run("dig", "+short", "@10.77.0.1", "appliance.lab.test") == "10.77.0.1\n"
    assert inside.run("curl", "--silent", "tftp://10.77.0.1/undionly.kpxe").startswith("undionly.kpxe")
    assert inside.curl("http://10.77.0.1/boot/undionly.kpxe")[0] == 200
    assert inside.curl("http://10.77.0.1/time")[0] == 200


def test_a_full_disk_takes_no_lease_away_and_all_returns_when_there_is_room(small):
    small.start()
    admin = Inside(small)
    leased(small, "10.77.0.50")
    fill(small)
    told = until(lambda: admin.ask("GET", "/settings")["trouble"], small.words)
    assert "of a reserve are left" in told
    until(lambda: level(admin) == "full", small.words)  # there was room for that in the reserve
    become(small, "52:54:00:00:00:02")
    leased(small, "10.77.0.51")  # the reserve is for that

    fill(small, "more")
    until(lambda: "the reserve is used up" in admin.ask("GET", "/settings")["trouble"], small.words)
    serves(small)
    become(small, KNOWN)
    before = stored(admin, "10.77.0.50")
    until(lambda: "leased 10.77.0.50" in lease(small, "-x", "hostname:node") and later(admin, before), small.words)
    status, script = small.namespace.curl(SCRIPT_URL, "--interface", "10.77.0.50")
    assert status == 200, "a machine is never sent away"
    assert script.startswith("#!ipxe")
    assert admin.ask("GET", "/machines")["items"] is not None, "whoever is logged in sees the console"
    refused = until(admin.refusal, small.words)
    assert "store-failed" in refused
    assert "its disk is full" in refused
    small.end(signal.SIGKILL)
    small.start()
    assert stored(admin, "10.77.0.50")["until"] > before["until"], "what was promised on a full disk is kept"

    empty(small, "filler", "more")
    until(lambda: admin.ask("GET", "/settings")["trouble"] == "", small.words)
    until(lambda: level(admin) == "fine", small.words)
    assert admin.refusal() is None
    become(small, "52:54:00:00:00:03")
    leased(small, "10.77.0.52")
    small.namespace.run("test", "-s", small.path / "state" / "reserve")


@pytest.mark.slow
def test_it_starts_on_a_full_disk_and_knows_who_has_which_address(small):
    small.start()
    leased(small, "10.77.0.50")
    reserve = small.path / "state" / "reserve"
    until(lambda: small.namespace.run("sh", "-c", f"test -s {reserve} && echo there || true"), small.words)
    fill(small)
    assert small.end(signal.SIGKILL) == -signal.SIGKILL
    begun = time.monotonic()
    small.start()
    assert time.monotonic() - begun < 60
    serves(small)
    leased(small, "10.77.0.50")

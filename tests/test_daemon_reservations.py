"""An address reserved through the API of the real daemon is what a real client of the network gets."""

import json
import os
import re
import select
import signal
import subprocess

import pytest
from daemon_namespace import SCRIPT_URL

MAC = "52:54:00:00:00:01"
API = "https://127.0.0.1:8443/api/v1"
PASSWORD = "correct horse battery"
SECONDS = 40
SCRIPT = """#!/bin/sh
case "$1" in
deconfig) ip address flush dev "$interface" ;;
bound | renew)
    ip address flush dev "$interface"
    ip address add "$ip/24" dev "$interface"
    echo "$1 $ip"
    ;;
nak) echo nak ;;
esac
"""


class Administrator:
    """Whoever set the appliance up, with curl."""

    def __init__(self, daemon):
        self._curl = daemon.namespace.curl
        token = re.search(r"token=(\S+)", (daemon.path / "state" / "setup-url").read_text())[1]
        made = self.ask("POST", "/setup", 201, token=token, name="admin", password=PASSWORD)
        self._token = made["token"]

    _token = ""

    def ask(self, method, path, wanted=200, **body):
        arguments = ["--request", method, "--header", "Content-Type: application/json", "--data", json.dumps(body)]
        login = ["--header", f"Authorization: Bearer {self._token}"] if self._token else []
        status, said = self._curl(API + path, *arguments, *login)
        assert status == wanted, said
        return json.loads(said)


class Client:
    """Busybox's DHCP client on a card of its own namespace, on the daemon's bridge; it stays until it is ended."""

    def __init__(self, namespace, path):
        self._script = path / "lease"
        self._script.write_text(SCRIPT)
        self._script.chmod(0o755)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._holder = namespace.popen("unshare", "--net", "sh", "-c", "echo $$; exec cat", text=True, **pipes)
        self._pid = self._holder.stdout.readline().strip()
        namespace.run("ip", "link", "set", "port1", "address", MAC, "netns", self._pid)
        self._namespace, self._process = namespace, None
        namespace.run(*self._enter, "ip", "link", "set", "port1", "up")

    @property
    def _enter(self):
        return ("nsenter", "--target", self._pid, "--net")

    def start(self):
        argv = (*self._enter, "udhcpc", "-i", "port1", "-f", "-t", "8", "-T", "1", "-s", self._script)
        self._process = self._namespace.popen(
            *argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)
        )

    def says(self):
        """The next thing that its script was told, or nothing within the time."""
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        return os.read(self._process.stdout.fileno(), 4096).decode().split("\n")[:-1] if ready else []

    def until(self, *lines):
        """All that it heard up to one of these lines."""
        heard = []
        while not set(lines) & set(heard):
            more = self.says()
            assert more, f"wanted one of {lines}, heard {heard}"
            heard += more
        return heard

    def renews_until(self, line):
        """Renew, once more where the server had not heard of the reservation yet: the API does not wait for it."""
        heard = []
        while line not in heard:
            if not heard or heard[-1].startswith("renew "):
                self.renew()
            more = self.says()
            assert more, f"wanted {line!r}, heard {heard}"
            heard += more
        return heard

    def renew(self):
        self._process.send_signal(signal.SIGUSR1)

    def boot(self, address=""):
        """Ask for the boot script, from this address where another server has given it one."""
        if address:
            self._namespace.run(*self._enter, "ip", "address", "add", address, "dev", "port1")
        script = self._namespace.run(*self._enter, "curl", "--silent", SCRIPT_URL)
        assert "qrm.token=" in script, script

    def end(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process is not None:
            self._process.stdout.close()
            self._process = None

    def close(self):
        self.end()
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()


@pytest.fixture
def client(namespace, tmp_path):
    made = Client(namespace, tmp_path)
    yield made
    made.close()


def test_a_running_client_moves_to_the_address_that_is_reserved_and_finds_it_again(daemon, client):
    daemon.start()
    admin = Administrator(daemon)
    client.start()
    client.until("bound 10.77.0.50")
    client.boot()
    refused = admin.ask("PATCH", "/machines/node-000001", 422, reserved_address="10.77.0.1")
    assert refused["field"] == "reserved_address"
    admin.ask("PATCH", "/machines/node-000001", reserved_address="10.77.0.177")
    assert "nak" in client.renews_until("bound 10.77.0.177"), "it was told to ask anew"
    client.renew()
    client.until("renew 10.77.0.177")
    client.end()
    assert daemon.end(signal.SIGTERM) == 0, daemon.words()
    daemon.start()
    client.start()
    client.until("bound 10.77.0.177")


def test_where_only_reservations_are_served_the_one_that_was_made_is(daemon, client):
    daemon.configure('ranges = ["10.77.0.50-10.77.0.99"]', 'mode = "reservations"')
    daemon.start()
    admin = Administrator(daemon)
    assert "nobody gets an address on br0" in daemon.words()
    client.boot("10.77.0.60/24")
    client.start()
    admin.ask("PATCH", "/machines/node-000001", reserved_address="10.77.0.9")
    client.until("bound 10.77.0.9")

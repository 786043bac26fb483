"""A backup of one appliance comes back on a second, fresh one through its API: machines known, leases kept."""

import json
import os
import signal
import subprocess
import time

import pytest
from daemon_namespace import Daemon
from test_daemon_reservations import API, PASSWORD, Administrator
from test_daemon_stuck_disk import lease, until

PASSPHRASE = "a horse on a bicycle"
SECONDS = 60


def started(daemon):
    """How often it said that it serves."""
    return daemon.words().count("the fingerprint of the certificate authority is")


def wait_for_start(daemon, count):
    end = time.monotonic() + SECONDS
    while started(daemon) < count:
        assert time.monotonic() < end, daemon.words()
        assert daemon.process.poll() is None, daemon.words()
        time.sleep(0.05)


def fetch(daemon, admin, target):
    body = json.dumps({"passphrase": PASSPHRASE})
    daemon.namespace.run(
        "curl", "--silent", "--fail", "--insecure", "--output", target, "--header", "Content-Type: application/json",
        "--header", f"Authorization: Bearer {admin._token}", "--data", body, f"{API}/appliance/backup",
    )  # fmt: skip


def send(daemon, admin, source):
    argv = ["--request", "PUT", "--upload-file", source, "--header", f"Authorization: Bearer {admin._token}"]
    status, said = daemon.namespace.curl(f"{API}/appliance/backup/upload", *argv)
    assert status == 201, said
    return json.loads(said)


def log_in(daemon, name="admin"):
    body = json.dumps({"name": name, "password": PASSWORD})
    return daemon.namespace.curl(f"{API}/sessions", "--header", "Content-Type: application/json", "--data", body)


@pytest.fixture
def two(namespace, tmp_path):
    """Two appliances on one network, of which one runs at a time."""
    made = [Daemon(namespace, tmp_path / name) for name in ("first", "second")]
    yield made
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def authority(daemon):
    return (daemon.path / "state" / "ca-fingerprint").read_text().strip()


def test_a_second_appliance_goes_on_where_the_first_one_was(two, tmp_path):
    first, second = two
    first.start()
    admin = Administrator(first)
    first.boot()
    until(lambda: "leased 10.77.0.50" in lease(first), first.words)
    (machine,) = admin.ask("GET", "/machines")["items"]
    backup = tmp_path / "first.qrmstate"
    fetch(first, admin, backup)
    assert first.end(signal.SIGTERM) == 0, first.words()

    second.start()
    (second.path / "lease").write_text((first.path / "lease").read_text())
    (second.path / "lease").chmod(0o755)
    other = Administrator(second)
    assert other.ask("GET", "/machines")["items"] == []
    found = send(second, other, backup)
    assert (found["encrypted"], found["authority"]) == (True, authority(first))
    refused = other.ask("POST", "/appliance/restore", 422, passphrase="another one than that")
    assert (refused["code"], refused["field"]) == ("passphrase-wrong", "passphrase")
    assert other.ask("POST", "/appliance/restore", passphrase=PASSPHRASE) == {"missing": []}
    wait_for_start(second, 2)
    assert other._curl(f"{API}/machines", "--header", f"Authorization: Bearer {other._token}")[0] == 401
    status, said = log_in(second)
    assert status == 201
    admin._curl, admin._token = second.namespace.curl, json.loads(said)["token"]
    (known,) = admin.ask("GET", "/machines")["items"]
    assert known["id"] == machine["id"]
    assert authority(second) == authority(first)
    until(lambda: "leased 10.77.0.50" in lease(second), second.words)  # the lease is known
    left = admin.ask("GET", "/appliance/backup")
    assert left["uploaded"] is None
    assert "10.77.0.50-10.77.0.99" in left["configuration"]
    (old,) = left["old_states"]
    assert (second.path / "state" / old["name"] / "store.db").is_file()
    told = admin.ask("GET", "/events?kind=state.restored")["items"]
    assert len(told) == 1
    assert not list((second.path / "state" / "incoming").glob("download-*"))


@pytest.mark.slow
def test_killed_while_it_restores_it_has_one_of_the_two(two, tmp_path):
    """The signal comes at moments that luck chooses; each time a whole appliance starts."""
    first, second = two
    first.start()
    admin = Administrator(first)
    first.boot()
    backup = tmp_path / "first.qrmstate"
    fetch(first, admin, backup)
    assert first.end(signal.SIGTERM) == 0
    second.start()
    other, came = Administrator(second), 0
    for number in range(6):
        send(second, other, backup)
        body = json.dumps({"passphrase": PASSPHRASE})
        argv = second.namespace.inside(
            "curl", "--silent", "--insecure", "--header", "Content-Type: application/json", "--header",
            f"Authorization: Bearer {other._token}", "--data", body, f"{API}/appliance/restore",
        )  # fmt: skip
        asking = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        time.sleep(0.15 * number)
        os.kill(second.process.pid, signal.SIGKILL)
        second.process.wait()
        asking.wait()
        second.start()
        if authority(second) == authority(first):
            came += 1
            break
        assert other.ask("GET", "/machines")["items"] == [], "the state of before, and whoever was logged in still is"
    assert log_in(second)[0] == 201, "each of the two has this administrator"

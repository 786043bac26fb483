"""The real daemon and real clients of its network: a reserved address, names that are asked for, and who was seen."""

import json
import signal
import time

import pytest
from test_daemon_reservations import MAC, Administrator, Client

SECONDS = 30
PXE_VENDOR = "PXEClient:Arch:00000:UNDI:002001"


@pytest.fixture
def client(namespace, tmp_path):
    made = Client(namespace, tmp_path)
    yield made
    made.close()


@pytest.fixture
def admin(daemon):
    daemon.start()
    return Administrator(daemon)


def dig(daemon, *words):
    said = daemon.namespace.run("dig", "@10.77.0.1", "+short", "+tries=2", "+timeout=3", *words)
    return sorted(said.split("\n")[:-1])


def delete(admin, path, wanted=204):
    login = ["--header", f"Authorization: Bearer {admin._token}"]
    status, said = admin._curl(f"https://127.0.0.1:8443/api/v1{path}", "--request", "DELETE", *login)
    assert status == wanted, said


def seen(admin, wanted):
    """The one sighting, once ``wanted`` holds of it: it is stored a moment after it was heard."""
    end = time.monotonic() + SECONDS
    while True:
        items = admin.ask("GET", "/network/sightings")["items"]
        if items and wanted(items[0]):
            return items[0]
        assert time.monotonic() < end, json.dumps(items)
        time.sleep(0.2)


def test_a_reservation_by_mac_is_what_the_next_lease_is_and_its_name_is_answered(daemon, admin, client):
    client.start()
    client.until("bound 10.77.0.50")
    body = {"mac": MAC, "address": "10.77.0.9", "name": "printer"}
    admin.ask("POST", "/network/reservations", 201, **body)
    assert dig(daemon, "printer.lab.test") == ["10.77.0.9"]
    assert dig(daemon, "-x", "10.77.0.9") == ["printer.lab.test."]
    client.renew()
    assert "nak" in client.until("bound 10.77.0.9")
    client.end()
    assert daemon.end(signal.SIGTERM) == 0, daemon.words()
    daemon.start()
    assert dig(daemon, "printer.lab.test") == ["10.77.0.9"], "it is there from the first moment"
    client.start()
    client.until("bound 10.77.0.9")
    delete(admin, f"/network/reservations/{MAC}")
    assert dig(daemon, "printer.lab.test") == []


def test_names_that_users_add_are_answered_at_once(daemon, admin, client):
    client.start()
    client.until("bound 10.77.0.50")
    client.boot()
    for name, kind, value in (
        ("www", "A", "10.77.0.8"),
        ("www", "A", "10.77.0.7"),
        ("www", "AAAA", "fd00::8"),
        ("web", "CNAME", "node-000001"),
        ("out", "CNAME", "www.example.org"),
        ("_ldap._tcp", "SRV", "0 5 389 node-000001"),
        ("_none._tcp", "SRV", "0 0 0 ."),
        ("_x.www", "TXT", "hello world"),
    ):
        made = admin.ask("POST", "/network/names", 201, name=name, type=kind, value=value)
        assert dig(daemon, f"{name}.lab.test", kind), (name, kind)
    assert dig(daemon, "www.lab.test") == ["10.77.0.7", "10.77.0.8"]
    assert dig(daemon, "www.lab.test", "AAAA") == ["fd00::8"]
    assert dig(daemon, "web.lab.test") == ["10.77.0.50", "node-000001.lab.test."]
    assert dig(daemon, "out.lab.test", "CNAME") == ["www.example.org."]
    assert dig(daemon, "_ldap._tcp.lab.test", "SRV") == ["0 5 389 node-000001.lab.test."]
    assert dig(daemon, "_none._tcp.lab.test", "SRV") == ["0 0 0 ."]
    assert dig(daemon, "_x.www.lab.test", "TXT") == ['"hello world"']
    delete(admin, f"/network/names/{made['id']}")
    assert dig(daemon, "_x.www.lab.test", "TXT") == []
    refused = admin.ask("POST", "/network/names", 409, name="node-000001", type="A", value="10.77.0.8")
    assert refused["code"] == "name-taken"


def test_an_ordinary_client_is_seen_and_told_from_one_that_boots(admin, client):
    client.start()
    client.until("bound 10.77.0.50")
    found = seen(admin, lambda each: each["stage"] == "leased")
    assert (found["mac"], found["interface"], found["address"]) == (MAC, "br0", "10.77.0.50")
    assert found["vendor_class"].startswith("udhcp")
    assert "does not network-boot" in found["cause"]
    delete(admin, f"/network/sightings/{MAC}")
    assert admin.ask("GET", "/network/sightings")["items"] == []


def test_firmware_that_asks_and_goes_nowhere_is_seen_with_its_stage(daemon, admin, namespace, tmp_path):
    script = tmp_path / "nothing"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    asks = ["udhcpc", "-i", "port1", "-s", script, "-n", "-q", "-t", "3", "-T", "1", "-V", PXE_VENDOR]
    namespace.run("busybox", *asks)
    found = seen(admin, lambda each: each["stage"] == "leased")
    assert (found["firmware"], found["vendor_class"]) == ("bios", PXE_VENDOR)
    assert "seconds ago" in found["cause"], "it may still be booting"
    namespace.run("ip", "address", "add", "10.77.0.50/24", "dev", "port1")
    fetch = ["curl", "--silent", "--interface", "10.77.0.50", "--output", "/dev/null"]
    namespace.run(*fetch, "http://10.77.0.1/boot/undionly.kpxe")
    found = seen(admin, lambda each: each["stage"] == "program")
    assert found["file"] == "undionly.kpxe"
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    daemon.start()
    assert seen(admin, lambda _: True)["stage"] == "program"


def test_a_lease_is_forgotten_and_its_address_given_to_the_next(admin, client):
    client.start()
    client.until("bound 10.77.0.50")
    client.end()
    delete(admin, "/network/leases/br0/10.77.0.50")
    assert admin.ask("GET", "/network/leases")["items"] == []
    subnet = admin.ask("GET", "/network/subnets")["items"][0]
    assert subnet["ranges"] == [
        {"first": "10.77.0.50", "last": "10.77.0.99", "size": 50, "leased": 0, "reserved": 0, "free": 50}
    ]
    delete(admin, "/network/leases/br0/10.77.0.50", 404)

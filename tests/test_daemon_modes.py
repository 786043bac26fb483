"""Subnets of the real daemon are switched while real clients and a real other DHCP server are on the network."""

import json
import signal
import subprocess
import time

import pytest
from test_daemon_reservations import MAC, Administrator, Client

SECONDS = 60
OTHER = "10.77.0.2"
SERVE = "10.77.0.150,10.77.0.199,1h"


@pytest.fixture
def client(namespace, tmp_path):
    made = Client(namespace, tmp_path)
    yield made
    made.close()


class Neighbour:
    """dnsmasq on a card of its own namespace on the daemon's bridge: somebody else's DHCP server."""

    def __init__(self, namespace, path):
        self._namespace, self._path = namespace, path
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._holder = namespace.popen("unshare", "--net", "sh", "-c", "echo $$; exec cat", text=True, **pipes)
        pid = self._holder.stdout.readline().strip()
        self._enter = ("nsenter", "--target", pid, "--net")
        namespace.run("ip", "link", "add", "port8", "type", "veth", "peer", "name", "port9", "netns", pid)
        namespace.run("ip", "link", "set", "port8", "master", "br0", "up")
        namespace.run(*self._enter, "ip", "address", "add", f"{OTHER}/24", "dev", "port9")
        namespace.run(*self._enter, "ip", "link", "set", "port9", "up")
        self._process = None

    def start(self):
        # -d: it neither forks nor changes its user, which a user namespace would not let it. It pings, as it does by
        # default, for three seconds before it offers an address.
        files = ("--conf-file=/dev/null", f"--dhcp-leasefile={self._path}/dnsmasq.leases")
        serve = (f"--dhcp-range={SERVE}", "--dhcp-authoritative", "--interface=port9", "--bind-interfaces")
        argv = (*self._enter, "dnsmasq", "-d", "--port=0", *serve, *files)
        self._process = self._namespace.popen(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self):
        self.stop()
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()


@pytest.fixture
def neighbour(namespace, tmp_path):
    made = Neighbour(namespace, tmp_path)
    yield made
    made.close()


def subnet(admin):
    return admin.ask("GET", "/network/subnets/br0")


def until(admin, wanted):
    """The subnet, once ``wanted`` holds of it."""
    end = time.monotonic() + SECONDS
    while not wanted(found := subnet(admin)):
        assert time.monotonic() < end, json.dumps(found)
        time.sleep(0.2)
    return found


def switch(admin, wanted=200, **rules):
    return admin.ask("PATCH", "/network/subnets/br0", wanted, **rules)


def look(admin):
    said = ["--header", f"Authorization: Bearer {admin._token}", "--request", "POST"]
    status, _ = admin._curl("https://127.0.0.1:8443/api/v1/network/subnets/br0/look", *said)
    assert status == 204


def served(admin):
    """What the daemon says that it means to serve, to whoever judges its version."""
    status, said = admin._curl("https://127.0.0.1:8443/healthz")
    assert status == 200
    return json.loads(said)["serves"]


def events(admin, kind):
    return [each["text"] for each in admin.ask("GET", f"/events?kind={kind}")["items"]]


def sockets(daemon):
    """UDP ports that the daemon listens on at any address of the bridge."""
    lines = daemon.namespace.run("ss", "--udp", "--listening", "--numeric", "--no-header").splitlines()
    return {int(line.split()[3].rpartition(":")[2]) for line in lines if "%br0" in line}


def test_a_subnet_is_switched_while_a_client_holds_a_lease_and_stays_so_after_a_restart(daemon, client):
    daemon.start()
    admin = Administrator(daemon)
    assert sockets(daemon) == {67}
    client.start()
    client.until("bound 10.77.0.50")
    asked = switch(admin, 409, mode="off")
    assert "1 lease cannot be renewed any more" in asked["detail"]
    assert subnet(admin)["mode"] == "authoritative", "nothing happens before it is confirmed"
    switch(admin, mode="off", confirm="br0")
    assert sockets(daemon) == set()
    assert served(admin) == ["tftp"]
    client.renew()
    switch(admin, mode="proxy")
    assert sockets(daemon) == {67, 4011}
    assert served(admin) == ["dhcp", "tftp"]
    switch(admin, mode="authoritative")
    assert sockets(daemon) == {67}
    client.renew()  # it got no answer to the last one, and begins anew, unless it has just asked once more by itself
    heard = client.until("bound 10.77.0.50", "renew 10.77.0.50")
    assert "nak" not in heard, "its lease is kept"
    client.renew()
    client.until("renew 10.77.0.50")
    switch(admin, mode="reservations", serve_non_pxe=False, unknown_machines="ignore", confirm="br0")
    client.end()
    assert daemon.end(signal.SIGTERM) == 0, daemon.words()
    daemon.start()
    found = subnet(admin)
    rules = ("mode", "serve_non_pxe", "unknown_machines", "other_servers")
    assert [found[name] for name in rules] == ["reservations", False, "ignore", "ignore"]
    assert found["fixed"] == ["other_servers"], "that is in its configuration file"
    admin.ask("POST", "/network/reservations", 201, mac=MAC, address="10.77.0.9")
    client.start()
    client.until("bound 10.77.0.9")
    told = events(admin, "network.changed")
    assert any("switched br0: mode to reservations, serve_non_pxe to no" in each for each in told), told
    audited = admin.ask("GET", "/audit?action=subnet.switch")["items"]
    assert [each["after"]["mode"] for each in audited] == ["reservations", "authoritative", "proxy", "off"]


def test_what_the_file_fixes_is_not_switched(daemon):
    daemon.configure('other_servers = "ignore"', 'mode = "proxy"\nserve_non_pxe = true')
    daemon.start()
    admin = Administrator(daemon)
    assert subnet(admin)["fixed"] == ["mode", "serve_non_pxe"]
    refused = switch(admin, 409, mode="authoritative")
    assert (refused["code"], refused["field"]) == ("rule-fixed", "mode")
    switch(admin, unknown_machines="ignore")
    assert subnet(admin)["mode"] == "proxy"


def test_a_port_that_is_taken_refuses_the_switch_and_changes_nothing(daemon):
    daemon.start()
    admin = Administrator(daemon)
    holds = "import socket,sys; s=socket.socket(2,2); s.bind(('',4011)); print('held',flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with daemon.namespace.popen("python3", "-c", holds, text=True, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        refused = switch(admin, 500, mode="proxy", confirm="br0")
        assert refused["code"] == "dhcp-port-in-use"
        holder.stdin.close()
    assert (subnet(admin)["mode"], sockets(daemon)) == ("authoritative", {67})
    assert events(admin, "network.changed") == []


def test_no_address_is_given_beside_another_server_until_it_is_gone_or_forced(daemon, neighbour, client):
    """The whole story, with a dnsmasq that is there before us."""
    daemon.configure('other_servers = "ignore"\n', "")
    neighbour.start()
    daemon.start()
    admin = Administrator(daemon)
    found = until(admin, lambda each: each["held_by"])
    assert found["held_by"] == [OTHER]
    assert events(admin, "dhcp.held") == [
        f"no new addresses are given on br0: another DHCP server, {OTHER}, answers there"
    ]
    neighbour.stop()
    client.start()  # it asks on: neither answers
    look(admin)
    client.until("bound 10.77.0.50")
    assert subnet(admin)["held_by"] == []
    assert events(admin, "dhcp.begins") == ["addresses are given on br0: no other DHCP server answers there any more"]
    # It comes back within the first two minutes: nothing new is given, and what was given is kept.
    neighbour.start()
    look(admin)
    until(admin, lambda each: each["held_by"])
    client.renew()
    client.until("renew 10.77.0.50")
    asked = switch(admin, 409, other_servers="ignore")
    assert "may be given the same address" in asked["detail"]
    forced = switch(admin, other_servers="ignore", confirm="br0")
    assert (forced["held_by"], forced["looking"]) == ([], False)
    audited = admin.ask("GET", "/audit?action=subnet.switch")["items"][0]
    assert audited["after"] == {"other_servers": "ignore"}


@pytest.mark.slow
def test_a_restart_goes_on_at_once_and_tells_of_a_server_that_came_meanwhile(daemon, neighbour, client):
    daemon.configure('other_servers = "ignore"\n', "")
    daemon.start()
    admin = Administrator(daemon)
    until(admin, lambda each: each["looked"] is not None)
    assert not subnet(admin)["looking"]
    neighbour.start()
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    daemon.start()
    assert not subnet(admin)["looking"], "it only restarts"
    until(admin, lambda each: each["looked"] is not None)
    found = until(admin, lambda each: each["foreign"])
    assert (found["foreign"][0]["address"], found["held_by"]) == (OTHER, [])


def test_without_a_subnet_nothing_is_listened_on(daemon):
    daemon.configure(
        '[[subnet]]\ninterface = "br0"\nranges = ["10.77.0.50-10.77.0.99"]\nother_servers = "ignore"\n', ""
    )
    daemon.start()
    lines = daemon.namespace.run("ss", "--udp", "--listening", "--numeric", "--no-header").splitlines()
    assert lines == [], "not even at any address"
    assert Administrator(daemon).ask("GET", "/network/subnets")["items"] == []

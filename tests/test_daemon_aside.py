"""The real daemon and subnets that do not fit the networks: they are set aside, and all the rest is served."""

import sqlite3
import time

import msgspec
import pytest

from appliance import daemon as daemon_module
from appliance.errors import ApplianceError
from appliance.last_run import Run, begin, left
from appliance.netboot.dhcp.wire import INTERFACE_GONE


def told(daemon):
    with sqlite3.connect(daemon.path / "state" / "store.db") as db:
        rows = db.execute("SELECT doc FROM events WHERE kind = 'network.aside' ORDER BY id").fetchall()
    return [msgspec.json.decode(document)["text"] for (document,) in rows]


def until(condition):
    while not condition():
        time.sleep(0.05)


def console(namespace):
    return namespace.curl("https://127.0.0.1:8443/api/v1/machines")[0]


def test_what_does_not_fit_is_said_and_the_console_is_there(daemon, namespace):
    daemon.configure("10.77.0.50-", "10.76.0.50-")
    daemon.start()
    until(lambda: told(daemon))
    assert told(daemon) == ["the subnet br0 is not served: 10.76.0.50-10.77.0.99 is outside 10.77.0.0/24"]
    assert console(namespace) == 401
    assert ":67 " not in namespace.run("ss", "-lunH")


def test_an_interface_that_goes_ends_no_daemon(tmp_path, monkeypatch):
    state = tmp_path / "state"
    (tmp_path / "qrm.toml").write_text(f'[site]\nstate_dir = "{state}"\n')

    async def live(path, found, passed):
        begin(state, Run(time.time(), "a" * 32))
        raise ExceptionGroup("of a task", [ApplianceError(INTERFACE_GONE, "the interface br0 was removed")])

    monkeypatch.setattr(daemon_module, "_live", live)
    assert daemon_module._served(tmp_path / "qrm.toml", ()), "it begins anew"
    assert left(state) is None, "and nothing was interrupted"


@pytest.mark.slow
def test_an_interface_that_goes_takes_its_subnet_along_and_brings_it_back(daemon, namespace):
    daemon.start()
    assert ":67 " in namespace.run("ss", "-lunH")
    namespace.run("ip", "link", "delete", "br0")
    until(lambda: told(daemon))
    assert told(daemon) == ["the subnet br0 is not served: there is no such interface as br0"]
    assert daemon.process.poll() is None, "it went on"
    until(lambda: _answers(namespace))
    namespace.run("ip", "link", "add", "br0", "type", "bridge")
    namespace.run("ip", "link", "set", "br0", "up")
    namespace.run("ip", "address", "add", "10.77.0.1/24", "dev", "br0")
    until(lambda: ":67 " in namespace.run("ss", "-lunH"))
    assert told(daemon)[1:] == ["the subnet br0 fits the networks, and is served from now on"]
    until(lambda: _answers(namespace))


def _answers(namespace):
    try:
        return console(namespace) == 401
    except Exception:
        return False

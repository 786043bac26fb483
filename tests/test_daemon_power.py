"""A power switch from end to end: the real daemon's API, ``ipmitool``, OpenIPMI's simulator, a machine behind it."""

import signal
import time

import controllers
import pytest
from bench_machine import BenchMachine
from test_daemon_reservations import Administrator

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(240)]


def done(admin, task):
    """What became of a task."""
    while (found := admin.ask("GET", f"/tasks/{task}"))["status"] in ("queued", "running", "waiting"):
        time.sleep(0.1)
    return found


def switched(admin, machine, action, **confirm):
    task = admin.ask("POST", f"/machines/{machine}/power/{action}", 202, **confirm)
    return done(admin, task["id"])


def test_an_administrator_switches_a_machine_and_nobody_learns_its_password(daemon, tmp_path):
    machine = BenchMachine(tmp_path)
    daemon.start()
    admin = Administrator(daemon)
    daemon.boot()
    (known,) = admin.ask("GET", "/machines")["items"]
    key, name = known["id"], known["name"]
    with controllers.ipmi_sim(machine, daemon.namespace) as settings:
        where = {"kind": "ipmi", "address": settings.address, "port": settings.port, "user": settings.user}
        said = admin.ask("PUT", f"/machines/{key}/power", **where, secret=controllers.PASSWORD)
        assert said["secret_set"]
        assert switched(admin, key, "on")["status"] == "done"
        assert machine.is_on()
        assert switched(admin, key, "off", confirm=name)["status"] == "done"
        assert not machine.is_on()
        assert switched(admin, key, "network-once", confirm=name)["status"] == "done"
        assert machine.started() == ["default", "pxe"]
        admin.ask("PUT", f"/machines/{key}/power", **where, secret="wr0ng-word")
        refused = switched(admin, key, "off", confirm=name)
        assert refused["status"] == "failed"
        assert machine.is_on()
    assert daemon.end(signal.SIGTERM) == 0
    written = b"".join(each.read_bytes() for each in daemon.path.rglob("*") if each.is_file())
    assert controllers.USER.encode() in written, "it is looked for in the right place"
    for secret in (controllers.PASSWORD, "wr0ng-word"):
        assert secret.encode() not in written, "in the log, or in the store"
        assert secret not in f"{said}{refused}"

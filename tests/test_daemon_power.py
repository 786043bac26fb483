"""A power switch from end to end: the real daemon under its unit, ``ipmitool``, OpenIPMI's simulator, a machine.

And what becomes of passwords that a switch refuses, or repeats to everybody.
"""

import base64
import json
import signal
import time

import controllers
import pytest
from bench_machine import BenchMachine
from test_confined import UNIT, under
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
    daemon.under = under(UNIT, daemon.path)
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


WRONG = 'wr0ng "word" of'


def everything(admin, key):
    """All that the API says of a machine, of tasks, and of what happened."""
    tasks = [f"/tasks/{each['id']}{more}" for each in admin.ask("GET", "/tasks")["items"] for more in ("", "/log")]
    machine = [f"/machines/{key}{more}" for more in ("", "/power", "/timeline")]
    paths = ["/machines", *machine, "/settings", "/tasks", *tasks, "/events", "/audit"]
    return "".join(json.dumps(admin.ask("GET", path)) for path in paths)


def in_trouble(admin, key):
    """Once the switch could not be asked: what it says is stored, and shown to everybody."""
    while not admin.ask("GET", f"/machines/{key}")["power"]["trouble"]:
        time.sleep(0.1)


@pytest.mark.parametrize("controller", ["ipmi", "redfish"])
def test_a_password_that_is_refused_or_repeated_is_nowhere(daemon, tmp_path, controller):
    machine = BenchMachine(tmp_path)
    daemon.start()
    admin = Administrator(daemon)
    daemon.boot()
    (known,) = admin.ask("GET", "/machines")["items"]
    key = known["id"]
    at_work = controllers.ipmi_sim if controller == "ipmi" else lambda it, where: controllers.telltale(tmp_path, where)
    with at_work(machine, daemon.namespace) as settings:
        names = ("kind", "address", "port", "user", "fingerprint")
        where = {name: getattr(settings, name) for name in names}
        admin.ask("PUT", f"/machines/{key}/power", **where, secret=WRONG)
        task = admin.ask("POST", f"/machines/{key}/power/test", 202)["id"]
        in_trouble(admin, key)
        if controller == "redfish":  # it may get better, and would be tried for minutes
            admin.ask("POST", f"/tasks/{task}/cancel")
        assert done(admin, task)["status"] in ("failed", "cancelled")
        told = everything(admin, key)
    assert "refused" in told or "does not accept" in told
    daemon.end(signal.SIGTERM)
    written = b"".join(each.read_bytes() for each in daemon.path.rglob("*") if each.is_file())
    assert settings.user.encode() in written
    proof = base64.b64encode(f"{settings.user}:{WRONG}".encode()).decode()
    for secret in (WRONG, json.dumps(WRONG)[1:-1], json.dumps(json.dumps(WRONG))[2:-2], proof, proof[:20]):
        assert secret.encode() not in written, "in the log, or in the store"
        assert secret not in told

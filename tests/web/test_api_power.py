"""Power switches by the API: settings are write-only where they are secret, actions are tasks with their price said."""

import sqlite3
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from web_world import World, open_world

from appliance.lab.controller_key import controller_key
from appliance.machine import State
from appliance.store import machines

SECRET = "calvin-and-hobbes"
BODY = {"kind": "ipmi", "address": "192.0.2.10", "user": "root", "secret": SECRET}


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    async with open_world(tmp_path) as made:
        await made.set_up()
        await made.machine()
        yield made


async def test_a_password_goes_in_and_never_out(world: World) -> None:
    await world.api("GET", "/machines/node-1/power", 404)
    put = await world.api("PUT", "/machines/node-1/power", json=BODY)
    assert (put["kind"], put["secret_set"], put["power"]["state"]) == ("ipmi", True, "unknown")
    for path in ("/machines/node-1/power", "/machines/node-1", "/machines", "/audit", "/events"):
        assert SECRET not in str(await world.api("GET", path))
    kept = await world.api("PUT", "/machines/node-1/power", json={**BODY, "secret": None, "user": "other"})
    assert (kept["user"], kept["secret_set"]) == ("other", True)


async def test_a_kept_password_is_not_sent_elsewhere(world: World) -> None:
    await world.api("PUT", "/machines/node-1/power", json=BODY)
    told = await world.api("PUT", "/machines/node-1/power", 422, json={**BODY, "secret": None, "address": "192.0.2.66"})
    assert (told["code"], told["field"]) == ("power-secret-missing", "secret")


async def test_who_leaves_the_address_out_is_told_what_the_inventory_says(world: World) -> None:
    """It is not taken by itself: the password would go wherever a machine says."""

    def tells(db: sqlite3.Connection) -> None:
        machine = machines.get(db, "node-1")
        told = {"kind": "ipmi", "address": "10.9.8.7"}
        machines.put_inventory(db, machine.id, {**(machine.inventory or {}), "bmc": told})

    await world.services.store.write(tells)
    told = await world.api("PUT", "/machines/node-1/power", 422, json={**BODY, "address": ""})
    assert (told["code"], told["field"]) == ("power-field-missing", "address")
    assert "10.9.8.7" in told["hint"]
    await world.api("GET", "/machines/node-1/power", 404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"address": ""}, "address"),
        ({"address": "not an address"}, "address"),
        ({"secret": ""}, "secret"),
        ({"secret": "x" * 21}, "secret"),
        ({"system": "1"}, "system"),
        ({"cipher_suite": 1}, "cipher_suite"),
        ({"kind": "steam"}, "kind"),
        ({"password": "x"}, "password"),
    ],
)
async def test_what_is_wrong_is_named(world: World, change: dict[str, Any], field: str) -> None:
    told = await world.api("PUT", "/machines/node-1/power", 422, json={**BODY, **change})
    assert told["field"] == field
    assert "x" * 21 not in str(told)


async def test_an_action_is_a_task(world: World) -> None:
    await world.api("PUT", "/machines/node-1/power", json=BODY)
    task = await world.api("POST", "/machines/node-1/power/on", 202, json={})
    assert (task["kind"], task["title"], task["machine"]["name"]) == ("machine.power", "Switch node-1 on", "node-1")
    told = await world.api("POST", "/machines/node-1/power/cycle", 409, json={})
    assert told["code"] == "power-busy"
    assert (await world.api("GET", "/machines/node-1"))["power"]["wanted"] == "on"


async def test_what_is_lost_is_confirmed_by_name(world: World) -> None:
    await world.machine(2, State.BROKEN)
    await world.api("PUT", "/machines/node-2/power", json=BODY)
    foreseen = await world.api("GET", "/machines/node-2/consequences?action=power-off")
    assert foreseen["confirm"] == "node-2"
    told = await world.api("POST", "/machines/node-2/power/off", 409, json={})
    assert told["code"] == "confirmation-needed"
    await world.api("POST", "/machines/node-2/power/off", 202, json={"confirm": "node-2"})


async def test_many_at_once_say_what_became_of_each(world: World) -> None:
    await world.machine(2)
    await world.api("PUT", "/machines/node-1/power", json=BODY)
    many = {"action": "power-off", "machines": ["node-1", "node-2"]}
    told = await world.api("POST", "/machines/bulk", 409, json=many)
    assert told["code"] == "confirmation-needed"
    task = await world.api("POST", "/machines/bulk", 202, json={**many, "confirm": "2 machines"})
    assert [each["name"] for each in task["result"]["items"]] == ["node-1", "node-2"]


async def test_without_a_switch_it_says_who_can_help(world: World) -> None:
    told = await world.api("POST", "/machines/node-1/power/on", 409, json={})
    assert told["code"] == "power-none"
    assert (await world.api("POST", "/machines/node-1/power/explode", 422, json={}))["code"] == "power-action-unknown"


async def test_a_certificate_is_read_before_it_is_trusted(world: World, tmp_path: Path) -> None:
    key = controller_key(tmp_path / "controller.pem", tmp_path / "password")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key.file)
    server = TestServer(web.Application(), scheme="https")
    await server.start_server(ssl=context)
    path = f"/machines/node-1/power/certificate?address=127.0.0.1&port={server.port}"
    assert await world.api("GET", path) == {"fingerprint": key.fingerprint}
    await server.close()
    assert (await world.api("GET", path, 502))["code"] == "power-unreachable"
    wrong = await world.api("GET", "/machines/node-1/power/certificate?address=a/b", 422)
    assert (wrong["code"], wrong["field"]) == ("power-address-invalid", "address")


async def test_it_is_forgotten_with_its_password(world: World) -> None:
    await world.api("PUT", "/machines/node-1/power", json=BODY)
    await world.api("DELETE", "/machines/node-1/power", 204)
    assert (await world.api("GET", "/machines/node-1"))["power"] is None


async def test_machines_are_found_by_their_power(world: World) -> None:
    await world.machine(2)
    await world.api("PUT", "/machines/node-1/power", json=BODY)
    for state, names in (("unknown", ["node-1"]), ("off", [])):
        found = await world.api("GET", f"/machines?power={state}")
        assert [each["name"] for each in found["items"]] == names

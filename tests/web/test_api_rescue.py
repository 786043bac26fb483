"""Tags, rescue, what actions on machines would do, and boot messages over the API."""

from dataclasses import replace

import pytest
from web_world import World

from appliance.machine import State
from appliance.rescue import Rescue
from appliance.store import boot_messages, machines
from appliance.store.boot_messages import BootMessages

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE ada@desk"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFU8bzEWXL8tLMHoHFtQCtNTZ2yQSTVcKXjXJYgWJgVh"


async def test_tags_are_replaced_added_and_taken_away(admin: World) -> None:
    await admin.machine()

    async def tags(**change: list[str]) -> object:
        return (await admin.api("PATCH", "/machines/m1", json=change))["tags"]

    assert await tags(tags=["rack:3", "db", "db"]) == ["db", "rack:3"]
    assert await tags(add_tags=["a"], remove_tags=["db", "nothing"]) == ["a", "rack:3"]
    assert await tags() == ["a", "rack:3"]
    assert (await admin.api("GET", "/machines"))["items"][0]["tags"] == ["a", "rack:3"]
    assert await tags(tags=[]) == []


@pytest.mark.parametrize("tag", ["", "Rack", "a b", "x" * 41, "ä", "a\n"])
async def test_what_is_no_tag(admin: World, tag: str) -> None:
    await admin.machine()
    problem = await admin.api("PATCH", "/machines/m1", 422, json={"add_tags": [tag]})
    assert problem["code"] in ("tag-invalid", "body-field")


async def test_too_many_tags(admin: World) -> None:
    await admin.machine()
    await admin.api("PATCH", "/machines/m1", json={"tags": [f"t{number}" for number in range(32)]})
    problem = await admin.api("PATCH", "/machines/m1", 422, json={"add_tags": ["one-more"]})
    assert (problem["code"], problem["field"]) == ("tags-too-many", "tags")


async def test_a_deployment_asks_for_tags(admin: World) -> None:
    await admin.machine()
    await admin.image()
    body = {"name": "web-1", "image": "demo", "requirements": {"tags": ["ssd", "rack:3"]}}
    made = await admin.api("POST", "/deployments", 201, json=body)
    assert made["requirements"]["tags"] == ["rack:3", "ssd"]
    problem = await admin.api("POST", "/deployments/web-1/start", 409)
    assert "node-1: it lacks the tags rack:3, ssd" in problem["detail"]
    await admin.api("PATCH", "/machines/m1", json={"tags": ["rack:3"]})
    problem = await admin.api("POST", "/deployments/web-1/start", 409)
    assert "node-1: it lacks the tag ssd" in problem["detail"]
    await admin.api("PATCH", "/machines/m1", json={"add_tags": ["ssd"]})
    await admin.api("POST", "/deployments/web-1/start", 202)


async def test_a_rescue_is_a_task(admin: World) -> None:
    await admin.machine()
    assert (await admin.api("GET", "/machines/m1"))["rescue"] is None
    foreseen = await admin.api("GET", "/machines/m1/consequences?action=rescue")
    assert (foreseen["refused"], foreseen["confirm"], foreseen["machine"]) == ("", None, "node-1")
    task = await admin.api("POST", "/machines/node-1/rescue", 202, json={"ssh_keys": [KEY]})
    assert (task["kind"], task["title"], task["status"]) == ("machine.rescue", "Rescue node-1", "waiting")
    shown = (await admin.api("GET", "/machines/m1"))["rescue"]
    assert shown == {
        "since": None,
        "address": None,
        "fingerprints": [],
        "host_keys": [],
        "ssh_keys": [KEY],
        "ended": False,
    }
    again = await admin.api("POST", "/machines/m1/rescue", 409, json={"ssh_keys": [KEY]})
    assert again["code"] == "rescue-already"
    ended = await admin.api("POST", "/machines/m1/end-rescue", 202)
    assert (ended["kind"], ended["status"]) == ("machine.end-rescue", "done")
    assert (await admin.api("GET", f"/tasks/{task['id']}"))["status"] == "cancelled"


async def test_an_open_rescue_is_shown(admin: World) -> None:
    machine = await admin.machine(state=State.RESCUE)
    open_now = replace(machine, rescue=Rescue((KEY,), False, 5.0, "10.77.0.50", (HOST_KEY,)))
    await admin.services.store.write(lambda db: machines.put(db, open_now))
    shown = (await admin.api("GET", "/machines/m1"))["rescue"]
    assert (shown["since"], shown["address"]) == (5.0, "10.77.0.50")
    assert shown["fingerprints"][0].startswith("SHA256:")
    task = await admin.api("POST", "/machines/m1/end-rescue", 202)
    assert task["status"] == "waiting"
    assert (await admin.api("GET", "/machines/m1"))["rescue"]["ended"] is True


@pytest.mark.parametrize("keys", [[], ["nonsense"], None, [KEY] * 101])
async def test_a_rescue_needs_keys(admin: World, keys: object) -> None:
    await admin.machine()
    problem = await admin.api("POST", "/machines/m1/rescue", 422, json={"ssh_keys": keys})
    assert "ssh_keys" in problem["field"]


async def test_what_there_is_no_rescue_of(admin: World) -> None:
    await admin.machine()
    assert (await admin.api("POST", "/machines/m1/end-rescue", 409))["code"] == "rescue-none"
    assert (await admin.api("POST", "/machines/nobody/rescue", 404, json={"ssh_keys": [KEY]}))["code"]
    assert (await admin.api("GET", "/machines/m1/consequences?action=fly", 422))["code"] == "query-invalid"


async def test_the_consequences_of_what_can_be_done_to_a_machine(admin: World) -> None:
    await admin.machine()
    for action, confirm in (("break", None), ("delete", "node-1"), ("rescue", None)):
        foreseen = await admin.api("GET", f"/machines/m1/consequences?action={action}")
        assert (foreseen["confirm"], foreseen["destroys"]) == (confirm, False)
        assert "node-1" in foreseen["texts"][0]


async def test_boot_messages(admin: World) -> None:
    machine = await admin.machine()
    assert await admin.api("GET", "/machines/m1/boot-messages") == {"stack": None, "system": None}
    kept = BootMessages("system", 7.0, "<script>\n")
    await admin.services.store.write(lambda db: boot_messages.put(db, machine.id, "b1", kept))
    shown = await admin.api("GET", "/machines/node-1/boot-messages")
    assert shown == {"stack": None, "system": {"at": 7.0, "text": "<script>\n"}}
    assert (await admin.api("GET", "/machines/nobody/boot-messages", 404))["code"] == "machine-unknown"

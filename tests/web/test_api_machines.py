"""Machines over the API."""

from dataclasses import replace

from web_world import World

from appliance.machine import State
from appliance.reconcile.views import OFFLINE_AFTER
from appliance.store import machines
from appliance.workflow import Kind


async def test_list_and_detail(admin: World) -> None:
    await admin.machine()
    (item,) = (await admin.api("GET", "/machines"))["items"]
    assert item["name"] == "node-1"
    assert item["state"] == "idle"
    assert item["macs"] == ["52:54:00:00:00:01"]
    assert (item["cpus"], item["memory_bytes"], item["disks_summary"]) == (4, 2 << 30, "8.6 GB")
    assert item["offline"] is True
    assert item["deployment"] is None
    assert item["attempt"] is None
    assert "inventory" not in item
    for key in ("m1", "node-1"):
        assert (await admin.api("GET", f"/machines/{key}"))["inventory"]["firmware"] == "uefi"


async def test_change_and_delete(admin: World) -> None:
    await admin.machine(maintenance=True)
    changed = await admin.api("PATCH", "/machines/m1", json={"maintenance": False, "name": "db-1", "notes": "rack 3"})
    assert (changed["maintenance"], changed["name"], changed["notes"]) == (False, "db-1", "rack 3")
    broken = await admin.api("PATCH", "/machines/m1", json={"broken": True})
    assert broken["state"] == "broken"
    (last, *_) = (await admin.api("GET", "/machines/m1/timeline"))["items"]
    assert last["kind"] == "machine.changed"
    assert "admin changed" in last["text"]
    await admin.api("DELETE", "/machines/m1", 204)
    problem = await admin.api("GET", "/machines/m1", 404)
    assert problem["code"] == "machine-unknown"
    kept = (await admin.api("GET", "/events?machine=m1"))["items"]
    assert [event["kind"] for event in kept] == ["machine.deleted", "machine.changed", "machine.changed"]


async def test_the_hand_over_is_the_administrators_to_choose(admin: World) -> None:
    machine = await admin.machine()
    assert machine.hand_over == "kexec"
    for method in ("reboot", "kexec"):
        changed = await admin.api("PATCH", "/machines/m1", json={"hand_over": method})
        assert changed["hand_over"] == method
    (last, *_) = (await admin.api("GET", "/machines/m1/timeline"))["items"]
    assert "hand-over from reboot to kexec" in last["text"]
    assert (await admin.api("PATCH", "/machines/m1", 422, json={"hand_over": "jump"}))["field"] == "hand_over"


async def test_an_address_is_reserved_and_given_back(admin: World) -> None:
    for number in (1, 2):
        assert (await admin.machine(number)).reserved_address is None
    for key, address in (("m1", "10.77.0.117"), ("m2", "10.77.0.9"), ("m1", None), ("m2", "10.77.0.117")):
        changed = await admin.api("PATCH", f"/machines/{key}", json={"reserved_address": address})
        assert changed["reserved_address"] == address
        await admin.api("PATCH", f"/machines/{key}", json={"notes": "said nothing of it"})
        assert (await admin.api("GET", f"/machines/{key}"))["reserved_address"] == address
    taken = await admin.api("PATCH", "/machines/m1", 409, json={"reserved_address": "10.77.0.117"})
    assert (taken["code"], taken["field"]) == ("address-taken", "reserved_address")
    assert "node-2" in taken["detail"]
    for wrong in ("10.77.0.1", "10.77.0.0", "10.77.0.255", "192.0.2.9", "ten", 10):
        refused = await admin.api("PATCH", "/machines/m1", 422, json={"reserved_address": wrong, "notes": "lost"})
        assert (refused["field"], bool(refused["hint"])) == ("reserved_address", True)
    assert (await admin.api("GET", "/machines/m1"))["notes"] == "said nothing of it"


async def test_what_has_to_be_done_by_hand_is_said_with_its_deadline(admin: World) -> None:
    machine = await admin.machine(state=State.STARTING)
    await admin.attempt(machine, Kind.START)
    shown = (await admin.api("GET", "/machines/m1"))["attempt"]
    assert (shown["advice"], shown["deadline"]) == ("Switch node-1 on", admin.clock.now + 20 * 60)
    assert (await admin.api("GET", "/machines"))["items"][0]["attempt"] == shown
    seen = replace(machine, last_seen=admin.clock.now)
    await admin.services.store.write(lambda db: machines.put(db, seen))
    assert (await admin.api("GET", "/machines/m1"))["attempt"]["advice"] == ""
    admin.clock.now += OFFLINE_AFTER + 1
    assert (await admin.api("GET", "/machines/m1"))["attempt"]["advice"] == "Switch node-1 on"


async def test_refusals_name_the_field(admin: World) -> None:
    await admin.machine(1)
    await admin.machine(2)
    for body, field in (
        ({"name": "Not A Name"}, "name"),
        ({"maintenance": "yes"}, "maintenance"),
        ({"state": "active"}, "state"),
        ({"notes": "x" * 5000}, "notes"),
    ):
        problem = await admin.api("PATCH", "/machines/m1", 422, json=body)
        assert problem["field"] == field
        assert problem["detail"]
    taken = await admin.api("PATCH", "/machines/m1", 409, json={"name": "node-2"})
    assert taken["code"] == "name-taken"


async def test_a_busy_machine_cannot_be_called_broken(admin: World) -> None:
    await admin.machine(state=State.DEPLOYING)
    problem = await admin.api("PATCH", "/machines/m1", 409, json={"broken": True})
    assert problem["code"] == "machine-busy"


async def test_a_machine_at_work_is_not_deleted(admin: World) -> None:
    machine = await admin.machine(state=State.DEPLOYING)
    await admin.attempt(machine, Kind.DEPLOY)
    problem = await admin.api("DELETE", "/machines/m1", 409)
    assert (problem["code"], problem["detail"]) == ("machine-busy", "node-1 is deploying")
    assert (await admin.api("GET", "/machines/m1"))["attempt"]["status"] == "live"


async def test_timeline_in_pages(admin: World) -> None:
    await admin.machine()
    for number in range(5):
        await admin.api("PATCH", "/machines/m1", json={"notes": f"note {number}"})
    seen, cursor = [], ""
    while True:
        page = await admin.api("GET", f"/machines/m1/timeline?limit=2{cursor}")
        assert page["total"] == 5
        seen += [event["text"] for event in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [text.rpartition(" ")[2] for text in seen] == ["4", "3", "2", "1", "0"]
    for wrong in ("limit=0", "limit=9999", "limit=x", "before=x", "before=nan", "kind=no", "limit=1&limit=2"):
        problem = await admin.api("GET", f"/machines/m1/timeline?{wrong}", 422)
        assert (problem["code"], problem["field"]) == ("query-invalid", wrong.partition("=")[0])
    for wrong, code in (("cursor=x", "cursor-invalid"), ("machine=m2", "query-unknown"), ("befor=1", "query-unknown")):
        assert (await admin.api("GET", f"/machines/m1/timeline?{wrong}", 400))["code"] == code

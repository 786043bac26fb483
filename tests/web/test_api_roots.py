"""Machines that restarted by themselves and wait for their root on the network, over the API."""

from roots_seed import put_asking
from web_world import World

from appliance.machine import MachineId
from appliance.store import roots


async def asking(world: World, name: str = "kiosk-1", number: int = 77) -> MachineId:
    now = world.clock()
    return await world.services.store.write(lambda db: put_asking(db, now, name, number))


async def test_who_asks_is_seen_and_let_in(admin: World) -> None:
    await admin.machine()
    await asking(admin)
    assert (await admin.api("GET", "/machines/node-1"))["asks_since"] is None
    assert (await admin.api("GET", "/machines/node-77"))["asks_since"] == admin.clock() - 60
    foreseen = await admin.api("GET", "/machines/node-77/consequences?action=admit")
    assert (foreseen["refused"], foreseen["confirm"], foreseen["destroys"]) == ("", None, False)
    assert "node-77 gets the root of kiosk-1" in foreseen["texts"][0]
    assert "10.77.0.77" in foreseen["texts"][1]
    assert (await admin.api("POST", "/machines/node-77/admit"))["asks_since"] is None
    assert await admin.services.store.read(lambda db: roots.waiting(db, MachineId("r77"))) is None
    told = (await admin.api("GET", "/machines/node-77/timeline"))["items"][0]
    assert (told["kind"], told["text"]) == ("root.given", "admin let node-77 in to kiosk-1")
    entry = (await admin.api("GET", "/audit"))["items"][0]
    assert (entry["action"], entry["name"]) == ("machine.admit", "node-77")
    assert entry["after"]["deployment"] == "kiosk-1"


async def test_who_does_not_ask_is_not_let_in(admin: World) -> None:
    await admin.machine()
    await asking(admin)
    assert (await admin.api("POST", "/machines/node-1/admit", 409))["code"] == "root-not-asked"
    foreseen = await admin.api("GET", "/machines/node-1/consequences?action=admit")
    assert "node-1 does not ask to be let in" in foreseen["refused"]
    await admin.api("POST", "/machines/node-77/admit")
    assert (await admin.api("POST", "/machines/node-77/admit", 409))["code"] == "root-not-asked"
    assert (await admin.api("POST", "/machines/nobody/admit", 404))["code"] == "machine-unknown"
    assert (await admin.api("POST", "/machines/node-1/admit", 422, json={"force": True}))["code"] == "body-field"


async def test_who_was_not_heard_for_a_while_asks_no_more(admin: World) -> None:
    """As long as one that is offline: a boot that waits asks twice a minute."""
    await admin.machine()
    await asking(admin)
    assert (await admin.api("GET", "/machines/summary?asking=true"))["total"] == 1
    now = admin.clock()
    admin.clock.now = now + 100
    assert (await admin.api("GET", "/machines/node-77"))["asks_since"] is None
    assert (await admin.api("GET", "/machines/summary?asking=true"))["total"] == 0
    assert "node-77" in [each["name"] for each in (await admin.api("GET", "/machines?asking=false"))["items"]]
    assert (await admin.api("POST", "/machines/node-77/admit", 409))["code"] == "root-not-asked"


async def test_those_that_ask_are_listed_and_let_in_together(admin: World) -> None:
    await admin.machine()
    await asking(admin, "kiosk-1", 77)
    await asking(admin, "kiosk-2", 78)

    async def names(query: str) -> list[str]:
        return [each["name"] for each in (await admin.api("GET", f"/machines?{query}"))["items"]]

    assert await names("asking=true") == ["node-77", "node-78"]
    assert await names("asking=false") == ["node-1"]
    assert (await admin.api("GET", "/machines/summary?asking=true"))["total"] == 2
    body = {"action": "admit", "filter": {"asking": True}}
    assert (await admin.api("POST", "/machines/bulk", 202, json=body))["title"] == "Let 2 machines in"

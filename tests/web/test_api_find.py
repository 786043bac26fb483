"""Finding a machine by the code on its screen, over the API."""

from web_world import World

from appliance.screencode import MEANINGS, Waits
from appliance.sighting import Sighting, Stage
from appliance.store import sightings

STRANGER = "02:00:00:00:00:09"


async def test_a_code_leads_to_the_machine_and_says_what_to_do(admin: World) -> None:
    await admin.machine()
    await admin.machine(2)
    (item,) = (await admin.api("GET", "/find?q=000001-20"))["items"]
    assert (item["kind"], item["name"]) == ("machine", "node-1")
    assert item["note"] == MEANINGS[Waits.STACK].text
    assert item["todo"] == MEANINGS[Waits.STACK].todo


async def test_a_whole_address_is_a_code_too(admin: World) -> None:
    await admin.machine()
    (item,) = (await admin.api("GET", "/find?q=525400000001-10"))["items"]
    assert (item["name"], item["note"]) == ("node-1", MEANINGS[Waits.SCRIPT].text)


async def test_a_stranger_is_found_among_those_that_were_seen(admin: World) -> None:
    now = admin.clock()
    seen = Sighting(STRANGER, "br0", now, now, Stage.PROGRAM, now)
    await admin.services.store.write(lambda db: sightings.take(db, [seen]))
    (item,) = (await admin.api("GET", "/find?q=000009-10"))["items"]
    assert (item["kind"], item["name"]) == ("sighting", STRANGER)


async def test_what_is_no_code_is_looked_for_by_name(admin: World) -> None:
    await admin.machine()
    (item,) = (await admin.api("GET", "/find?q=NODE"))["items"]
    assert (item["kind"], item["name"], item["todo"]) == ("machine", "node-1", "")
    assert (await admin.api("GET", "/find?q=abcdef-20"))["items"] == []
    assert (await admin.api("GET", "/find?q=000001-99"))["items"] == []


async def test_something_has_to_be_looked_for(admin: World) -> None:
    assert (await admin.api("GET", "/find", 422))["code"] == "query-missing"

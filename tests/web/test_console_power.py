"""Power in the console: what the switch says, forms whose password never comes back, and acts with their price said."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor
from console_seed import NOW
from console_seed_power import SEALER, SECRET

from appliance.machine import MachineId
from appliance.power_known import Seen
from appliance.power_switch import PowerKind, PowerSettings, PowerState
from appliance.reconcile.wishes import MachineChange
from appliance.store import deployments, power, tasks
from tests.people import ADA

NODE_11, NODE_13, NODE_17, NODE_18, NODE_23, NODE_24 = (f"m{number:04d}" for number in (0, 2, 6, 7, 12, 13))
FORM = {"kind": "ipmi", "address": "192.0.2.10", "user": "root", "secret": "open sesame", "port": "", "system": ""}


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def titles(fleet: Visitor) -> list[str]:
    return [each.title for each in await fleet.services.store.read(tasks.open_jobs) if each.kind == "machine.power"]


async def test_power_stands_beside_the_state(fleet: Visitor) -> None:
    shown = said(await fleet.get("/machines"))
    assert "active on node-11" in shown
    assert "idle off node-17" in shown
    assert "1 of 15 machines" in said(await fleet.get("/machines?state=off"))
    page = await fleet.get(f"/machines/{NODE_13}/power")
    assert "could not be asked the last 7 times: 10.77.1.13 does not answer" in said(page)
    assert SECRET not in page
    assert "off for 10 min" in said(await fleet.get(f"/machines/{NODE_17}/power"))
    assert "nobody can see it" in said(await fleet.get(f"/machines/{NODE_18}/power"))


async def test_a_switch_is_set_up_and_its_password_stays_inside(fleet: Visitor) -> None:
    page = await fleet.get(f"/machines/{NODE_24}/power-settings?kind=ipmi")
    assert 'value="10.77.1.12"' in page, "from its inventory"
    wrong = await fleet.post(f"/machines/{NODE_24}/power-settings", 422, {**FORM, "address": "no such/thing"})
    assert "is neither an address nor a host name" in said(wrong)
    assert 'value="root"' in wrong, "what was typed is not lost"
    assert "open sesame" not in wrong, "but for what is secret"
    assert await fleet.post(f"/machines/{NODE_24}/power-settings", data=FORM) == f"/machines/{NODE_24}/power"
    sealed = await fleet.services.store.read(lambda db: power.secret(db, MachineId(NODE_24)))
    assert SEALER.open(sealed, NODE_24) == "open sesame"
    for path in (f"/machines/{NODE_24}/power", f"/machines/{NODE_24}/power-settings"):
        assert "open sesame" not in await fleet.get(path)


async def test_an_empty_password_keeps_the_one_that_is_set(fleet: Visitor) -> None:
    before = await fleet.services.store.read(lambda db: power.secret(db, MachineId(NODE_17)))
    same = {"kind": "ipmi", "address": "10.77.1.12", "user": "other", "secret": ""}
    await fleet.post(f"/machines/{NODE_17}/power-settings", data=same)
    assert await fleet.services.store.read(lambda db: power.secret(db, MachineId(NODE_17))) == before
    page = await fleet.post(f"/machines/{NODE_17}/power-settings", 422, {**same, "address": "192.0.2.66"})
    assert "type the password of this one" in said(page)


async def test_a_certificate_that_cannot_be_read_loses_nothing(fleet: Visitor) -> None:
    typed = {"kind": "redfish", "address": "127.0.0.1", "port": "1", "user": "lab", "secret": "x", "read": "yes"}
    page = await fleet.post(f"/machines/{NODE_24}/power-settings", 422, typed)
    assert "shows no certificate" in said(page)
    assert 'value="lab"' in page


async def test_what_may_lose_something_is_confirmed_by_name(fleet: Visitor) -> None:
    page = await fleet.get(f"/machines/{NODE_11}/power/off")
    assert "web-1 may run on node-11. Its power is cut without shutting it down" in said(page)
    wrong = await fleet.post(f"/machines/{NODE_11}/power/off", 422, {"confirm": "node-12"})
    assert "This is not it. Type exactly: node-11" in said(wrong)
    assert await titles(fleet) == []
    await fleet.post(f"/machines/{NODE_11}/power/off", data={"confirm": "node-11"})
    await fleet.post(f"/machines/{NODE_17}/power/on")
    assert await titles(fleet) == ["Switch node-11 off", "Switch node-17 on"]
    assert "Switch node-11 off: asked for by admin" in said(await fleet.get(f"/machines/{NODE_11}/power"))


async def test_a_release_from_a_broken_machine_shows_that_its_power_goes_first(fleet: Visitor) -> None:
    await fleet.services.wishes.change_machine(NODE_11, MachineChange(broken=True), ADA)
    deployment = await fleet.services.store.read(lambda db: deployments.get(db, "web-1"))
    page = f"/deployments/{deployment.id}/release"
    assert "node-11 is switched off first, at once; web-1 stays on it until it is seen to be off" in said(
        await fleet.get(page)
    )
    led_to = await fleet.post(page, data={"confirm": "web-1"})
    assert led_to.startswith("/tasks/")
    assert "Switch node-11 off and release web-1" in said(await fleet.get(led_to))


async def test_an_attempt_says_when_the_switch_helps_it(fleet: Visitor) -> None:
    node = MachineId(NODE_23)
    settings, seen = PowerSettings(PowerKind.IPMI, "192.0.2.1"), Seen(PowerState.ON, NOW - 900, NOW - 20)
    await fleet.services.store.write(lambda db: power.put(db, node, settings, b""))
    await fleet.services.store.write(lambda db: power.put_seen(db, node, seen))
    shown = said(await fleet.get(f"/machines/{NODE_23}"))
    assert "its power switch turns it off and on at " in shown
    assert "Switch node-23 on" not in shown, "nobody has to"
    off = Seen(PowerState.OFF, NOW - 9, NOW - 9)
    await fleet.services.store.write(lambda db: power.put_seen(db, node, off))
    assert "its power switch switches it on" in said(await fleet.get(f"/machines/{NODE_23}"))


async def test_it_is_removed_with_its_password(fleet: Visitor) -> None:
    assert await fleet.post(f"/machines/{NODE_17}/power-settings/delete") == f"/machines/{NODE_17}/power"
    assert "has no power switch" in said(await fleet.get(f"/machines/{NODE_17}/power"))

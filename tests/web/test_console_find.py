"""What the palette of the console leads to, where somebody typed the code on a machine's screen."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_client import Visitor, said, visitor

from appliance.screencode import MEANINGS, Waits, code
from appliance.store import machines


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def test_a_code_leads_to_the_timeline_of_its_machine(fleet: Visitor) -> None:
    machine = await fleet.services.store.read(lambda db: machines.get(db, "m0005"))
    page = await fleet.get(f"/find?q={code(machine.macs[0], Waits.STACK)}")
    assert f'href="/machines/{machine.id}/timeline"' in page
    assert MEANINGS[Waits.STACK].text in said(page)
    assert MEANINGS[Waits.STACK].todo in said(page)


async def test_the_boot_program_is_shown_and_chosen(fleet: Visitor) -> None:
    assert "chosen by itself" in said(await fleet.get("/machines/m0005"))
    page = said(await fleet.get("/machines/m0005/edit"))
    assert "shim and GRUB with the signatures that Secure Boot asks for" in page
    await fleet.post("/machines/m0005/edit", data={"boot_program": "shimx64.efi"})
    assert "shimx64.efi" in said(await fleet.get("/machines/m0005"))
    refused = await fleet.post("/machines/m0005/edit", 422, data={"boot_program": "grub.exe"})
    assert "there is no boot program" in refused


async def test_where_it_is_plugged_in_is_shown_in_the_switchs_own_words(fleet: Visitor) -> None:
    machine = await fleet.services.store.read(lambda db: machines.get(db, "m0005"))
    assert machine.inventory is not None
    heard = {"nic": "eth0", "chassis": "3a:91:38:59:cf:b0", "port": "ge-0/0/12", "port_description": "<b>x</b>",
             "system": "sw-rack7", "description": "OS", "address": "10.9.0.1", "vlan": 42}  # fmt: skip
    assert "Not known yet" in said(await fleet.get("/machines/m0005/network"))
    for neighbours, words in (([], "No switch told of itself"), ([heard], "of sw-rack7")):
        inventory = {**machine.inventory, "neighbours": neighbours}
        await fleet.services.store.write(
            lambda db, inventory=inventory: machines.put_inventory(db, machine.id, inventory)
        )
        page = await fleet.get("/machines/m0005/network")
        assert words in said(page)
    assert "VLAN 42" in said(page)
    assert "<b>x</b>" not in page

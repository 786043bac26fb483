"""``qrm find``: the code on a machine's screen, and the boot programs that a machine may be sent."""

from cli_world import Cli

from appliance.screencode import MEANINGS, Waits
from appliance.store import machines


async def test_a_code_from_a_screen(qrm: Cli) -> None:
    await qrm.world.machine()
    shown = (await qrm.run("find", "000001-20")).out
    assert "node-1" in shown
    assert MEANINGS[Waits.STACK].text in shown
    assert MEANINGS[Waits.STACK].todo in shown
    assert (await qrm.run("find", "000001-20", "--json")).json[0]["name"] == "node-1"


async def test_anything_by_name(qrm: Cli) -> None:
    await qrm.world.machine()
    assert "node-1" in (await qrm.run("find", "node")).out
    assert "no screen shows that code" in (await qrm.run("find", "abcdef-20")).out


async def test_a_boot_program_is_chosen_and_given_up(qrm: Cli) -> None:
    await qrm.world.machine()
    assert "shimx64.efi" in (await qrm.run("machines", "boot-programs")).out
    assert len((await qrm.run("machines", "boot-programs", "--json")).json) == 5
    await qrm.run("machines", "set", "node-1", "--boot-program", "ipxe.efi")
    assert "ipxe.efi" in (await qrm.run("machines", "show", "node-1")).out
    await qrm.run("machines", "set", "node-1", "--boot-program", "auto")
    assert "chosen by itself" in (await qrm.run("machines", "show", "node-1")).out
    await qrm.run("machines", "set", "node-1", "--boot-program", "grub.exe", code=2)
    refused = await qrm.run("machines", "set", "node-1", "node-2", "--boot-program", "ipxe.efi", code=2)
    assert "boot program: only one machine can have that" in refused.err


async def test_where_it_is_plugged_in(qrm: Cli) -> None:
    machine = await qrm.world.machine()
    heard = {"nic": "eth0", "chassis": "c", "port": "ge-0/0/12", "system": "sw-rack7", "vlan": 42}
    inventory = {**(await qrm.world.services.store.read(lambda db: machines.get(db, machine.id))).inventory}
    inventory["neighbours"] = [heard]
    await qrm.world.services.store.write(lambda db: machines.put_inventory(db, machine.id, inventory))
    shown = (await qrm.run("machines", "show", "node-1")).out
    assert "eth0 to ge-0/0/12 of sw-rack7, VLAN 42" in shown

"""What kernels say is kept of the machine's own stack and system, once a boot, cleaned and bounded."""

import pytest
from fleet_world import state

from appliance.errors import Denied
from appliance.reconcile.boot_messages import BOOT_SECONDS, BOOTS_AT_ONCE, LIMIT, cleaned, messages_of
from appliance.store import boot_messages
from tests.people import ADA


async def kept(world, node):
    return {each.source: each.text for each in await messages_of(world.store, (await node.seen()).id)}


async def test_of_the_stack_the_last_boot_is_kept(world, node):
    await node.usable()
    assert await kept(world, node) == {}
    await world.fleet.boot_messages(node.token, "first boot\n")
    await world.fleet.boot_messages(node.token, "the same boot, later\n")
    assert await kept(world, node) == {"stack": "first boot\n"}
    await node.boots_stack()
    await world.fleet.boot_messages(node.token, "second boot\n")
    assert await kept(world, node) == {"stack": "second boot\n"}


async def test_of_the_system_as_well(world, node):
    await node.active()
    for boot, text in (("b1", "one"), ("b1", "one again"), ("b2", "two")):
        await world.fleet.resident_boot_messages(node.resident, boot, text)
    assert await kept(world, node) == {"system": "two"}
    assert await state(node) == "active"


async def test_strangers_store_nothing(world, node):
    await node.usable()
    for take in (world.fleet.boot_messages("0" * 64, "x"), world.fleet.resident_boot_messages("0" * 64, "b", "x")):
        with pytest.raises(Denied):
            await take
    own = node.token
    await world.wishes.delete_machine((await node.seen()).id, ADA)
    with pytest.raises(Denied):
        await world.fleet.boot_messages(own, "x")


async def test_a_session_without_proof_stores_nothing(world, node):
    await node.firmware()
    stranger = await node.firmware(proven=False)
    await node.redeem(stranger)
    await world.fleet.boot_messages(node.token, "made up")
    assert await kept(world, node) == {}


async def test_a_machine_that_boots_over_and_over_stores_now_and_then(world, node):
    for number in range(BOOTS_AT_ONCE + 3):
        await node.boots_stack()
        await world.fleet.boot_messages(node.token, f"boot {number}")
    assert await kept(world, node) == {"stack": f"boot {BOOTS_AT_ONCE - 1}"}
    world.now += BOOT_SECONDS
    await node.boots_stack()
    await world.fleet.boot_messages(node.token, "later")
    assert await kept(world, node) == {"stack": "later"}


async def test_they_go_with_the_machine(world, node):
    await node.usable()
    await world.fleet.boot_messages(node.token, "x")
    key = (await node.seen()).id
    await world.wishes.delete_machine(key, ADA)
    found = await world.store.read(lambda db: boot_messages.of_machine(db, key))
    assert found == []


def test_what_steers_a_terminal_is_replaced():
    assert cleaned("a\tb\r\n\x1b[31mred\x07\u202egnp") == "a b\n\ufffd[31mred\ufffd\ufffdgnp"


@pytest.mark.parametrize("letter", ["x", "ä", "\x00"])
def test_of_too_much_the_beginning_and_the_end_are_kept(letter):
    text = cleaned("begin" + letter * LIMIT + "end")
    assert len(text.encode()) <= LIMIT
    assert text.startswith("begin")
    assert text.endswith("end")
    assert "left out" in text


def test_what_fits_is_kept_whole():
    assert cleaned("y" * LIMIT) == "y" * LIMIT


def test_tokens_of_the_command_line_are_left_out():
    said = "[0.0] Command line: loglevel=4 qrm.token=00ff qrm.nonce=ff00 qrm.mac=52:54:00:00:00:01\n"
    left = "[0.0] Command line: loglevel=4 qrm.token=[left out] qrm.nonce=[left out] qrm.mac=52:54:00:00:00:01\n"
    assert cleaned(said * 2) == left * 2

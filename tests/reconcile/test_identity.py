"""An interface that goes to another board and comes back: the machine that had it has it again."""

from fleet_world import FIRST, Played, boots_disk

from appliance.netboot.policy import MaintenanceStack

OTHER_BOARD = "99999999-2222-3333-4444-555555555509"


async def test_away_and_back_is_the_same_machine_and_boots_its_disk(world, node):
    await node.active()
    stray = Played(world, FIRST, OTHER_BOARD)
    assert (await stray.firmware()).spec == MaintenanceStack(armed=False)
    newcomer = await stray.seen()
    await boots_disk(node)
    back = await node.seen()
    assert (back.state, back.macs, back.uuid) == ("active", (FIRST,), node.uuid)
    assert back.id != newcomer.id
    assert len(await world.machines()) == 2
    said = [(event.machine, event.text) for event in await world.events("machine.conflict")]
    assert said[1:] == [(back.id, f"{back.name} has the network interface again that {newcomer.name} had meanwhile")]
    await boots_disk(node)
    assert len(await world.events("machine.conflict")) == 2


async def test_two_boards_that_share_a_card_are_two_machines_however_often_it_moves(world, node):
    await node.boots_stack()
    other = Played(world, FIRST, OTHER_BOARD)
    await other.boots_stack()
    ids = [(await other.seen()).id]
    for board in (node, other, node):
        await board.boots_stack()
        ids.append((await board.seen()).id)
    assert len(await world.machines()) == 2
    assert ids[0] == ids[2] != ids[1] == ids[3]


async def test_a_board_that_never_had_the_interface_is_not_given_it(world, node):
    await node.boots_stack()
    second = Played(world, "52:54:00:00:00:02", OTHER_BOARD)
    await second.boots_stack()
    stranger = Played(world, FIRST, OTHER_BOARD)
    await stranger.firmware()
    assert len(await world.machines()) == 3
    assert (await second.seen()).macs == ("52:54:00:00:00:02",)

"""An interface that turns up in another board: who has it when, and who never loses it."""

from fleet_world import FIRST, SERVER, Played, boots_disk, state

from appliance.machine import MacAddress
from appliance.netboot.policy import MaintenanceStack
from appliance.store import machines
from tests.people import ADA

OTHER_BOARD = "99999999-2222-3333-4444-555555555509"
SECOND = MacAddress("52:54:00:00:00:02")


async def of_board(world, played):
    """The machines that are known by this board's UUID."""
    return await world.store.read(lambda db: machines.by_uuid(db, played.uuid))


async def conflicts(world):
    return [event.text for event in await world.events("machine.conflict")]


async def test_one_stray_request_takes_nothing_from_a_machine(world, node):
    await node.active()
    stray = Played(world, FIRST, OTHER_BOARD)
    for _ in range(5):
        assert (await stray.firmware()).spec == MaintenanceStack(armed=False)
    (newcomer,) = await of_board(world, stray)
    assert (newcomer.macs, newcomer.state, newcomer.maintenance) == ((), "discovered", True)
    (said,) = await conflicts(world)
    assert said.startswith(f"{newcomer.name} claims the network interface of {(await node.seen()).name}")
    await boots_disk(node)
    assert (await node.seen()).macs == (FIRST,)
    assert len(await world.machines()) == 2


async def test_an_agent_in_the_other_board_brings_the_interface_along(world, node):
    await node.boots_stack()
    other = Played(world, FIRST, OTHER_BOARD)
    await other.firmware()
    assert (await node.seen()).uuid == node.uuid
    await other.boots_stack()
    (newcomer,) = await of_board(world, other)
    assert (newcomer.macs, newcomer.state) == ((FIRST,), "idle")
    assert (await of_board(world, node))[0].macs == ()


async def test_a_machine_with_a_deployment_keeps_its_interface_until_a_user_releases_it(world, node):
    await node.active()
    owner = await node.seen()
    other = Played(world, FIRST, OTHER_BOARD)
    for _ in range(3):
        await other.boots_stack()
        assert (await node.seen()).id == owner.id
    (newcomer,) = await of_board(world, other)
    assert (newcomer.macs, newcomer.state) == ((), "idle")
    assert len(await conflicts(world)) == 2, "when it came, and when its agent showed that it has it"
    assert f"stays with {owner.name} until web-1 is released" in (await conflicts(world))[1]
    await boots_disk(node)
    await world.act("release")
    await node.obeys()
    await node.boots_stack()
    assert await state(node) == "idle"
    await other.boots_stack()
    assert (await of_board(world, other))[0].macs == (FIRST,)


async def test_a_board_that_had_it_does_not_get_it_back_from_a_machine_with_a_deployment(world, node):
    await node.boots_stack()
    other = Played(world, FIRST, OTHER_BOARD)
    await other.active()
    before = len(await conflicts(world))
    for _ in range(3):
        assert (await node.firmware()).spec == MaintenanceStack(armed=False)
    assert (await other.seen()).uuid == OTHER_BOARD
    assert len(await conflicts(world)) == before + 1
    await boots_disk(other)


async def test_away_and_back_is_the_same_machine(world, node):
    await node.boots_stack()
    first = (await node.seen()).id
    await Played(world, FIRST, OTHER_BOARD).boots_stack()
    newcomer = await node.seen()
    await node.firmware()
    back = await node.seen()
    assert (back.id, back.macs, back.uuid) == (first, (FIRST,), node.uuid)
    assert (await conflicts(world))[-1] == (
        f"{back.name} has the network interface again that {newcomer.name} had meanwhile"
    )
    said = len(await conflicts(world))
    await node.firmware()
    assert len(await conflicts(world)) == said


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
    second = Played(world, SECOND, OTHER_BOARD)
    await second.boots_stack()
    stranger = Played(world, FIRST, OTHER_BOARD)
    for _ in range(3):
        await stranger.firmware()
    assert len(await world.machines()) == 3
    assert (await second.seen()).macs == (SECOND,)
    await stranger.boots_stack()
    assert (await second.seen()).macs == (SECOND,)
    assert (await stranger.seen()).id not in {each.id for each in await of_board(world, node)}


async def test_whose_owner_was_deleted_belongs_to_the_machine_that_claims_it(world, node):
    await node.boots_stack()
    other = Played(world, FIRST, OTHER_BOARD)
    await other.firmware()
    await world.wishes.delete_machine((await node.seen()).id, ADA)
    await other.firmware()
    (newcomer,) = await world.machines()
    assert (newcomer.macs, newcomer.uuid) == ((FIRST,), OTHER_BOARD)


async def test_where_strangers_are_left_alone_a_known_interface_in_another_board_is_one(world, node):
    await node.boots_stack()
    world.unknown[SERVER] = "local-disk"
    other = Played(world, FIRST, OTHER_BOARD)
    await other.firmware()
    assert (await node.seen()).uuid == node.uuid

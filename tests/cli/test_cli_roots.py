"""Machines that wait to be let in to their roots, by ``qrm``."""

from cli_world import Cli
from roots_seed import put_asking, put_live_image


async def test_who_asks_is_listed_and_let_in(qrm: Cli) -> None:
    await qrm.world.machine()
    now = qrm.world.clock()
    await qrm.world.services.store.write(lambda db: put_asking(db, now))
    listed = (await qrm.run("machines", "list", "--asking")).out
    assert "asks to be let in" in listed
    assert "node-1 " not in listed
    done = await qrm.run("machines", "admit", "node-77")
    assert "node-77 gets the root of kiosk-1" in done.err
    assert "node-77: let in" in done.out
    assert "root-not-asked" in (await qrm.run("machines", "admit", "node-77", code=4)).err
    await qrm.run("machines", "admit", code=2)


async def test_an_image_says_how_it_can_be_deployed(qrm: Cli) -> None:
    await qrm.world.services.store.write(put_live_image)
    shown = (await qrm.run("images", "show", "live-13")).out.splitlines()
    assert ["deliveries", "ram,", "iscsi,", "nfs"] in [line.split() for line in shown]

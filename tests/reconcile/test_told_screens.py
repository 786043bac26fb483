"""What stands on a machine's boot screen is in its timeline, and no more of it than is known."""

import pytest

from appliance.events import Bus
from appliance.netboot.tftp.facts import TftpNotFound
from appliance.reconcile.observations import Observations
from appliance.reconcile.projection import Projection
from appliance.screencode import MEANINGS, Waits
from appliance.store.store import open_store

MAC = "52:54:00:00:00:01"


@pytest.fixture
async def observations(tmp_path):
    async with open_store(tmp_path / "store.db") as store:
        projection = Projection(store, Bus(), lambda name: None, lambda owner: None)
        yield Observations(store, Bus(), lambda: 100.0, projection)


def queued(observations):
    return [observations._queue.get_nowait() for _ in range(observations._queue.qsize())]


async def test_the_error_its_meaning_and_what_to_do(observations):
    observations.boot_screen(MAC, 20, "0x2d0c613b")
    [event] = queued(observations)
    assert event.kind == "boot.trouble"
    assert event.detail["mac"] == MAC
    why = "there is no such file, https://ipxe.org/2d0c613b"
    assert event.text == f"its screen says: {MEANINGS[Waits.STACK].text} ({why})"
    assert event.reason == MEANINGS[Waits.STACK].todo


@pytest.mark.parametrize(("number", "error"), [(99, ""), (0, "x"), (10**12, "")])
async def test_a_number_that_nobody_gave_is_nothing(observations, number, error):
    observations.boot_screen(MAC, number, error)
    assert queued(observations) == []


async def test_grub_gives_no_number_of_its_error(observations):
    observations.boot_screen(MAC, 30, "")
    [event] = queued(observations)
    assert event.text == f"its screen says: {MEANINGS[Waits.DISK].text}"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("/grub/x86_64-efi/command.lst", 0),
        ("revocations_sku.efi", 0),
        ("shim_certificate_0.efi", 0),
        ("snponly.efi", 1),
        ("grubx64.efi", 1),
        ("/grub/grub.cfg", 1),
    ],
)
async def test_what_a_boot_loader_only_looks_for_is_no_trouble(observations, name, told):
    observations._projection.mac_of["10.77.0.50"] = MAC
    observations.tftp(TftpNotFound("10.77.0.50", name))
    assert len(queued(observations)) == told

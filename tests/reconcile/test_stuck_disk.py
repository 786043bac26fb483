"""A disk that takes no writes is told of once, shown as long as it lasts, and noted when it is over."""

import asyncio

from appliance.events import Bus
from appliance.reconcile.stuck import AGAIN_SECONDS, STUCK_SECONDS, StuckDisk


class Disk:
    """As much of the store as is looked at."""

    waits = 0.0

    def stuck_for(self):
        return self.waits


def desk():
    disk, bus, told = Disk(), Bus(), []
    clock = [1000.0]
    return disk, StuckDisk(disk, bus, lambda: clock[0]), bus.listen(told.append), told, clock


def test_a_busy_disk_is_no_news():
    disk, stuck, listening, told, _ = desk()
    with listening:
        disk.waits = STUCK_SECONDS / 2
        assert stuck.look() is None
    assert (stuck.notice(), told) == ("", [])


def test_it_is_told_once_and_shown_as_long_as_it_lasts(caplog):
    disk, stuck, listening, told, clock = desk()
    with listening:
        for passed in range(0, int(AGAIN_SECONDS), 5):
            clock[0], disk.waits = 1000.0 + passed, STUCK_SECONDS + passed
            assert stuck.look() is None
    assert [event.kind for event in told] == ["daemon.trouble"]
    assert "has not answered for 60 s" in stuck.notice()
    assert len(caplog.records) == 1, "the log is not filled with it"
    clock[0], disk.waits = clock[0] + AGAIN_SECONDS, disk.waits + AGAIN_SECONDS
    stuck.look()
    assert len(caplog.records) == 2, "nor silent for ever"


def test_what_is_over_is_to_be_stored_with_how_long_it_took():
    disk, stuck, _, _, clock = desk()
    disk.waits = STUCK_SECONDS
    stuck.look()
    clock[0], disk.waits = clock[0] + 20, 0.0
    ended = stuck.look()
    assert ended is not None
    assert ended.text == "the disk that holds the state answers again; it did not for 25 s"
    assert stuck.notice() == ""
    assert stuck.look() is None


async def test_a_second_stop_is_told_again():
    disk, stuck, listening, told, _ = desk()
    with listening:
        for waits in (STUCK_SECONDS, 0.0, STUCK_SECONDS):
            disk.waits = waits
            stuck.look()
            await asyncio.sleep(0)
    assert len(told) == 2

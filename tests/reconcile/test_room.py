"""How full the disk of the state is: told once when it rises, shown while it lasts, and noted when it is over."""

from dataclasses import dataclass

import pytest

from appliance.errors import ApplianceError
from appliance.events import Bus
from appliance.reconcile.room import Level, Room, Space, level_of, news, words
from appliance.store.store import open_store

MB = 1_000_000
TOTAL, RESERVE = 1000 * MB, 60 * MB


def at(free):
    return Space(TOTAL, free * MB)


@pytest.mark.parametrize(
    ("free", "held", "before", "after"),
    [
        (500, True, Level.FINE, Level.FINE),
        (201, True, Level.FINE, Level.FINE),
        (200, True, Level.FINE, Level.FILLING),
        (210, True, Level.FILLING, Level.FILLING),
        (221, True, Level.FILLING, Level.FINE),
        (100, True, Level.FILLING, Level.SHORT),
        (119, True, Level.SHORT, Level.SHORT),
        (121, True, Level.SHORT, Level.FILLING),
        (30, True, Level.SHORT, Level.SHORT),
        (29, True, Level.SHORT, Level.SPENT),
        (60, False, Level.SHORT, Level.FULL),
        (29, False, Level.FULL, Level.SPENT),
        (31, False, Level.SPENT, Level.FULL),
        (119, False, Level.FULL, Level.FULL),
        (120, False, Level.FULL, Level.SHORT),
    ],
)
def test_levels_rise_at_once_and_fall_with_some_slack(free, held, before, after):
    assert level_of(at(free), RESERVE, held, before) is after


def test_everything_that_is_told_says_how_much_is_left():
    assert words(Level.FINE, at(500)) == ""
    assert "90% full" in words(Level.SHORT, at(100))
    assert "100.0 MB are left" in words(Level.SHORT, at(100))
    assert "60.0 MB of a reserve are left" in words(Level.FULL, at(60))
    assert "who has an address keeps it" in words(Level.SPENT, at(0))


def test_only_what_rises_or_is_over_is_news():
    assert news(Level.FINE, Level.FINE, at(500), 0) == ""
    assert news(Level.SHORT, Level.FILLING, at(150), 0) == ""
    assert news(Level.SPENT, Level.FULL, at(60), 0) == "", "it is still full"
    assert "it was full for 30 s" in news(Level.SPENT, Level.SHORT, at(100), 30)
    assert "has room again" in news(Level.FILLING, Level.FINE, at(500), 0)


@dataclass
class Disk:
    """A file system with a reserve on it."""

    free: int = 500 * MB
    size: int = RESERVE
    held: bool = False

    def take(self):
        if self.free >= self.size:
            self.free, self.held = self.free - self.size, True
        return self.held

    def give_up(self):
        self.free, self.held = self.free + self.size * self.held, False

    def look(self):
        return Space(TOTAL, self.free)


async def test_a_life_of_filling_up_and_being_emptied(tmp_path):
    disk, bus, now, heard = Disk(), Bus(), [1000.0], []
    async with open_store(tmp_path / "store.db") as store:
        room = Room(store, bus, lambda: now[0], disk, disk.look)
        with bus.listen(heard.append):
            await room.round()
            assert disk.held, "kept as soon as there is room"
            assert (room.notice(), heard) == ("", [])
            disk.free = 150 * MB
            await room.round()
            assert room.notice() == "", "an event will do"
            disk.free = 90 * MB
            await room.round()
            assert "91% full" in room.notice()
            disk.free = 0
            await room.round()
            assert not disk.held
            assert "of a reserve" in room.notice()
            disk.free, now[0] = 0, 1030.0
            await room.round()
            assert "used up" in room.notice()
            disk.free, now[0] = 700 * MB, 1100.0
            await room.round()
        assert disk.held
        assert room.notice() == ""
        assert [each.kind for each in heard] == ["state.room"] * 5
        assert heard[-1].text.endswith("it was full for 100 s")
        assert all(each.id for each in heard), "each of them is stored"


async def test_what_cannot_be_stored_is_told_all_the_same(caplog):
    class Full:
        async def write(self, *_):
            raise ApplianceError("store-failed", "database or disk is full")

    disk, bus, heard = Disk(free=0), Bus(), []
    room = Room(Full(), bus, lambda: 0.0, disk, disk.look)
    with bus.listen(heard.append):
        await room.round()
        await room.round()
    assert [each.id for each in heard] == [0], "once"
    assert "database or disk is full" in caplog.text

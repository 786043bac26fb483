"""How a pool is: what is told of it, when it is given more, when it is looked at again."""

from dataclasses import replace

import pytest

from appliance.pool import KnownPool, KnownVolume
from appliance.privileged.thin_layout import MOST_METADATA
from appliance.reconcile.pool_news import (
    FAR,
    NEAR,
    Growth,
    Told,
    copy_due,
    given_by_disk,
    growth,
    level_of,
    missing,
    news,
    observed,
    pause,
)
from appliance.volume import GRAIN, Filling, Level, Pool, PoolId, PoolKind, Volume, VolumeId

GIB = 1 << 30
FAST = KnownPool(PoolId(1), "fast", PoolKind.LVM_THIN, "uuid", 1.0)
WEB = VolumeId("00000000000000aa")


def pool(data=0.1, metadata=0.1, growable=0, kind=PoolKind.LVM_THIN, trouble="", volumes=()):
    notes = Filling(GIB, int(GIB * metadata)) if kind is PoolKind.LVM_THIN else None
    return Pool(kind, Filling(100 * GIB, int(100 * GIB * data)), volumes, notes, growable, trouble=trouble)


def volume(trouble="", key=WEB, name="web"):
    return Volume(key, name, GIB, None, None, False, "/dev/x", trouble=trouble)


@pytest.mark.parametrize(
    ("share", "before", "level"),
    [
        (0.799, Level.FINE, Level.FINE),
        (0.80, Level.FINE, Level.ALERT),
        (0.785, Level.ALERT, Level.ALERT),
        (0.779, Level.ALERT, Level.FINE),
        (0.90, Level.ALERT, Level.STOP),
        (0.885, Level.STOP, Level.STOP),
        (0.879, Level.STOP, Level.ALERT),
        (1.0, Level.FINE, Level.FULL),
        (0.985, Level.FULL, Level.FULL),
        (0.97, Level.FULL, Level.STOP),
        (0.1, Level.FULL, Level.FINE),
    ],
)
def test_levels_rise_at_once_and_fall_with_some_slack(share, before, level):
    assert level_of(share, before) is level


def told(before, seen, known=None):
    after = observed(seen, known or {}, before)
    return after, [(each.text, each.reason) for each in news(FAST, before, after, seen, 5.0)]


def test_data_and_metadata_are_told_of_each_by_itself_and_once():
    after, said = told(Told(), pool(data=0.85, metadata=0.95))
    assert [text for text, _ in said] == [
        "85% of the room of the pool fast is used",
        "95% of the room to note what is whose of the pool fast is used",
    ]
    assert "no snapshots" in said[1][1]
    assert (after.data, after.metadata) == (Level.ALERT, Level.STOP)
    assert told(after, pool(data=0.86, metadata=0.96))[1] == []
    assert told(after, pool(data=0.79, metadata=0.96))[1] == [], "around the border nothing is told again"
    assert told(after, pool(data=0.1, metadata=0.96))[1] == [("the pool fast has room again: 10% is used", "")]


def test_a_full_pool_is_told_of_and_when_it_can_be_written_again():
    after, said = told(Told(), pool(data=1.0))
    assert said[0][0] == "all of the room of the pool fast is used"
    after, said = told(after, pool(data=0.93))
    assert said[0][0] == "the pool fast has room again: 93% is used"
    assert told(after, pool(data=0.85))[1] == [], "what falls further is told once it is fine"


def test_trouble_is_told_once_and_when_it_ends():
    gone = missing(Told(data=Level.ALERT), "there is no pool uuid")
    assert gone.data is Level.ALERT, "how full it was is not told anew when it is back"
    (event,) = news(FAST, Told(data=Level.ALERT), gone, None, 5.0)
    assert (event.kind, event.reason, event.detail["pool"]) == ("pool.trouble", "there is no pool uuid", 1)
    assert news(FAST, gone, gone, None, 6.0) == []
    back, said = told(gone, pool(data=0.85))
    assert said == [("the pool fast is well again", "it was: there is no pool uuid")]
    assert back.trouble == ""


def test_volumes_in_trouble_are_told_of_but_not_those_that_are_being_changed():
    broken, known = pool(volumes=(volume("a disk that it is on is missing"),)), {WEB: KnownVolume(WEB, FAST.id, "web")}
    after, said = told(Told(), broken, known)
    assert said == [("a volume in fast is in trouble", "web: a disk that it is on is missing")]
    assert told(after, broken, known)[1] == []
    assert told(after, pool(volumes=(volume(),)), known)[1][0][0] == "a volume in fast is well again"
    assert observed(broken, known, Told(), {WEB}).volumes == {}
    assert observed(pool(), known, Told()).volumes == {WEB: "web: it is not in the pool any more"}
    assert observed(replace(broken, trouble="1 of its disks is missing"), known, Told()).volumes == {}, "said once"


def test_many_volumes_in_trouble_are_one_piece_of_news():
    many = [volume("its disk is missing", VolumeId(f"{number:016x}"), f"web{number}") for number in range(5000)]
    after, said = told(Told(), pool(volumes=tuple(many)))
    assert len(after.volumes) == 5000
    assert [text for text, _ in said] == ["5000 volumes in fast are in trouble, or well again"]
    assert len(told(after, pool(volumes=tuple(many[1:])))[1]) == 1


def test_more_room_is_given_before_anybody_is_alarmed_and_metadata_come_first():
    assert growth(pool(data=0.74, metadata=0.74, growable=50 * GIB)) == Growth()
    assert growth(pool(data=0.76, growable=50 * GIB)) == Growth(data=20 * GIB)
    assert growth(pool(data=0.76, growable=3 * GIB + 1)) == Growth(data=3 * GIB)
    assert growth(pool(data=0.99, growable=GRAIN - 1)) == Growth()
    both = growth(pool(data=0.8, metadata=0.8, growable=GIB))
    assert both.metadata >= GIB // 5
    assert both.data + 2 * both.metadata <= GIB, "the spare grows with the metadata"
    assert both.metadata % GRAIN == both.data % GRAIN == 0
    assert growth(pool(data=0.99, growable=GIB, kind=PoolKind.LVM_THICK)) == Growth()
    assert growth(pool(data=0.99, growable=GIB, trouble="a disk is missing")) == Growth()
    large = replace(pool(growable=GIB), metadata=Filling(MOST_METADATA, MOST_METADATA))
    assert growth(large).metadata == 0, "the kernel takes no more"


@pytest.mark.parametrize("size", [0, GRAIN, 5 * GRAIN, GIB, 7 * GIB + 5, 1 << 44])
def test_a_new_disk_is_given_to_the_pool_but_for_a_part(size):
    given = given_by_disk(pool(growable=size))
    assert given.data + 2 * given.metadata <= size
    assert given.data % GRAIN == given.metadata % GRAIN == 0
    if size > GIB:
        assert given.data > size * 0.9


def test_a_copy_is_due_once_a_day_and_for_groups_only():
    noon = 1_795_262_400.0
    day = copy_due(FAST, Told(), noon)
    assert len(day) == 10
    assert copy_due(FAST, Told(copied=day), noon) == ""
    assert copy_due(FAST, Told(copied=day), noon + 86400) > day
    assert copy_due(replace(FAST, kind=PoolKind.DIRECTORY), Told(), noon) == ""
    assert copy_due(replace(FAST, place=""), Told(), noon) == "", "it is still being made"


def test_a_pool_that_fills_up_is_looked_at_more_often():
    assert pause(pool()) == pause(None) == FAR
    assert pause(pool(data=0.7)) == pause(pool(metadata=0.7)) == NEAR

"""Pools and volumes: what may be made of them, and when a pool is too full for it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ApplianceError
from appliance.volume import (
    GRAIN,
    MOST,
    Filling,
    Level,
    NewVolume,
    Pool,
    PoolKind,
    Volume,
    VolumeId,
    check_fits,
    check_grows,
    check_id,
    check_is_its_snapshot,
    check_may_copy,
    check_name,
    check_name_is_free,
    check_unused,
    checked,
    existing,
    is_made,
    level,
    rounded,
    usable,
)

GOLDEN, WEB = VolumeId("0" * 15 + "1"), VolumeId("0" * 15 + "2")
NEW = NewVolume(WEB, "web1", GRAIN)


def volume(key=GOLDEN, name="golden", **more):
    return Volume(
        key, name, **{"size": GRAIN, "used": 0, "origin": None, "read_only": False, "path": f"/v/{key}"} | more
    )


def pool(*volumes, data=(100, 0), metadata=None, **more):
    return Pool(PoolKind.LVM_THIN, Filling(*data), volumes, Filling(*metadata) if metadata else None, **more)


def code(call, *arguments):
    with pytest.raises(ApplianceError) as caught:
        call(*arguments)
    assert caught.value.message
    assert caught.value.hint
    return caught.value.code


@given(st.integers(1, MOST))
def test_sizes_are_whole_grains_and_no_volume_is_smaller_than_was_asked_for(size):
    assert rounded(size) % GRAIN == 0
    assert 0 <= rounded(size) - size < GRAIN
    assert rounded(rounded(size)) == rounded(size) <= MOST


@given(st.one_of(st.integers(max_value=0), st.integers(min_value=MOST + 1)))
def test_sizes_that_cannot_be(size):
    assert code(rounded, size) == "volume-size"
    assert code(checked, replace(NEW, size=size)) == "volume-size"


@given(st.text())
def test_an_id_has_sixteen_hexadecimal_digits_and_nothing_else(text):
    if len(text) == 16 and set(text) <= set("0123456789abcdef"):
        assert check_id(text) == text
    else:
        assert code(check_id, text) == "volume-id"


@pytest.mark.parametrize("text", ["0" * 17, "0" * 15 + "A", "0" * 16 + "\n", "../../../etc/pass", "٣" * 16, ""])
def test_what_is_no_id(text):
    assert code(checked, replace(NEW, id=VolumeId(text))) == "volume-id"


@given(st.text("aZ0._-/ \n\0@ü", max_size=70))
def test_a_name_is_what_every_kind_of_pool_can_note(text):
    """A tag of LVM, a word in a listing."""
    if 0 < len(text) <= 63 and set(text) <= set("aZ0._-") and text[0] in "aZ0":
        assert check_name(text) == text
    else:
        assert code(check_name, text) == "volume-name"


@pytest.mark.parametrize("text", ["", ".", "..", "-rf", "a b", "a/b", "a\n", "ü", "x" * 64, "_a"])
def test_what_cannot_be_a_name(text):
    assert code(checked, replace(NEW, name=text)) == "volume-name"


@pytest.mark.parametrize("text", ["web1", "Web_1.before-the-update", "1", "x" * 63])
def test_what_can_be_a_name(text):
    assert checked(replace(NEW, name=text, size=1)) == NewVolume(WEB, text, GRAIN)


@pytest.mark.parametrize(
    ("data", "metadata", "said"),
    [
        ((100, 0), None, Level.FINE),
        ((100, 79), (100, 79), Level.FINE),
        ((100, 80), None, Level.ALERT),
        ((100, 0), (100, 80), Level.ALERT),
        ((100, 90), (100, 0), Level.STOP),
        ((100, 85), (100, 90), Level.STOP),
        ((100, 100), None, Level.FULL),
        ((100, 5), (100, 100), Level.FULL),
        ((0, 0), None, Level.FULL),
    ],
)
def test_a_pool_is_as_full_as_the_fuller_of_its_two_parts(data, metadata, said):
    found = pool(data=data, metadata=metadata)
    assert level(found) is said
    if said in (Level.STOP, Level.FULL):
        assert code(check_may_copy, found) == "pool-filling"
    else:
        check_may_copy(found)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_a_pool_that_fills_is_never_said_to_be_emptier(data, metadata, more):
    order = list(Level)
    before = level(pool(data=(100, data), metadata=(100, metadata)))
    after = level(pool(data=(100, min(100, data + more)), metadata=(100, metadata)))
    assert order.index(after) >= order.index(before)


def test_it_is_said_which_part_is_full():
    with pytest.raises(ApplianceError, match="95% of the pool's room to note what is whose"):
        check_may_copy(pool(data=(100, 91), metadata=(100, 95)))
    with pytest.raises(ApplianceError, match="91% of the pool's room is used"):
        check_may_copy(pool(data=(100, 91), metadata=(100, 20)))


def test_promised_is_what_all_volumes_would_take():
    assert pool(volume(), volume(WEB, size=3 * GRAIN)).promised == 4 * GRAIN
    assert pool().promised == 0


def test_volumes_that_are_too_large():
    assert code(check_fits, pool(largest=GRAIN), GRAIN + 1) == "pool-too-small"
    check_fits(pool(largest=GRAIN), GRAIN)


def test_no_volume_is_made_smaller():
    assert code(check_grows, volume(size=2 * GRAIN), GRAIN) == "volume-shrinks"
    check_grows(volume(size=2 * GRAIN), 2 * GRAIN)


def test_a_volume_is_found_by_its_id():
    found = pool(volume(), volume(WEB, trouble="half made"))
    assert existing(found, WEB).trouble
    assert usable(found, GOLDEN) == volume()
    assert code(existing, pool(), WEB) == "volume-unknown"
    assert code(usable, pool(), WEB) == "volume-unknown"
    assert code(usable, found, WEB) == "volume-troubled"


def test_what_is_there_as_it_was_asked_for_is_done():
    assert not is_made(pool(volume()), NEW, None)
    assert is_made(pool(volume(WEB, "web1")), NEW, None)
    assert is_made(pool(volume(), volume(WEB, "web1", origin=GOLDEN)), NEW, GOLDEN)
    assert is_made(pool(volume(WEB, "web1")), NEW, GOLDEN), "its origin was deleted since"
    assert not is_made(pool(volume(WEB, "web1", trouble="half made")), NEW, None)


@pytest.mark.parametrize("other", [{"name": "web2"}, {"size": 2 * GRAIN}, {"read_only": True}, {"origin": GOLDEN}])
def test_an_id_is_given_once(other):
    made = volume(**{"key": WEB, "name": "web1"} | other)
    assert code(is_made, pool(volume(), made), NEW, None) == "volume-id-taken"


def test_a_name_is_given_once():
    found = pool(volume(name="web1"))
    assert code(is_made, found, NEW, None) == "name-taken"
    assert code(check_name_is_free, found, "web1", WEB) == "name-taken"
    check_name_is_free(found, "web1", GOLDEN)
    check_name_is_free(found, "web2", WEB)


def test_only_its_own_snapshot_brings_a_volume_back():
    kept = volume(WEB, "kept", origin=GOLDEN, read_only=True)
    check_is_its_snapshot(pool(volume(), kept), GOLDEN, WEB)
    for other in (replace(kept, origin=None), replace(kept, read_only=False), replace(kept, origin=WEB)):
        assert code(check_is_its_snapshot, pool(volume(), other), GOLDEN, WEB) == "volume-not-its-snapshot"
    assert code(check_is_its_snapshot, pool(kept), GOLDEN, WEB) == "volume-unknown"
    assert code(check_is_its_snapshot, pool(volume()), GOLDEN, WEB) == "volume-unknown"
    assert code(check_is_its_snapshot, pool(volume(), replace(kept, trouble="x")), GOLDEN, WEB) == "volume-troubled"


def test_what_is_open_is_left_alone():
    assert code(check_unused, volume(in_use=True)) == "volume-in-use"
    check_unused(volume())

"""What is read from LVM's report, and what has to be mended."""

import sys
from types import FrameType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lvm_samples import GROUP, ONE, OTHER, THIN, THREE, TWO, logical, ours, report, thin_pool

from appliance.errors import ApplianceError
from appliance.privileged.lvm import parsed
from appliance.privileged.verbs.lvm import Group
from appliance.privileged.verbs.lvm_fill import Fill
from appliance.privileged.verbs.lvm_seen import BETWEEN, NOT_ACTIVE, UNFILLED, pool_of
from appliance.privileged.verbs.lvm_tags import value, values
from appliance.privileged.verbs.lvm_volumes import Clear, Replace, Wake
from appliance.storage.lvm_report import to_be_mended
from appliance.volume import Filling, Level, PoolKind, level


def one(*rows: object, tags: str = "qrm.pool") -> Group:
    (group,) = parsed(report(*rows, tags=tags))
    return group


# -- a report of a real LVM


def test_groups_and_what_they_are_made_of() -> None:
    thin, other = parsed(THIN)
    assert (thin.uuid, thin.name, thin.is_pool) == (GROUP, "qrm", True)
    assert (other.uuid, other.is_pool, other.exported) == (OTHER, False, True)
    assert [each.missing for each in (*thin.members, *other.members)] == [False, False, True]
    assert thin.thin_pool is not None
    assert other.thin_pool is None
    assert [each.id for each in thin.volumes] == ["", "", ONE, TWO, THREE]


def test_a_pool_with_its_volumes() -> None:
    pool = pool_of(parsed(THIN)[0])
    assert pool.kind is PoolKind.LVM_THIN
    assert pool.data == Filling(83886080, 68157440)
    assert pool.metadata == Filling(8388608, 1048576)
    assert level(pool) is Level.ALERT
    assert (pool.growable, pool.largest) == (914358272, 83886080)
    assert pool.members == ("/dev/sdb", "/dev/sdc")
    assert pool.trouble == ""
    web1, monday, gone = pool.volumes
    assert (web1.name, web1.size, web1.path) == ("web1", 107374182400, f"/dev/qrm/v-{ONE}")
    assert (web1.in_use, web1.read_only, web1.origin, web1.created) == (True, False, None, 1795000000)
    assert web1.used == 53687092
    assert (monday.origin, monday.read_only, monday.in_use, monday.trouble) == (ONE, True, False, "")
    assert (gone.origin, gone.used, gone.trouble) == (None, None, NOT_ACTIVE), "what it was made of is not there"
    assert pool.promised == 2 * 107374182400 + 8388608
    assert [(each.name, each.size) for each in pool.foreign] == [("root", 16777216)]


def test_a_group_without_a_thin_pool_is_thick() -> None:
    pool = pool_of(one(ours(ONE)))
    assert (pool.kind, pool.metadata, pool.growable) == (PoolKind.LVM_THICK, None, 0)
    assert pool.data == Filling(512 << 20, 412 << 20)
    assert pool.largest == 100 << 20
    assert pool.volumes[0].used == 8 << 20


# -- what is ours


@pytest.mark.parametrize(
    "row",
    [
        logical(f"v-{ONE}", ""),
        logical(f"v-{ONE}", "qrm.name=web1,qrm.created=1"),
        logical(f"v-{ONE}", f"qrm.id={TWO}"),
        logical("root", f"qrm.id={ONE},qrm.name=web1"),
        logical(f"x-{ONE}", f"qrm.id={ONE},qrm.state=making"),
        logical(ONE, f"qrm.id={ONE}"),
        logical("v-", "qrm.id="),
    ],
)
def test_a_name_or_a_tag_alone_does_not_make_it_ours(row: object) -> None:
    group = one(row)
    assert pool_of(group).volumes == ()
    assert len(pool_of(group).foreign) == 1
    assert to_be_mended(group) == ()


def test_a_pool_that_is_called_like_ours_is_not_ours() -> None:
    group = one(thin_pool(lv_tags=""))
    assert group.thin_pool is None
    assert [each.what for each in pool_of(group).foreign] == ["logical volume, thin pool"]
    assert one(thin_pool(), tags="qrm.pools").is_pool is False


def test_what_a_repair_left_says_so() -> None:
    (left,) = pool_of(one(thin_pool(), logical("pool_meta0", "qrm.old-metadata"))).foreign
    assert "repair" in left.what


# -- troubles


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"lv_attr": "twi-cotzM-", "lv_health_status": "metadata_read_only"}, "to be checked"),
        ({"lv_attr": "twi-aotzM-", "lv_health_status": "metadata_read_only"}, "nothing can be changed"),
        ({"lv_attr": "twi-aotzD-", "lv_health_status": "out_of_data", "data_percent": "100.00"}, "no room left"),
        ({"lv_attr": "twi-aotzF-", "lv_health_status": "failed", "data_percent": ""}, "has failed"),
        ({"lv_attr": "twi---tz--", "data_percent": "", "metadata_percent": ""}, "not active"),
        ({"lv_attr": "twi-aotz--", "lv_health_status": "something new"}, "something new"),
    ],
)
def test_what_is_wrong_with_a_thin_pool(columns: dict[str, str], words: str) -> None:
    pool = pool_of(one(thin_pool(**columns)))
    assert words in pool.trouble
    assert (level(pool) is Level.FULL) == (columns.get("data_percent") == "100.00")


def test_a_disk_that_is_missing() -> None:
    text = report(ours(ONE, lv_attr="-wi-----p-", lv_health_status="partial")).replace(
        '"pv_missing": ""', '"pv_missing": "missing"'
    )
    (group,) = parsed(text)
    assert pool_of(group).trouble == "1 of its disks is missing"
    assert "missing" in pool_of(group).volumes[0].trouble
    assert to_be_mended(group) == (), "LVM could not make it usable"


def test_what_is_full_to_a_hundredth_is_full() -> None:
    assert pool_of(one(thin_pool(data_percent="99.99"))).data.used < 64 << 20
    assert pool_of(one(thin_pool(metadata_percent="100.00"))).metadata == Filling(8 << 20, 8 << 20)


@pytest.mark.parametrize("text", ["", "{}", "[]", "WARNING: x", '{"report": [{"vg": [{"vg_uuid": 1}]}]}'])
def test_what_is_no_report_is_said_so(text: str) -> None:
    with pytest.raises(ApplianceError) as caught:
        parsed(text)
    assert caught.value.code == "storage-unreadable"


def test_numbers_that_are_none_are_said_so() -> None:
    for column, said in (("lv_size", "8m"), ("data_percent", "much"), ("lv_metadata_size", "-")):
        with pytest.raises(ApplianceError):
            parsed(report(thin_pool(**{column: said})))


# -- mending


MAKING, STANDS_IN, REPLACED = "qrm.state=making", "qrm.state=rolling-back", "qrm.state=replaced"


@pytest.mark.parametrize(
    ("rows", "verbs", "shown"),
    [
        ([ours(ONE)], [], ""),
        ([ours(ONE, tags=MAKING)], [Clear(GROUP, ONE)], UNFILLED),
        ([ours(ONE), ours(ONE, begin="r", tags=MAKING)], [Clear(GROUP, ONE)], ""),
        ([ours(ONE), ours(ONE, begin="r", tags=STANDS_IN)], [Clear(GROUP, ONE)], ""),
        ([ours(ONE, tags=REPLACED), ours(ONE, begin="r", tags=STANDS_IN)], [Replace(GROUP, ONE)], BETWEEN),
        ([ours(ONE, begin="o", tags=REPLACED), ours(ONE, begin="r", tags=STANDS_IN)], [Replace(GROUP, ONE)], BETWEEN),
        ([ours(ONE, begin="o", tags=REPLACED), ours(ONE, tags=STANDS_IN)], [Replace(GROUP, ONE)], BETWEEN),
        ([ours(ONE, begin="o", tags=REPLACED), ours(ONE)], [Clear(GROUP, ONE)], ""),
        ([ours(ONE, tags=REPLACED)], [Replace(GROUP, ONE)], BETWEEN),
        ([ours(ONE, tags="qrm.grown-from=4194304")], [Fill(GROUP, ONE)], ""),
        ([ours(ONE, lv_attr="-wi-------")], [Wake(GROUP)], NOT_ACTIVE),
        ([ours(ONE, lv_attr="-wi-s-----")], [Wake(GROUP)], NOT_ACTIVE),
        ([thin_pool(lv_attr="twi---tz--")], [Wake(GROUP)], None),
        (
            [ours(ONE, tags=MAKING, lv_attr="-wi-------"), ours(TWO, lv_attr="-wi-------")],
            [Clear(GROUP, ONE), Wake(GROUP)],
            UNFILLED,
        ),
    ],
)
def test_what_was_cut_off(rows: list[object], verbs: list[object], shown: str | None) -> None:
    group = one(*rows)
    found = to_be_mended(group)
    assert [verb for verb, _ in found] == verbs
    assert all(words for _, words in found)
    if shown is not None:
        first = pool_of(group).volumes[0]
        assert (first.id, first.name, first.trouble) == (ONE, "web1", shown)


def test_what_has_not_grown_yet_has_the_size_of_before() -> None:
    (volume,) = pool_of(one(ours(ONE, tags="qrm.grown-from=4194304"))).volumes
    assert volume.size == 4 << 20


# -- work


MOST_CALLS = 40
"""Functions that are called for one volume on its way from LVM's report to the pool; `make bench` has the time."""


def calls(volumes: int) -> int:
    """How often functions are called, in Python or not, while so many are read: no other work of a computer counts."""
    rows = [ours(f"{number:016x}", f"web{number}", tags=f"qrm.origin={ONE}") for number in range(1, volumes + 1)]
    text, count = report(thin_pool(), *rows), 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        (group,) = msgspec.json.decode(msgspec.json.encode(parsed(text)), type=list[Group])  # through the socket, too
        found = pool_of(group).volumes
    finally:
        sys.setprofile(None)
    assert len(found) == volumes
    return count


def test_many_volumes_are_read_with_little_work_for_each() -> None:
    few, many = calls(500), calls(1500)
    assert (many - few) / 1000 < MOST_CALLS
    assert many < 3 * few + MOST_CALLS, "no more for each the more there are"


@given(st.lists(st.sampled_from(["qrm.id=1", "qrm.id=2", "qrm.name=a=b", "qrm.pool", "other=", "=x", "qrm.name="])))
def test_tags_that_are_read_at_once_say_what_each_says(tags: list[str]) -> None:
    assert all(values(tags).get(key, "") == value(tags, key) for key in ("qrm.id", "qrm.name", "qrm.pool", "other"))

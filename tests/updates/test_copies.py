"""Which copy of the store belongs to which version."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.updates.copies import (
    PutAside,
    StoreCopy,
    copies,
    fitting,
    lost_in_words,
    needless,
    room_needed,
)

TIMES = st.integers(0, 4_000_000_000).map(float)
SCHEMAS = st.integers(1, 99_999)


@given(TIMES, SCHEMAS, SCHEMAS)
def test_a_name_tells_all_of_a_copy(taken: float, schema: int, to: int) -> None:
    copy = StoreCopy(taken, schema, to)
    assert StoreCopy.of(copy.name) == copy


@given(TIMES, SCHEMAS)
def test_a_name_tells_all_of_a_store_that_was_put_aside(since: float, schema: int) -> None:
    aside = PutAside(since, schema)
    assert PutAside.of(aside.name) == aside


def test_other_names_are_nobodys() -> None:
    assert StoreCopy.of("copy.part") is None
    assert StoreCopy.of("schema-1-to-2-20261399T000000Z.db") is None
    assert PutAside.of("store.db") is None
    assert PutAside.of("schema-1-since-99999999T000000Z.db") is None


def test_only_a_copy_of_the_very_migration_leads_back() -> None:
    old, new = StoreCopy(1.0, 20, 21).name, StoreCopy(2.0, 21, 22).name
    assert fitting([old, new], known=21, present=22) == StoreCopy(2.0, 21, 22)
    assert fitting([old], known=20, present=22) is None, "it lacks what was stored between the two"
    assert fitting([new], known=20, present=22) is None, "this program cannot read it"


def test_the_newest_of_several_tries_is_taken() -> None:
    assert fitting([StoreCopy(float(at), 5, 6).name for at in (3, 9, 4)], 5, 6) == StoreCopy(9.0, 5, 6)


def test_all_but_the_newest_are_needless() -> None:
    names = [StoreCopy(float(at), 5, 6).name for at in (3, 9, 4)]
    assert needless([*names, "other"], 1) == [names[0], names[2]]
    assert needless(names, 5) == []
    assert [copy.taken for copy in copies(names)] == [3.0, 4.0, 9.0]


def test_room_and_words() -> None:
    assert room_needed(100, 7) == 207
    assert (lost_in_words(0, 10), lost_in_words(0, 600)) == ("1 minute", "10 minutes")

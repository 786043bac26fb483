"""The audit log keeps what it is told, finds it again, and stays small."""

import pytest

from appliance.reconcile.audit import LONGEST_TEXT, note, note_failure
from appliance.store import audit
from appliance.store.audit import LISTING, Entry, entry_of
from appliance.store.listing import Asked, page
from appliance.store.store import Store
from tests.people import ADA, SOMEBODY


async def entries(store: Store, **filters: object) -> list[Entry]:
    found = await store.read(lambda db: page(db, LISTING, Asked(filters=filters)))
    return [entry_of(row) for row in found.rows]


async def write(store: Store, number: int = 1, now: float = 5.0, **values: object) -> Entry:
    before, after = values.get("before"), values.get("after")
    subject = ("machine", f"m{number}", f"node-{number}")
    return await store.write(lambda db: note(db, ADA, "machine.change", subject, before, after, now=now))


async def test_only_what_differs_is_kept(store: Store) -> None:
    before = {"name": "a", "notes": "same", "gone": 1, "inventory": {"x": 1}}
    await write(store, before=before, after={"name": "b", "notes": "same", "inventory": {"x": 2}})
    (entry,) = await entries(store)
    assert (entry.before, entry.after) == ({"name": "a", "gone": 1}, {"name": "b"})
    assert (entry.who, entry.role, entry.via, entry.address) == ("ada", "admin", "session", "192.0.2.7")
    assert (entry.kind, entry.subject, entry.name, entry.outcome, entry.at) == ("machine", "m1", "node-1", "done", 5.0)


async def test_no_secret_comes_into_it(store: Store) -> None:
    await write(store, after={"password": "p4ssw0rd", "nested": {"token": "t0k3n"}, "list": [{"hash": "h4sh"}]})
    (entry,) = await entries(store)
    assert entry.after == {
        "password": "(a secret)",
        "nested": {"token": "(a secret)"},
        "list": [{"hash": "(a secret)"}],
    }
    assert entry.before is None


async def test_what_is_long_deep_or_no_text_is_cut(store: Store) -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"more": deep}
    await write(store, after={"notes": "x" * 10_000, "odd": "a\udcffb", "deep": deep, "many": list(range(10_000))})
    (entry,) = await entries(store)
    assert entry.after is not None
    assert len(entry.after["notes"]) == LONGEST_TEXT + 1
    assert entry.after["odd"] == "a?b"
    assert len(str(entry.after)) < 3000


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"who": "ada"}, {"m1", "m2"}),
        ({"who": "nobody"}, set()),
        ({"action": "machine.change"}, {"m1", "m2"}),
        ({"action": "user"}, {"eve"}),
        ({"action": "use"}, set()),
        ({"subject": "node-2"}, {"m2"}),
        ({"subject": "m1"}, {"m1"}),
        ({"since": 20.0}, {"m2", "eve"}),
        ({"since": 15.0, "before": 25.0}, {"m2"}),
    ],
)
async def test_it_is_found_again(store: Store, filters: dict[str, object], expected: set[str]) -> None:
    await write(store, 1, 10.0)
    await write(store, 2, 20.0)
    await store.write(lambda db: note_failure(db, "eve", "192.0.2.66", "user.log-in", now=30.0))
    assert {entry.subject for entry in await entries(store, **filters)} == expected


async def test_a_failure_is_one(store: Store) -> None:
    await store.write(lambda db: note_failure(db, "<script>\udc80" * 50, "192.0.2.66", "user.log-in", now=30.0))
    (entry,) = await entries(store)
    assert (entry.outcome, entry.role, len(entry.who)) == ("failed", "", 80)


async def test_a_change_that_fails_leaves_no_entry(store: Store) -> None:
    def job(db: object) -> None:
        note(db, SOMEBODY, "machine.change", ("machine", "m", "n"), now=1.0)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await store.write(job)
    assert await entries(store) == []


async def test_the_oldest_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEEP", 3)
    monkeypatch.setattr(audit, "SLICE", 2)
    for number in range(6):
        await write(store, number, now=1000.0 + number)
    await pruned(store, 2000.0)
    assert [entry.subject for entry in await entries(store)] == ["m5", "m4", "m3"]
    await pruned(store, 1004.5 + audit.KEEP_SECONDS)
    assert [entry.subject for entry in await entries(store)] == ["m5"]


async def pruned(store: Store, now: float) -> None:
    for _ in range(10):
        if not await store.write(lambda db: audit.prune(db, now)):
            return
    raise AssertionError("it never comes to an end")


async def test_nobody_washes_away_what_others_did(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEEP", 5)
    monkeypatch.setattr(audit, "SLICE", 3)
    await write(store, 1)
    for number in range(9):
        await store.write(lambda db: note(db, SOMEBODY, "token.create", ("token", "t", "t"), now=6.0))
        await store.write(lambda db, n=number: note_failure(db, f"made up {n}", "192.0.2.66", "user.log-in", now=7.0))
    await pruned(store, 10.0)
    kept = [entry.action for entry in await entries(store)]
    assert (len(kept), kept.count("machine.change")) == (5, 1)

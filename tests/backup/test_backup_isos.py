"""ISOs in backups: named in each, with their content where that is wanted, found again where they are here."""

import asyncio
from pathlib import Path

import pytest
from backup_world import NOW, State, restored, sha256

from appliance.backup.contents import Nowhere, read
from appliance.backup.format import Member
from appliance.iso import Iso, IsoId, file_name
from appliance.store import isos
from appliance.store.store import open_store

DISC = b"disc" * 50_000
FILE = f"isos/{file_name(sha256(DISC))}"


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "one")
    (made.directory / "isos").mkdir(mode=0o700)
    (made.directory / FILE).write_bytes(DISC)

    async def fill() -> None:
        new = Iso(IsoId(0), "debian", "", len(DISC), sha256(DISC), NOW)
        async with open_store(made.directory / "store.db") as store:
            await store.write(lambda db: isos.add(db, new))

    asyncio.run(fill())
    return made


def test_its_content_comes_along_where_images_do(state: State, tmp_path: Path) -> None:
    backup = state.backup(tmp_path / "backup", with_images=True)
    outcome = restored(backup, tmp_path / "new.toml", state_dir=tmp_path / "two")
    assert outcome.missing == []
    assert (tmp_path / "two" / FILE).read_bytes() == DISC
    assert (tmp_path / "two" / FILE).stat().st_mode & 0o777 == 0o600


def test_without_it_the_new_appliance_says_what_is_missing(state: State, tmp_path: Path) -> None:
    outcome = restored(state.backup(tmp_path / "backup"), tmp_path / "new.toml", state_dir=tmp_path / "two")
    assert "iso debian" in outcome.missing


def test_it_is_taken_from_the_state_that_was_here(state: State, tmp_path: Path) -> None:
    backup = state.backup(tmp_path / "backup")
    outcome = restored(backup, state.config)
    assert outcome.missing == []
    assert (state.directory / FILE).read_bytes() == DISC


def test_a_backup_that_names_one_is_of_the_newest_form(state: State, tmp_path: Path) -> None:
    """An older program could not read its manifest, and says so by the header."""
    found = read(state.backup(tmp_path / "with"), lambda: None, Nowhere())
    assert found.header.format == 5
    assert [each.member.name for each in found.manifest.uploads if each.kind == "iso"] == [f"state/{FILE}"]


@pytest.mark.parametrize("name", ["isos/a.iso", f"isos/../{'0' * 64}.iso", f"isos/{'0' * 64}", f"isos/{'g' * 64}.iso"])
def test_no_other_file_comes_in_under_that_name(name: str) -> None:
    with pytest.raises(ValueError, match="no backup of ours has a file"):
        Member(f"state/{name}", 0, "0" * 64)


def test_a_store_from_before_there_were_any_is_backed_up(tmp_path: Path) -> None:
    made = State(tmp_path / "one")
    assert read(made.backup(tmp_path / "backup"), lambda: None, Nowhere()).header.format == 1

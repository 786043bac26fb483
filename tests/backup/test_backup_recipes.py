"""Recipes that users brought: they are in every backup, come back with it, and outlive one of an older version."""

from pathlib import Path

import pytest
from backup_world import NOW, State, restored

from appliance.backup import prepare
from appliance.backup.contents import Nowhere, read
from appliance.backup.format import Member
from appliance.backup.incoming import bring_in, directory
from appliance.recipes.shelf import OURS, Shelf

MINE = (OURS / "debian-13.toml").read_text().replace("Debian 13 (trixie)", "Web server")


def shelf(state_dir: Path) -> Shelf:
    return Shelf(state_dir / "recipes")


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "one")
    shelf(made.directory).put("web", MINE)
    return made


def test_a_recipe_comes_back_to_a_new_appliance(state: State, tmp_path: Path) -> None:
    restored(state.backup(tmp_path / "backup"), tmp_path / "new.toml", state_dir=tmp_path / "two")
    assert shelf(tmp_path / "two").one("web").text == MINE


def test_only_a_backup_with_recipes_is_of_the_newer_form(state: State, tmp_path: Path) -> None:
    """An older program refuses what it would leave out, and reads what has none."""
    found = read(state.backup(tmp_path / "with"), lambda: None, Nowhere())
    assert (found.header.format, "state/recipes/web.toml" in [each.name for each in found.manifest.members]) == (
        4,
        True,
    )
    shelf(state.directory).remove("web")
    assert read(state.backup(tmp_path / "without"), lambda: None, Nowhere()).header.format == 1


@pytest.mark.parametrize("way", ["qrm", "console"])
def test_those_that_are_here_stay_where_the_backup_has_none(state: State, tmp_path: Path, way: str) -> None:
    shelf(state.directory).remove("web")
    backup = state.backup(tmp_path / "backup")
    shelf(state.directory).put("later", MINE)
    bring_back(state, backup, way)
    assert shelf(state.directory).one("later").text == MINE


@pytest.mark.parametrize("way", ["qrm", "console"])
def test_the_state_of_the_backup_counts_where_it_has_some(state: State, tmp_path: Path, way: str) -> None:
    backup = state.backup(tmp_path / "backup")
    shelf(state.directory).put("web", MINE.replace("Web server", "Another"))
    shelf(state.directory).put("later", MINE)
    bring_back(state, backup, way)
    assert [each.name for each in shelf(state.directory).all() if not each.builtin] == ["web"]
    assert shelf(state.directory).one("web").text == MINE


def bring_back(state: State, backup: Path, way: str) -> None:
    if way == "qrm":
        restored(backup, state.config)
        return
    directory(state.directory)
    prepare.prepare(state.directory, backup, lambda: None, NOW)
    assert bring_in(state.directory)


def test_what_is_no_recipe_of_ours_is_left_out(state: State, tmp_path: Path) -> None:
    (state.directory / "recipes" / "a b.toml").write_text("x")
    (state.directory / "recipes" / "notes.txt").write_text("x")
    found = read(state.backup(tmp_path / "backup"), lambda: None, Nowhere())
    assert [each.name for each in found.manifest.members if "recipes" in each.name] == ["state/recipes/web.toml"]


@pytest.mark.parametrize("name", ["../x", "web.toml/../../x", ".web", "Web", "web.toml.toml", "a/b", "-a"])
def test_no_backup_names_a_recipe_that_lies_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match="no backup of ours"):
        Member(f"state/recipes/{name}.toml", 1, "0" * 64)

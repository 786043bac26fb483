"""The lab's directory: private, locked while it lives, swept afterwards."""

import os
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.lab.card import Card, find_lab, write_card
from appliance.lab.directory import create, open_kept, remove, running


def test_a_lab_directory_is_private(tmp_path: Path) -> None:
    directory, lock = create(tmp_path / "labs")
    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "labs").stat().st_mode & 0o777 == 0o700
    os.close(lock)


def test_what_a_killed_lab_left_goes_and_a_living_one_stays(tmp_path: Path) -> None:
    dead, lock = create(tmp_path)
    (dead.path / "disk.raw").write_bytes(b"x")
    os.close(lock)
    alive, alive_lock = create(tmp_path)
    assert not dead.path.exists()
    third, third_lock = create(tmp_path)
    assert alive.path.exists()
    assert third.path != alive.path
    os.close(alive_lock)
    os.close(third_lock)


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "labs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ApplianceError, match="belongs to somebody else"):
        create(tmp_path / "labs")


def test_a_kept_directory_is_used_by_one_lab_and_stays(tmp_path: Path) -> None:
    directory, lock = open_kept(tmp_path / "mine")
    directory.plan.write_text("{}")
    (directory.path / "node1-disk1.raw").write_bytes(b"data")
    write_card(directory, Card(1, None, ()))
    with pytest.raises(ApplianceError, match="a lab is running"):
        open_kept(tmp_path / "mine")
    os.close(lock)
    remove(directory)
    assert (directory.path / "node1-disk1.raw").exists()
    assert not directory.card.exists()
    os.close(open_kept(tmp_path / "mine")[1])


def test_a_directory_full_of_other_things_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "srv"
    theirs.mkdir(mode=0o755)
    theirs.chmod(0o755)
    (theirs / "www").mkdir()
    with pytest.raises(ApplianceError, match="holds files that no lab made") as refused:
        open_kept(theirs)
    assert refused.value.code == "lab-directory"
    assert theirs.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in theirs.iterdir()] == ["www"], "not even a lock"


def test_a_lab_killed_before_it_had_a_plan_begins_again(tmp_path: Path) -> None:
    for _ in range(2):
        directory, lock = open_kept(tmp_path / "mine")
        os.close(lock)
    assert directory.path.stat().st_mode & 0o777 == 0o700


def test_labs_are_found_by_name_or_alone(tmp_path: Path) -> None:
    with pytest.raises(ApplianceError, match="no lab is running"):
        find_lab(tmp_path, None)
    first, first_lock = create(tmp_path)
    write_card(first, Card(1, 8443, ("node1",)))
    assert find_lab(tmp_path, None) == first
    second, second_lock = create(tmp_path)
    write_card(second, Card(2, 8444, ()))
    assert len(running(tmp_path)) == 2
    assert find_lab(tmp_path, second.name) == second
    with pytest.raises(ApplianceError, match="several labs"):
        find_lab(tmp_path, None)
    with pytest.raises(ApplianceError, match="no lab called"):
        find_lab(tmp_path, "nope")
    os.close(first_lock)
    os.close(second_lock)
    assert running(tmp_path) == []

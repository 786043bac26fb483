"""The reserve holds real room, comes back by itself, and never stands in the way."""

import os

import pytest

from appliance.errors import ApplianceError
from appliance.reserve import LARGEST, NAME, Reserve


def test_it_holds_blocks_that_nobody_else_can_have(tmp_path):
    reserve = Reserve(tmp_path)
    reserve.size = 1 << 20
    assert not reserve.held
    assert reserve.take()
    assert reserve.held
    assert os.stat(tmp_path / NAME).st_blocks * 512 >= 1 << 20, "a file with holes would keep nothing"
    assert os.stat(tmp_path / NAME).st_mode & 0o777 == 0o600


def test_given_up_it_is_gone_and_can_be_taken_again(tmp_path):
    reserve = Reserve(tmp_path)
    reserve.size = 1 << 20
    reserve.give_up()  # nothing to give up is no error
    assert reserve.take()
    reserve.give_up()
    assert list(tmp_path.iterdir()) == []
    assert reserve.take()


def test_it_is_small_and_leaves_nothing_where_there_is_no_room(tmp_path):
    reserve = Reserve(tmp_path)
    assert 0 < reserve.size <= LARGEST
    found = os.statvfs(tmp_path)
    reserve.size = found.f_blocks * found.f_frsize * 2
    assert not reserve.take()
    assert list(tmp_path.iterdir()) == []


def test_before_a_start_it_is_kept_while_there_is_room(tmp_path):
    reserve = Reserve(tmp_path)
    reserve.size = 1 << 20
    reserve.take()
    reserve.give_up_if_full()
    assert reserve.held
    reserve.size = 1 << 60  # as if next to nothing were left
    reserve.give_up_if_full()
    assert not reserve.held


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ApplianceError) as caught:
        Reserve(tmp_path / "nowhere")
    assert caught.value.code == "state-unusable"

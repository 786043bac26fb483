"""kill -9 of a restore between any two steps: the old state or the new one, whole, and a second run finishes."""

import shutil

import pytest
from kill_restore import run

from appliance.backup import restore
from tests.backup import backup_world


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class World:
    """Ada's backup, to be restored over Bob's state, many times."""

    def __init__(self, path):
        self.ada = backup_world.State(path / "ada", "ada")
        self.bob = backup_world.State(path / "bob", "bob")
        self.backup = self.ada.backup(path / "backup", with_images=True)
        self.place, self.pristine = path / "bob", path / "pristine"
        self.place.rename(self.pristine)

    def fresh(self, state=True):
        """Bob's computer as it was; without a state, as a new one."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.pristine, self.place)
        if not state:
            shutil.rmtree(self.bob.directory)

    def restore(self):
        order = restore.Order(self.backup, self.bob.config, lambda: None, backup_world.NOW, self.bob.directory, True)
        return restore.restore(order)

    def is_whole(self, directory):
        """Whose state it is, or None where it is nobody's."""
        for user, state in (("ada", self.ada), ("bob", self.bob)):
            if directory.is_dir() and backup_world.users(directory) == [user]:
                assert backup_world.is_whole(directory, user, state.fingerprint)
                assert (directory / "images" / "1").read_bytes() == backup_world.IMAGE
                return user
        return None

    def aside(self):
        return list(self.place.glob("state.before-restore-*"))

    def check_finished(self):
        """Ada's state is in place, nothing else is lying around, and the configuration is hers."""
        assert self.is_whole(self.bob.directory) == "ada"
        assert not list(self.place.glob("*.restoring*"))
        assert not list(self.bob.directory.glob("restoring*"))
        assert f'state_dir = "{self.bob.directory}"' in self.bob.config.read_text()


def test_the_old_state_or_the_new_one_and_a_second_run_finishes(world):
    world.fresh()
    steps = run(world.restore, None)
    assert steps > 25
    seen = set()
    for step in range(steps):
        world.fresh()
        run(world.restore, step)
        owner = world.is_whole(world.bob.directory)
        assert owner is not None, f"step {step}"
        seen.add(owner)
        run(world.restore, None)
        world.check_finished()
        assert [world.is_whole(each) for each in world.aside()] == ["bob"], f"step {step}"
    assert seen == {"ada", "bob"}


def test_on_a_computer_without_a_state_too(world):
    world.fresh(state=False)
    for step in range(run(world.restore, None)):
        world.fresh(state=False)
        run(world.restore, step)
        assert world.is_whole(world.bob.directory) in (None, "ada")
        assert world.bob.directory.is_dir() == (world.is_whole(world.bob.directory) == "ada"), "all of it, or nothing"
        run(world.restore, None)
        world.check_finished()
        assert world.aside() == []


@pytest.mark.slow
def test_a_second_run_that_is_killed_finishes_at_the_third(world):
    """The run that clears up after another one can be killed as well."""
    world.fresh()
    steps = run(world.restore, None)
    for first in range(4, steps, 5):
        for second in range(0, 12, 2):
            world.fresh()
            run(world.restore, first)
            shutil.copytree(world.place, world.place.with_name("half"), dirs_exist_ok=False)
            longest = run(world.restore, None)
            shutil.rmtree(world.place)
            world.place.with_name("half").rename(world.place)
            if second < longest:
                run(world.restore, second)
            assert world.is_whole(world.bob.directory) is not None
            run(world.restore, None)
            world.check_finished()
            assert "bob" in [world.is_whole(each) for each in world.aside()]

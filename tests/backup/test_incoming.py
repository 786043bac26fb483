"""A restore by the daemon itself: killed at any step, the next start has the old state or the new one, whole."""

import shutil
import stat
from pathlib import Path

import pytest
from backup_world import IMAGE, NOW, PASSPHRASE, State, is_whole, spoil, users

from appliance.backup import incoming
from appliance.backup import prepare as preparing
from appliance.backup.contents import read_header
from appliance.errors import ApplianceError, NotFound


@pytest.fixture
def old(tmp_path):
    return State(tmp_path / "old", "olga")


@pytest.fixture
def new(tmp_path):
    return State(tmp_path / "new", "nina")


@pytest.fixture
def backup(new, tmp_path):
    return new.backup(tmp_path / "x.qrmstate", PASSPHRASE)


def prepare(old, backup):
    return preparing.prepare(old.directory, backup, lambda: PASSPHRASE, NOW)


def test_the_new_state_comes_at_the_next_start_and_the_old_one_is_kept(old, new, backup):
    prepared = prepare(old, backup)
    assert is_whole(old.directory, "olga", old.fingerprint), "until then nothing has changed"
    assert prepared.contents.header.host == "here"
    assert prepared.missing == [], "the image of the old state is the same file"
    name = incoming.bring_in(old.directory)
    assert name == "before-restore-20261120T184000Z"
    assert is_whole(old.directory, "nina", new.fingerprint)
    assert is_whole(old.directory / name, "olga", old.fingerprint)
    assert (old.directory / "images" / "1").read_bytes() == IMAGE
    assert incoming.bring_in(old.directory) == "", "once"
    assert users(old.directory) == ["nina"]
    assert incoming.old_states(old.directory) == [name]
    assert "old.test" in incoming.offered_configuration(old.directory)
    assert not (old.directory / "restoring.toml").exists()


def test_nothing_of_it_is_for_others(old, backup):
    prepare(old, backup)
    assert stat.S_IMODE((old.directory / "incoming").stat().st_mode) == 0o700
    name = incoming.bring_in(old.directory)
    assert stat.S_IMODE((old.directory / name).stat().st_mode) == 0o700
    assert stat.S_IMODE((old.directory / "store.db").stat().st_mode) == 0o600


class KilledError(BaseException):
    """As `kill -9`: nothing of ours runs after it."""


def steps(monkeypatch, most):
    """Have the rename after so many others end everything; how many there were, for who counts them."""
    done, rename = [0], Path.rename

    def rename_or_die(self, target):
        if done[0] >= most:
            raise KilledError
        done[0] += 1
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_or_die)
    return done


def test_killed_at_any_rename_the_next_start_goes_on(old, new, backup, tmp_path, monkeypatch):
    prepare(old, backup)
    waiting = tmp_path / "waiting"
    shutil.copytree(old.directory, waiting)
    with monkeypatch.context() as patch:
        done = steps(patch, 1000)
        incoming.bring_in(old.directory)
    assert done[0] > 8
    for number in range(done[0]):
        trial = tmp_path / f"trial-{number}"
        shutil.copytree(waiting, trial)
        with monkeypatch.context() as patch:
            steps(patch, number)
            with pytest.raises(KilledError):
                incoming.bring_in(trial)
        with monkeypatch.context() as patch:  # and once more, in the middle of going on
            steps(patch, (done[0] - number) // 2)
            with pytest.raises(KilledError):
                incoming.bring_in(trial)
        name = incoming.bring_in(trial)
        assert is_whole(trial, "nina", new.fingerprint), number
        assert is_whole(trial / name, "olga", old.fingerprint), number


def test_killed_before_it_was_whole_the_old_state_stays(old, backup, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "_put_together", lambda *_: (_ for _ in ()).throw(KilledError))
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KilledError):
            prepare(old, backup)
    assert (old.directory / "incoming" / "new").is_dir()
    assert incoming.bring_in(old.directory) == ""
    assert is_whole(old.directory, "olga", old.fingerprint)
    assert not (old.directory / "incoming" / "new").exists()


@pytest.mark.parametrize("passphrase", ["not this one at all", None])
def test_a_wrong_passphrase_changes_nothing(old, backup, passphrase):
    with pytest.raises(ApplianceError) as caught:
        preparing.prepare(old.directory, backup, lambda: passphrase, NOW)
    assert caught.value.code.startswith("passphrase-")
    assert incoming.bring_in(old.directory) == ""
    assert is_whole(old.directory, "olga", old.fingerprint)


def test_a_damaged_backup_changes_nothing(old, new, tmp_path):
    spoil(new.directory / "store.db")
    backup = tmp_path / "spoilt.qrmstate"
    whole = State(tmp_path / "third", "eva").backup(backup)
    content = bytearray(whole.read_bytes())
    content[-100] ^= 1
    backup.write_bytes(content)
    with pytest.raises(ApplianceError) as caught:
        prepare(old, backup)
    assert caught.value.code == "backup-damaged"
    assert incoming.bring_in(old.directory) == ""
    assert is_whole(old.directory, "olga", old.fingerprint)


def test_a_second_restore_takes_the_place_of_one_that_waits(old, new, backup, tmp_path):
    other = State(tmp_path / "third", "eva")
    prepare(old, backup)
    preparing.prepare(old.directory, other.backup(tmp_path / "y.qrmstate"), lambda: None, NOW)
    incoming.bring_in(old.directory)
    assert is_whole(old.directory, "eva", other.fingerprint)


def test_old_states_are_removed_by_name_and_nothing_else_is(old, backup):
    prepare(old, backup)
    name = incoming.bring_in(old.directory)
    assert incoming.room_taken(old.directory / name) > 10_000
    for wrong in ("", ".", "..", "images", "../old", f"{name}/.."):
        with pytest.raises(NotFound):
            incoming.remove_old_state(old.directory, wrong)
    incoming.remove_old_state(old.directory, name)
    assert incoming.old_states(old.directory) == []
    assert (old.directory / "images" / "1").read_bytes() == IMAGE, "what has a second name stays"


def test_a_note_that_was_tampered_with_leads_nowhere(old, new, backup):
    prepare(old, backup)
    (old.directory / "incoming" / "aside").write_text("../../elsewhere")
    name = incoming.bring_in(old.directory)
    assert name == "before-restore-19700101T000000Z"
    assert is_whole(old.directory, "nina", new.fingerprint)


def test_the_networks_of_another_appliance_are_offered_and_go_nowhere_by_themselves(old, new, tmp_path):
    layout = b'{"interfaces": [{"name": "nic0", "method": "dhcp"}]}'
    backup = new.backup(tmp_path / "with.qrmstate", PASSPHRASE, network=layout)
    assert read_header(backup).format == 3, "a program that does not know of networks refuses it"
    assert read_header(new.backup(tmp_path / "without.qrmstate")).format == 1
    prepare(old, backup)
    assert incoming.offered_network(old.directory) is None
    incoming.bring_in(old.directory)
    assert incoming.offered_network(old.directory) == layout.decode()
    incoming.dismiss_configuration(old.directory)
    assert incoming.offered_network(old.directory) is None
    assert incoming.offered_configuration(old.directory) is None

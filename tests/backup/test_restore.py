"""A state comes back whole, or nothing is touched."""

import os
import sqlite3
import tarfile
from contextlib import closing

import pytest

from appliance import certificates
from appliance.backup import format as layout
from appliance.backup import make, snapshot, staging, unpacked, whole
from appliance.config import load
from appliance.errors import ApplianceError
from appliance.state import state_directory
from tests.backup.backup_world import (
    IMAGE,
    NOW,
    PASSPHRASE,
    VMLINUZ,
    State,
    everything,
    is_whole,
    restored,
    spoil,
    users,
)


@pytest.fixture
def ada(tmp_path):
    return State(tmp_path / "ada", "ada")


@pytest.fixture
def bob(tmp_path):
    return State(tmp_path / "bob", "bob")


def refused(code, *args, **more):
    with pytest.raises(ApplianceError) as raised:
        restored(*args, **more)
    assert raised.value.code == code, raised.value.message
    return raised.value


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_everything_comes_back_on_another_computer(ada, tmp_path, passphrase):
    backup = ada.backup(tmp_path / "b", passphrase, with_images=True)
    ada.directory.rename(tmp_path / "gone")
    config = tmp_path / "etc" / "appliance.toml"
    outcome = restored(backup, config, passphrase)
    assert outcome.state_dir == ada.directory
    assert outcome.aside is None
    assert outcome.missing == []
    assert outcome.config_written
    assert config.read_text() == ada.config.read_text()
    assert config.stat().st_mode & 0o777 == 0o644, "the daemon's user reads it"
    assert is_whole(ada.directory, "ada", ada.fingerprint)
    assert (ada.directory / "images" / "1").read_bytes() == IMAGE
    assert (ada.directory / "kernels" / "1.vmlinuz").read_bytes() == VMLINUZ
    assert ada.directory.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o077 for each in ada.directory.rglob("*")} == {0}
    assert sorted(each.name for each in tmp_path.joinpath("ada").iterdir()) == ["qrm.toml", "state"]
    assert not {"restoring", "restoring.toml"} & set(everything(ada.directory))


def test_the_state_that_was_there_is_moved_aside(ada, bob, tmp_path):
    before = everything(bob.directory)
    outcome = restored(ada.backup(tmp_path / "b"), bob.config)
    assert is_whole(bob.directory, "ada", ada.fingerprint)
    assert outcome.aside == bob.directory.with_name("state.before-restore-20261120T184000Z")
    assert {**everything(outcome.aside), "lock": ""} == {**before, "lock": ""}
    assert not outcome.config_written
    assert "bob" in bob.config.read_text(), "the configuration of this computer stays unless one asks"


def test_images_that_are_here_already_are_kept(ada, bob, tmp_path):
    backup = ada.backup(tmp_path / "b")
    (bob.directory / "kernels" / "1.vmlinuz").write_bytes(b"another kernel")
    outcome = restored(backup, bob.config)
    assert (bob.directory / "images" / "1").read_bytes() == IMAGE
    assert outcome.missing == ["kernel six"]
    assert not (bob.directory / "kernels" / "1.vmlinuz").exists()
    assert (outcome.aside / "kernels" / "1.vmlinuz").read_bytes() == b"another kernel"


def test_the_configuration_is_replaced_when_asked_and_the_old_one_kept(ada, bob, tmp_path):
    old = bob.config.read_text().replace("old.test", "bob.test")
    bob.config.write_text(old)
    bob.config.chmod(0o640)
    outcome = restored(ada.backup(tmp_path / "b"), bob.config, replace_config=True, state_dir=bob.directory)
    assert outcome.config_aside.read_text() == old
    text = bob.config.read_text()
    assert text == ada.config.read_text().replace(str(ada.directory), str(bob.directory)), "the rest stays"
    assert bob.config.stat().st_mode & 0o777 == 0o640


def test_log_ins_end_and_the_restore_is_in_the_log(ada, tmp_path):
    with closing(sqlite3.connect(ada.directory / "store.db", isolation_level=None)) as db:
        db.execute("INSERT INTO log_ins VALUES('id', 'ada', 1, 1, 9e9, 'address', 'program')")
    restored(ada.backup(tmp_path / "b"), ada.config)
    with closing(sqlite3.connect(ada.directory / "store.db")) as db:
        assert db.execute("SELECT count(*) FROM log_ins").fetchone() == (0,)
        (text,) = db.execute("SELECT doc FROM events WHERE kind = 'state.restored'").fetchone()
    assert b"a backup of here" in text


def test_nothing_is_touched_for_a_damaged_file(ada, bob, tmp_path):
    good = ada.backup(tmp_path / "b", PASSPHRASE, with_images=True).read_bytes()
    before, bad = everything(bob.directory.parent), tmp_path / "bad"
    for at in (20, len(good) // 2, len(good) - 1):
        bad.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        with pytest.raises(ApplianceError):
            restored(bad, bob.config, PASSPHRASE)
    bad.write_bytes(good[:-1])
    refused("backup-damaged", bad, bob.config, PASSPHRASE)
    bad.write_bytes(good + b"x")
    refused("backup-damaged", bad, bob.config, PASSPHRASE)
    bad.write_bytes(b"something else entirely")
    refused("backup-foreign", bad, bob.config)
    refused("file-unreadable", tmp_path / "nothing", bob.config)
    bad.write_bytes(good)
    refused("passphrase-wrong", bad, bob.config, "not this one")
    refused("passphrase-needed", bad, bob.config)
    assert {**everything(bob.directory.parent), "state/lock": ""} == {**before, "state/lock": ""}
    assert is_whole(bob.directory, "bob", bob.fingerprint)


def test_a_newer_schema_is_refused(ada, bob, tmp_path, monkeypatch):
    backup = ada.backup(tmp_path / "b")
    monkeypatch.setattr(unpacked, "MIGRATIONS", unpacked.MIGRATIONS[:-1])
    assert "newer" in refused("backup-newer", backup, bob.config).hint
    assert users(bob.directory) == ["bob"]


def test_an_older_schema_is_brought_up(ada, tmp_path, monkeypatch):
    """The store is migrated before it takes its place: what cannot be migrated is found out in time."""
    with closing(sqlite3.connect(ada.directory / "store.db", isolation_level=None)) as db:
        (newest,) = db.execute("PRAGMA user_version").fetchone()
        db.execute("CREATE INDEX of_old ON users(role)")
    monkeypatch.setattr("appliance.store.schema.MIGRATIONS", (*[""] * newest, "DROP INDEX of_old;"))
    backup = ada.backup(tmp_path / "b")
    monkeypatch.setattr(unpacked, "MIGRATIONS", [""] * (newest + 1))
    restored(backup, ada.config)
    with closing(sqlite3.connect(ada.directory / "store.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (newest + 1,)
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'of_old'").fetchall()


def test_a_store_or_an_authority_that_cannot_be_used_is_refused(ada, bob, tmp_path, monkeypatch):
    key = (ada.directory / "authority.pem").read_bytes()
    other = (bob.directory / "authority.pem").read_bytes()
    monkeypatch.setattr(make, "_fingerprint", lambda keys, directory: ada.fingerprint)
    for number, content in enumerate((other, key[: len(key) // 3], key.split(b"-----BEGIN CERT")[0] + other[-600:])):
        (ada.directory / "authority.pem").write_bytes(content)
        refused("backup-damaged", ada.backup(tmp_path / f"b{number}"), bob.config)
    (ada.directory / "authority.pem").write_bytes(key)
    spoil(ada.directory / "store.db")
    monkeypatch.setattr(snapshot, "_check_whole", lambda source, store: None)
    refused("backup-damaged", ada.backup(tmp_path / "b"), bob.config)
    assert is_whole(bob.directory, "bob", bob.fingerprint)


def test_a_running_daemon_is_left_alone(ada, bob, tmp_path):
    backup = ada.backup(tmp_path / "b")
    with state_directory(bob.directory):
        refused("state-in-use", backup, bob.config)
    with staging.begun(bob.directory, "digest"):
        refused("state-in-use", backup, bob.config)
    assert is_whole(bob.directory, "bob", bob.fingerprint)


def test_a_full_disk_leaves_the_old_state_and_nothing_else(ada, bob, tmp_path, monkeypatch):
    backup = ada.backup(tmp_path / "b")
    monkeypatch.setattr(unpacked, "ROOM", 1 << 60)
    refused("restore-no-room", backup, bob.config)
    monkeypatch.undo()

    def full(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpacked.os, "fsync", full)
    assert "free some space" in refused("state-unwritable", backup, bob.config).hint
    assert sorted(each.name for each in bob.directory.parent.iterdir()) == ["qrm.toml", "state"]
    assert is_whole(bob.directory, "bob", bob.fingerprint)


def test_a_configuration_that_the_daemon_would_refuse_is_refused_first(ada, bob, tmp_path, monkeypatch):
    good = load(ada.config)
    monkeypatch.setattr(make, "load", lambda _: good)
    ada.config.write_text(ada.config.read_text() + "[from_the_future]\n")
    backup = ada.backup(tmp_path / "b")
    assert str(backup) in refused("config-invalid", backup, tmp_path / "c.toml", state_dir=bob.directory).message
    assert is_whole(bob.directory, "bob", bob.fingerprint)
    restored(backup, bob.config)


@pytest.mark.parametrize(
    "text",
    [
        '[site]\nstate_dir="{old}" # here\ndomain = "a.test"\n',
        "[ site ] # ours\ndomain = \"a.test\"\nstate_dir = '{old}'\n",
    ],
)
def test_another_state_directory_is_written_into_the_configuration(ada, tmp_path, text):
    ada.config.write_text(text.replace("{old}", str(ada.directory)))
    new = tmp_path / "new" / "state"
    outcome = restored(ada.backup(tmp_path / "b"), tmp_path / "c.toml", state_dir=new)
    assert outcome.state_dir == new
    assert f'state_dir = "{new}"' in (tmp_path / "c.toml").read_text()
    assert '"a.test"' in (tmp_path / "c.toml").read_text()
    assert is_whole(new, "ada", ada.fingerprint)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_everything_belongs_to_the_user_of_the_old_state(ada, bob, tmp_path):
    backup = ada.backup(tmp_path / "b", with_images=True)
    bob.config.write_text("[site]\n")
    for each in (bob.directory, *bob.directory.rglob("*"), bob.config):
        os.chown(each, 4711, 4712)
    restored(backup, bob.config, replace_config=True, state_dir=bob.directory)
    found = [each.stat() for each in (bob.directory, *bob.directory.rglob("*"), bob.config)]
    assert {(each.st_uid, each.st_gid) for each in found} == {(4711, 4712)}
    bob.backup(tmp_path / "c")
    assert {each.stat().st_uid for each in bob.directory.rglob("*")} == {4711}


def test_who_may_not_write_there_is_told_to_be_root(ada, tmp_path, monkeypatch):
    backup = ada.backup(tmp_path / "b")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert refused("not-allowed", backup, tmp_path / "c").hint == "run this as root"


def test_a_link_to_the_state_stays_a_link(ada, bob, tmp_path):
    real = tmp_path / "real"
    bob.directory.rename(real)
    bob.directory.symlink_to(real)
    restored(ada.backup(tmp_path / "b"), bob.config)
    assert bob.directory.is_symlink()
    assert is_whole(real, "ada", ada.fingerprint)


def test_a_file_system_that_cannot_swap_is_told_and_nothing_is_lost(ada, bob, tmp_path, monkeypatch):
    def cannot(*args):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(staging, "rename", cannot)
    assert "mount point" in refused("state-unmovable", ada.backup(tmp_path / "b"), bob.config).hint
    assert is_whole(bob.directory, "bob", bob.fingerprint)
    assert sorted(each.name for each in bob.directory.parent.iterdir()) == ["qrm.toml", "state"]


def test_restoring_twice_keeps_both_states_that_were_there(ada, bob, tmp_path):
    backup = ada.backup(tmp_path / "b")
    first, second = restored(backup, bob.config), restored(backup, bob.config)
    assert first.aside != second.aside
    assert is_whole(first.aside, "bob", bob.fingerprint)
    assert is_whole(second.aside, "ada", ada.fingerprint)


def test_a_restore_over_one_that_was_never_finished_keeps_that_state_too(ada, bob, tmp_path, monkeypatch):
    """The power went after the state of ada was put in place; the daemon ran on it; then bob's is wanted, and the
    power goes again."""
    (ada.directory / staging.MARK).write_text("the digest of some backup\n")
    (ada.directory / "written-since").write_text("by the daemon")

    def power_goes(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(staging, "_move_aside", power_goes)
    with pytest.raises(KeyboardInterrupt):
        restored(bob.backup(tmp_path / "b"), ada.config)
    monkeypatch.undo()
    outcome = restored(tmp_path / "b", ada.config)
    assert is_whole(ada.directory, "bob", bob.fingerprint)
    assert (outcome.aside / "written-since").read_text() == "by the daemon"


def test_a_small_file_that_holds_an_endless_header_is_refused(ada, bob, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "LARGEST_MANIFEST", 1 << 20)
    real = tarfile.TarFile.addfile

    def bloated(tar, entry, file=None):
        entry.pax_headers = {"comment": "x" * (3 << 20)}
        real(tar, entry, file)

    with monkeypatch.context() as patched:
        patched.setattr(tarfile.TarFile, "addfile", bloated)
        backup = ada.backup(tmp_path / "b")
    assert backup.stat().st_size < 1 << 20
    assert "more comes out" in refused("backup-damaged", backup, bob.config).message
    assert is_whole(bob.directory, "bob", bob.fingerprint)


def test_renaming_says_what_went_wrong(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    whole.rename(tmp_path / "a", tmp_path / "b", whole.EXCHANGE)
    assert (tmp_path / "a").read_text() == "b"
    with pytest.raises(FileExistsError):
        whole.rename(tmp_path / "a", tmp_path / "b", whole.NOREPLACE)


def test_the_daemon_accepts_what_was_restored(ada, tmp_path):
    restored(ada.backup(tmp_path / "b"), ada.config)
    assert certificates.authority(ada.directory, NOW).fingerprint == ada.fingerprint

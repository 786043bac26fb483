"""The key of the passwords of power switches: it leaves the appliance only under a passphrase."""

import pytest
from backup_world import PASSPHRASE, State, restored

from appliance.backup.contents import Nowhere, read
from appliance.power_key import NAME, power_key


@pytest.fixture
def state(tmp_path):
    made = State(tmp_path / "one")
    power_key(made.directory)
    return made


def inside(path, passphrase):
    found = read(path, lambda: passphrase, Nowhere())
    return found.header.format, f"state/{NAME}" in [each.name for each in found.manifest.members]


def test_the_key_is_made_once_and_private(state):
    key = power_key(state.directory)
    assert power_key(state.directory) == key
    assert (state.directory / NAME).stat().st_mode & 0o777 == 0o600


def test_an_encrypted_backup_has_it_and_a_plain_one_does_not(state, tmp_path):
    assert inside(state.backup(tmp_path / "sealed", PASSPHRASE), PASSPHRASE) == (2, True)
    assert inside(state.backup(tmp_path / "plain"), None) == (1, False)
    assert power_key(state.directory) not in (tmp_path / "plain").read_bytes()


def test_it_comes_back_to_a_new_appliance(state, tmp_path):
    backup = state.backup(tmp_path / "sealed", PASSPHRASE)
    restored(backup, tmp_path / "new.toml", PASSPHRASE, state_dir=tmp_path / "two")
    assert power_key(tmp_path / "two") == power_key(state.directory)


def test_a_plain_backup_keeps_the_key_that_is_there(state, tmp_path):
    key = power_key(state.directory)
    outcome = restored(state.backup(tmp_path / "plain"), state.config)
    assert outcome.aside is not None
    assert power_key(state.directory) == key


def test_a_plain_backup_brings_none_to_a_new_appliance(state, tmp_path):
    restored(state.backup(tmp_path / "plain"), tmp_path / "new.toml", state_dir=tmp_path / "two")
    assert not (tmp_path / "two" / NAME).exists()

"""A real backup on a stick, found and brought back; mounting alone is done by hand."""

import json
import shutil

import pytest

from appliance.errors import ApplianceError
from appliance.screen import sticks
from appliance.state import state_directory
from tests.backup.backup_world import PASSPHRASE, State, users


@pytest.fixture
def stick(tmp_path, monkeypatch):
    """Where a stick is mounted, and what was run meanwhile."""
    place, ran = tmp_path / "stick", []
    place.mkdir()

    def run(argv, seconds):
        ran.append(" ".join(argv[:3]))
        return json.dumps({"blockdevices": [{"path": "/dev/sdb1", "tran": "usb", "fstype": "vfat"}]})

    monkeypatch.setattr(sticks, "run", run)
    return place, ran


def test_the_state_comes_back_and_a_configuration_stays(tmp_path, stick):
    place, ran = stick
    old, new = State(tmp_path / "old", "ada"), State(tmp_path / "new", "eve")
    old.backup(place / "here.qrmstate", PASSPHRASE)
    (found,) = sticks.find(place)
    assert (found.name, found.encrypted, found.device) == ("here.qrmstate", True, "/dev/sdb1")
    assert "the state of here, of 20" in found.about
    with pytest.raises(ApplianceError):
        sticks.bring_back(found, "a wrong passphrase", new.config, place)
    assert users(new.directory) == ["eve"]
    assert not any("systemctl" in each for each in ran), "nothing stops for a passphrase that is wrong"
    ran.clear()
    done = sticks.bring_back(found, PASSPHRASE, new.config, place)
    assert (done.host, done.configuration, users(new.directory)) == ("here", False, ["ada"])
    assert users(done.aside) == ["eve"]
    assert [each.partition(" ")[0] for each in ran] == ["mount", "systemctl", "systemctl", "umount"]
    assert ran[1] == "systemctl stop appliance.service"


def test_an_appliance_without_a_configuration_takes_that_of_the_backup(tmp_path, stick):
    place, _ = stick
    old = State(tmp_path / "old")
    old.backup(place / "here.qrmstate")
    shutil.rmtree(old.directory)
    old.config.unlink()
    (found,) = sticks.find(place)
    done = sticks.bring_back(found, "", old.config, place)
    assert done.configuration
    assert "domain" in old.config.read_text()
    assert users(old.directory) == ["ada"]


def test_the_daemon_starts_again_whatever_comes_of_a_restore(tmp_path, stick):
    place, ran = stick
    old = State(tmp_path / "old")
    old.backup(place / "here.qrmstate")
    (found,) = sticks.find(place)
    ran.clear()
    with state_directory(old.directory), pytest.raises(ApplianceError, match="another daemon runs"):
        sticks.bring_back(found, "", old.config, place)
    assert ran[-2:] == ["systemctl --no-block start", f"umount {place}"]
    assert users(old.directory) == ["ada"]

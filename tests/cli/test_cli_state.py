"""``qrm state``: what it prints, asks, refuses; the backups themselves are tested in tests/backup."""

import getpass
import io
import json
import os
import sys

import pytest

from appliance.cli.main import main
from tests.backup.backup_world import PASSPHRASE, State, users


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "one")


@pytest.fixture
def qrm(monkeypatch, capsys):
    """(exit code, standard output, standard error) of ``qrm state``; ``types`` are answers on a terminal."""

    def run(*words, types=None, piped=""):
        monkeypatch.setattr(sys, "argv", ["qrm", "state", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(piped) if types is None else Terminal())
        answers = iter(types or ())
        monkeypatch.setattr(getpass, "getpass", lambda _: next(answers))
        code = main()
        return code, *capsys.readouterr()

    return run


def test_a_backup_with_a_passphrase_typed_twice(qrm, state, tmp_path):
    code, said, _ = qrm("backup", tmp_path / "b", "--config", state.config, "--encrypt", types=[PASSPHRASE] * 2)
    assert (code, "encrypted" in said, "not encrypted" in said) == (0, True, False)
    code, said, _ = qrm("list", tmp_path / "b", types=[PASSPHRASE])
    assert code == 0
    assert "state/authority.pem" in said
    assert "image debian: by name and checksum only" in said


@pytest.mark.parametrize(
    ("types", "code"),
    [([PASSPHRASE, "another"], "typed-differently"), (["short"] * 2, "passphrase-short"), (None, "terminal-needed")],
)
def test_a_passphrase_that_does_not_do(qrm, state, tmp_path, types, code):
    status, _, said = qrm("backup", tmp_path / "b", "--config", state.config, "--encrypt", types=types)
    assert status == 1
    assert code in said
    assert not (tmp_path / "b").exists()


def test_a_backup_into_a_directory_gets_a_name(qrm, state, tmp_path):
    place = tmp_path / "backups"
    place.mkdir()
    (place / "other").write_text("no backup")
    assert qrm("backup", place, "--config", state.config)[0] == 0
    (made,) = place.glob("*.qrmstate")
    (place / "cut-off").write_bytes(made.read_bytes()[:40])
    code, said, _ = qrm("list", place, "--json")
    items = {each["file"]: each for each in json.loads(said)["items"]}
    assert code == 0
    assert set(items) == {str(made), str(place / "cut-off")}
    assert items[str(made)]["authority"] == state.fingerprint
    assert "damaged" in items[str(place / "cut-off")]["error"]
    assert "other" not in qrm("list", place)[1]


def test_what_everybody_may_read_of_an_encrypted_one(qrm, state, tmp_path):
    backup = state.backup(tmp_path / "b", PASSPHRASE)
    code, said, hint = qrm("list", backup)
    assert code == 0
    assert state.fingerprint in said
    assert "--passphrase-file" in hint
    found = json.loads(qrm("list", backup, "--json")[1])
    assert (found["encrypted"], found["members"]) == (True, None)
    (tmp_path / "p").write_text(PASSPHRASE + "\n")
    found = json.loads(qrm("list", backup, "--json", "--check", "--passphrase-file", tmp_path / "p")[1])
    assert found["checked"]
    assert found["members"][0]["name"] == "config.toml"
    assert "passphrase-needed" in qrm("list", backup, "--check")[2]


def test_list_check_reads_to_the_end(qrm, state, tmp_path):
    backup = state.backup(tmp_path / "b", with_images=True)
    assert "every checksum is right" in qrm("list", backup, "--check")[1]
    backup.write_bytes(backup.read_bytes()[:-1])
    assert qrm("list", backup, "--check")[0] == 1


def test_an_existing_file_wants_force(qrm, state, tmp_path):
    (tmp_path / "b").write_text("precious")
    code, _, said = qrm("backup", tmp_path / "b", "--config", state.config)
    assert (code, "--force" in said) == (1, True)
    assert qrm("backup", tmp_path / "b", "--config", state.config, "--force", "--with-images")[0] == 0


def test_a_restore_says_what_it_did_and_what_to_do(qrm, state, tmp_path):
    backup, other = state.backup(tmp_path / "b"), State(tmp_path / "two", "bob")
    code, said, _ = qrm("restore", backup, "--config", other.config)
    assert code == 0
    assert "is the state of here" in said
    assert "state.before-restore-" in said
    assert "API tokens are as they were then" in said
    assert ("chown -R" in said) == (os.geteuid() == 0)
    assert said.endswith("start the daemon\n")
    assert users(other.directory) == ["ada"]
    code, said, hint = qrm("restore", backup, "--config", other.config, "--state-dir", tmp_path / "new")
    assert f'write state_dir = "{tmp_path / "new"}" into {other.config}' in said
    assert "image debian has no content here" in hint


def test_an_encrypted_restore_asks_once(qrm, state, tmp_path):
    backup = state.backup(tmp_path / "b", PASSPHRASE)
    code, said, _ = qrm(
        "restore", backup, "--config", tmp_path / "c", "--state-dir", tmp_path / "n", types=[PASSPHRASE]
    )
    assert code == 0, said
    assert "was restored; look it through" in said
    assert "passphrase-wrong" in qrm("restore", backup, "--config", tmp_path / "c", types=["not this one"])[2]
    assert "passphrase-needed" in qrm("restore", backup, "--config", tmp_path / "c")[2]


@pytest.mark.parametrize(("typed", "code"), [("short", "password-length"), ("aaaaaaaaaaaa", "password-guessed")])
def test_a_new_password_has_to_be_good(qrm, state, typed, code):
    assert code in qrm("reset-password", "ada", "--config", state.config, types=[typed] * 2)[2]
    assert code in qrm("reset-password", "ada", "--config", state.config, piped=typed)[2]


def test_a_new_password(qrm, state):
    code, said, _ = qrm("reset-password", "ada", "--config", state.config, types=[PASSPHRASE] * 2)
    assert (code, said) == (0, "ada has a new password; all of their log-ins ended\n")
    assert "typed-differently" in qrm("reset-password", "ada", "--config", state.config, types=[PASSPHRASE, "x"])[2]
    assert "user-unknown" in qrm("reset-password", "eve", "--config", state.config, types=[])[2]


def test_secrets_are_no_arguments(qrm):
    for command in ("backup", "restore", "list", "reset-password"):
        said = qrm(command, "--help")[1]
        assert "--passphrase " not in said
        assert "--password" not in said

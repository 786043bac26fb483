"""Rescue on the agent's side: exactly the given keys, a server of its own, and a clean way out."""

import stat
import subprocess
from pathlib import Path

import pytest
from agent_bench import Bench

from appliance.agent import ssh_server
from appliance.agent.errors import Leaving, StepFailed
from appliance.agent.recorded import HOST_KEY
from appliance.agent.run import ProgramFailed
from appliance.agent.ssh_server import CONFIGURATION, KINDS, authorized, foreign_mounts, start_server
from appliance.agent.steps.rescue import rescue
from appliance.agent.steps.restart import restart

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE ada@desk"
MOUNTS = """\
overlay / overlay rw 0 0
proc /proc proc rw 0 0
run /run tmpfs rw 0 0
devpts /dev/pts devpts rw 0 0
/dev/sda2 /mnt ext4 rw 0 0
/dev/sda1 /mnt/my\\040boot vfat rw 0 0
server:/x /media nfs4 rw 0 0
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "computer")


def test_the_step_hands_over_exactly_the_keys(bench: Bench) -> None:
    outcome = rescue(bench.job("rescue", ssh_keys=[KEY, KEY.replace("ada", "bob")]))
    assert outcome.result == {"host_keys": [HOST_KEY]}
    assert bench.actions == [{"action": "open-ssh", "keys": f"{KEY}\n{KEY.replace('ada', 'bob')}\n"}]


@pytest.mark.parametrize(
    "keys", [[], [""], ["nonsense"], [f"{KEY}\nssh-ed25519 AAAA x"], [f"{KEY}\x1b[2J"], ['command="id" ssh-rsa AAAA']]
)
def test_what_is_no_key_opens_nothing(bench: Bench, keys: list[str]) -> None:
    with pytest.raises(StepFailed) as caught:
        rescue(bench.job("rescue", ssh_keys=keys))
    assert caught.value.code == "bad-params"
    assert bench.actions == []


def test_a_restart_is_done_once_the_appliance_knows(bench: Bench) -> None:
    outcome = restart(bench.job("restart"))
    assert outcome.result == {"mounted": []}
    assert bench.actions == []
    assert outcome.afterwards is not None
    with pytest.raises(Leaving):
        outcome.afterwards()
    assert bench.actions == [{"action": "leave-rescue"}]


def test_what_users_mounted_goes_the_innermost_first() -> None:
    assert foreign_mounts(MOUNTS) == ["/media", "/mnt/my boot", "/mnt"]


def test_keys_only_and_no_passwords() -> None:
    said = dict(line.split(None, 1) for line in CONFIGURATION.splitlines() if line and line[0] not in "#{")
    assert said["AuthenticationMethods"] == "publickey"
    for word in ("PasswordAuthentication", "KbdInteractiveAuthentication", "UsePAM", "HostbasedAuthentication"):
        assert said[word] == "no"


def test_files_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ssh-keygen, and a server that only checks what it is given."""
    started: list[list[str]] = []

    def played(argv: list[str], **options: object) -> str:
        if "sshd" in argv[0]:
            started.append(list(argv))
            return ""
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    monkeypatch.setattr(ssh_server, "run", played)
    monkeypatch.setattr(ssh_server, "SEPARATION", tmp_path / "sshd")
    directory = tmp_path / "rescue"
    first = start_server(directory, authorized([KEY]))
    second = start_server(directory, authorized([KEY]))
    assert len(first) == len(KINDS)
    assert set(first).isdisjoint(second), "made for this rescue only"
    assert (directory / "authorized_keys").read_text() == f"{KEY}\n"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert all(stat.S_IMODE((directory / f"host_{kind}").stat().st_mode) == 0o600 for kind in KINDS)
    assert started[0][1:] == ["-f", str(directory / "sshd_config")]
    assert f"AuthorizedKeysFile {directory}/authorized_keys" in (directory / "sshd_config").read_text()


def test_a_server_that_does_not_start_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(keys: str) -> list[str]:
        raise ProgramFailed("sshd: no room")

    monkeypatch.setattr(bench.computer, "open_ssh", fails)
    with pytest.raises(ProgramFailed, match="no room"):
        rescue(bench.job("rescue", ssh_keys=[KEY]))


def test_a_server_of_an_earlier_try_has_ended_before_the_next_one_binds(tmp_path: Path) -> None:
    earlier = subprocess.Popen(["sleep", "60"])
    (tmp_path / "sshd.pid").write_text(f"{earlier.pid}\n")
    ssh_server.stop_server(tmp_path)
    assert earlier.poll() is not None
    ssh_server.stop_server(tmp_path)
    (tmp_path / "sshd.pid").write_text("x")
    ssh_server.stop_server(tmp_path)

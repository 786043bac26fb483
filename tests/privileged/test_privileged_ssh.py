"""The area ssh: the file that sshd reads, whole and for nobody else to write; and the server, on or off with it."""

import stat
import subprocess

import pytest
from paper_computer import computer, quiet, serving

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.privileged import ssh
from appliance.privileged.verbs.ssh import Authorize, Status

ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuTLVbhy3jUWqeSsBzZxTHfDGDCvGhsJZbgbCmCDyGE ada@laptop"
BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFU8bzEWXL8tLMHoHFtQCtNTZ2yQSTVcKXjXJYgWJgVh bob"
START = ["systemctl", "--no-block", "start", "ssh.service"]
STOP = ["systemctl", "--no-block", "stop", "ssh.service"]


@pytest.fixture
def paper(tmp_path):
    return computer(tmp_path / "paper", {"systemctl": "", "systemctl show": "active\n", "wall": ""})


def changes(programs):
    return [argv for argv in programs.ran if "show" not in argv]


async def test_a_key_is_written_before_the_server_starts(paper):
    on, programs = paper
    place = on.roots.state / ssh.KEYS
    seen = []
    programs.answers["systemctl --no-block"] = lambda argv: seen.append((argv[2], place.exists())) or ""
    before = await ssh.status(Status(), on, quiet)
    assert (before.on, before.keys, before.host_key) == (False, (), "")
    after = await ssh.authorize(Authorize((f"  {ADA}\n", BOB)), on, quiet)
    assert place.read_text() == f"{ssh.HEAD}{ADA}\n{BOB}\n"
    assert [key.comment for key in after.keys] == ["ada@laptop", "bob"]
    assert (after.on, after.others, after.active) == (True, 0, "active")
    assert after.version != before.version
    assert after == await ssh.status(Status(), on, quiet)
    await ssh.authorize(Authorize(()), on, quiet)
    assert seen == [("start", True), ("stop", False)]


async def test_only_root_may_write_what_sshd_believes(paper):
    on, _ = paper
    await ssh.authorize(Authorize((ADA,)), on, quiet)
    place = on.roots.state / ssh.KEYS
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    for above in (place.parent, place.parent.parent):
        assert stat.S_IMODE(above.stat().st_mode) == 0o755


async def test_without_a_key_the_server_stops_and_who_is_logged_in_is_told(paper):
    on, programs = paper
    await ssh.authorize(Authorize((ADA,)), on, quiet)
    programs.ran.clear()
    after = await ssh.authorize(Authorize(()), on, quiet)
    assert not after.on
    assert changes(programs) == [STOP, ["wall", ssh.OFF]]
    assert not (on.roots.state / ssh.KEYS).exists()
    programs.ran.clear()
    await ssh.authorize(Authorize(()), on, quiet)
    assert changes(programs) == [], "it was off already"


async def test_a_wall_that_fails_keeps_nothing_from_being_switched_off(paper):
    on, programs = paper
    await ssh.authorize(Authorize((ADA,)), on, quiet)
    programs.answers["wall"] = ApplianceError("program-failed", "no terminal")
    assert not (await ssh.authorize(Authorize(()), on, quiet)).on


@pytest.mark.parametrize("line", ["", "x", f'command="reboot" {ADA}', f"{ADA}\n{BOB}", ADA[:50]])
async def test_one_wrong_key_changes_nothing(paper, line):
    on, programs = paper
    await ssh.authorize(Authorize((ADA,)), on, quiet)
    programs.ran.clear()
    with pytest.raises(Invalid) as caught:
        await ssh.authorize(Authorize((BOB, line)), on, quiet)
    assert caught.value.field == "keys"
    assert [key.comment for key in (await ssh.status(Status(), on, quiet)).keys] == ["ada@laptop"]
    assert changes(programs) == []


async def test_two_who_change_the_keys_at_once(paper):
    on, _ = paper
    seen = await ssh.status(Status(), on, quiet)
    await ssh.authorize(Authorize((ADA,), seen.version), on, quiet)
    with pytest.raises(Conflict) as caught:
        await ssh.authorize(Authorize((BOB,), seen.version), on, quiet)
    assert caught.value.code == "ssh-keys-changed"
    assert [key.comment for key in (await ssh.status(Status(), on, quiet)).keys] == ["ada@laptop"]


async def test_what_somebody_wrote_by_hand_is_counted_and_goes_with_the_next_change(paper):
    on, _ = paper
    await ssh.authorize(Authorize((ADA,)), on, quiet)
    place = on.roots.state / ssh.KEYS
    place.write_text(f"{place.read_text()}\nrestrict {BOB}\n")
    found = await ssh.status(Status(), on, quiet)
    assert (len(found.keys), found.others) == (1, 1)
    assert (await ssh.authorize(Authorize((BOB,)), on, quiet)).others == 0


async def test_the_host_key_is_named_as_ssh_names_it(paper, tmp_path):
    on, _ = paper
    path = on.roots.state / ssh.HOST_KEY
    path.parent.mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path.with_suffix("")], check=True)
    said = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True).stdout
    assert (await ssh.status(Status(), on, quiet)).host_key == said.split()[1]


async def test_over_the_wire(paper, tmp_path):
    on, _ = paper
    async with serving(tmp_path, on) as client:
        assert (await client.call(Authorize((ADA,)))).keys[0].line == ADA
        assert (await client.call(Status())).on
        with pytest.raises(Invalid):
            await client.call(Authorize(("x",)))

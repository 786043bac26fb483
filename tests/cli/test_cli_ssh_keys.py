"""``qrm ssh-keys``, with the privileged helper itself behind the API, on a computer of paper."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cli_world import Cli, open_cli

from tests.privileged.paper_computer import computer, serving

ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDuTLVbhy3jUWqeSsBzZxTHfDGDCvGhsJZbgbCmCDyGE ada@laptop"
BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFU8bzEWXL8tLMHoHFtQCtNTZ2yQSTVcKXjXJYgWJgVh bob"
PRINT = "SHA256:BdWo7RlwSPz2TdW98BrLAcTWyJHn6F+JnCHFzThwFaA"


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Cli]:
    on, _ = computer(tmp_path / "paper", {"systemctl": "", "systemctl show": "active", "wall": ""})
    async with serving(tmp_path, on) as privileged, open_cli(tmp_path, privileged) as qrm:
        await qrm.log_in()
        yield qrm


async def test_keys_come_and_go(box: Cli, tmp_path: Path) -> None:
    assert "SSH is off" in (await box.run("ssh-keys")).out
    ada, both = tmp_path / "ada.pub", tmp_path / "both"
    ada.write_text(ADA + "\n")
    both.write_text(f"{ADA}\n\n{BOB}\n")
    assert (await box.run("ssh-keys", "add", str(ada))).out == "ada@laptop is let in as root\n"
    added = await box.run("ssh-keys", "add", str(both))
    assert added.out == "ada@laptop was let in already\nbob is let in as root\n"
    shown = await box.run("ssh-keys", "list")
    assert PRINT in shown.out
    assert "on, active" in shown.out
    assert [each["line"] for each in (await box.run("ssh-keys", "--json")).json["keys"]] == [ADA, BOB]
    assert (await box.run("ssh-keys", "remove", str(ada))).out == f"{PRINT} is let in no more\n"
    assert "is not let in" in (await box.run("ssh-keys", "remove", PRINT, code=1)).err
    other = (await box.run("ssh-keys", "list", "--json")).json["keys"][0]["fingerprint"]
    removed = await box.run("ssh-keys", "remove", other.removeprefix("SHA256:"))
    assert removed.out.endswith("is let in no more; SSH is off\n")


async def test_what_is_no_key_is_not_sent(box: Cli, tmp_path: Path) -> None:
    private, empty = tmp_path / "id", tmp_path / "empty"
    private.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
    empty.write_text("\n")
    assert "a private key is not an SSH public key" in (await box.run("ssh-keys", "add", str(private), code=1)).err
    assert "No such file" in (await box.run("ssh-keys", "add", str(tmp_path / "nothing"), code=1)).err
    assert "there is no key in" in (await box.run("ssh-keys", "add", str(empty), code=1)).err


async def test_a_computer_that_was_not_flashed(qrm: Cli, tmp_path: Path) -> None:
    ada = tmp_path / "ada.pub"
    ada.write_text(ADA)
    for arguments in (("list",), ("add", str(ada)), ("remove", PRINT)):
        assert "not a flashed appliance" in (await qrm.run("ssh-keys", *arguments, code=1)).err
    assert not (await qrm.run("ssh-keys", "list", "--json")).json["here"]

"""``qrm setup --seed`` and ``qrm seed``, as processes of their own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from paper import EMPTY, FULL
from setup_server import Waiting, waiting
from test_seed import KEY, TWO

from appliance.cli.credentials import Server
from appliance.cli.setting_up import _arrived, _confirmed
from appliance.errors import ApplianceError
from appliance.privileged.ssh import KEYS
from appliance.setup.seed import EXAMPLE
from tests.cli.cli_world import Ended
from tests.privileged.paper_computer import computer
from tests.privileged.paper_computer import serving as helper

PASSWORD = "correct horse battery"
SEED = f"""\
[site]
host_name = "boot"
domain = "rack.example"
time_zone = "Europe/Vienna"

[management]
nic = "nic0"

[provisioning]
nic = "nic1"
address = "10.77.0.1/24"
ranges = ["10.77.0.50-10.77.0.99"]

[storage]
data_disks = ["{EMPTY.serial}"]
"""


@dataclass
class Terminal:
    """A user of ``qrm``."""

    home: Path

    async def run(self, *arguments: str, stdin: str = "", code: int = 0) -> Ended:
        pipe, environment = asyncio.subprocess.PIPE, {**os.environ, "XDG_CONFIG_HOME": str(self.home), "TERM": "dumb"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "appliance", *arguments, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
        )
        out, err = await process.communicate(stdin.encode())
        ended = Ended(process.returncode or 0, out.decode(), err.decode())
        assert ended.code == code, f"qrm {' '.join(arguments)}: {ended}"
        assert "Traceback" not in ended.err
        return ended

    def seed(self, text: str) -> str:
        file = self.home.parent / "seed.toml"
        file.write_text(text)
        return str(file)


@pytest.fixture
async def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Waiting]:
    monkeypatch.setattr("appliance.setup.conduct.ANSWER_SECONDS", 0.0)
    async with waiting(tmp_path / "appliance") as found:
        yield found


@pytest.fixture
def qrm(tmp_path: Path) -> Terminal:
    (tmp_path / "home").mkdir()
    (tmp_path / "appliance").mkdir()
    return Terminal(tmp_path / "home")


def trusted(serving: Waiting) -> tuple[str, ...]:
    return (serving.url, "--fingerprint", (serving.services.state_dir / "ca-fingerprint").read_text().strip())


async def test_all_of_set_up_by_one_command(qrm: Terminal, serving: Waiting) -> None:
    typed = f"{serving.link}\n{PASSWORD}\n"
    ended = await qrm.run("setup", *trusted(serving), "--seed", qrm.seed(SEED), stdin=typed)
    assert "logged in to" in ended.out
    assert serving.paper.done == ["look nic1", "try", "keep", "write", "restart"]
    assert serving.paper.written
    assert serving.paper.written.site.host_name == "boot"
    assert serving.paper.written.storage.data_disks == (EMPTY.serial,)


async def test_keys_of_the_seed_are_let_in(qrm: Terminal, serving: Waiting, tmp_path: Path) -> None:
    on, _ = computer(tmp_path / "paper", {"systemctl": ""})
    text = f'[account]\nssh_keys = ["{KEY}"]\n{SEED}'
    async with helper(tmp_path, on) as privileged:
        object.__setattr__(serving.services, "privileged", privileged)
        await qrm.run("setup", *trusted(serving), "--seed", qrm.seed(text), stdin=f"{serving.link}\n{PASSWORD}\n")
    assert (on.roots.state / KEYS).read_text().endswith(f"\n{KEY}\n")


async def test_what_is_refused_is_told_and_set_up_goes_on_from_there(qrm: Terminal, serving: Waiting) -> None:
    serving.paper.dhcp["nic1"] = ("10.77.0.254",)
    full = qrm.seed(SEED.replace(EMPTY.serial, FULL.serial))
    typed = f"{serving.link}\n{PASSWORD}\n"
    ended = await qrm.run("setup", *trusted(serving), "--seed", full, stdin=typed, code=4)
    assert "10.77.0.254" in ended.err
    assert "dhcp-foreign" in ended.err
    ended = await qrm.run("setup", serving.url, "--seed", full, "--despite-dhcp", code=1)
    assert "ext4 (backup)" in ended.err
    assert f"--confirm {FULL.serial}" in ended.err
    assert serving.paper.written is None
    await qrm.run("setup", serving.url, "--seed", full, "--despite-dhcp", "--confirm", FULL.serial)
    assert serving.paper.written


async def test_a_wrong_seed_is_told_before_anything_is_asked(qrm: Terminal) -> None:
    wrong = qrm.seed(SEED.replace("10.77.0.50", "10.78.0.50"))
    ended = await qrm.run("setup", "https://127.0.0.1:1", "--seed", wrong, code=1)
    assert "seed.toml:12: [provisioning] ranges" in ended.err
    assert "such file" in (await qrm.run("setup", "https://127.0.0.1:1", "--seed", "/nowhere.toml", code=1)).err


async def test_who_comes_over_the_new_network_is_logged_in_there(qrm: Terminal, serving: Waiting) -> None:
    """The port is another one than an appliance has, so that this part is tried by itself."""
    ended = await qrm.run("setup", *trusted(serving), stdin=f"{serving.link}\n{PASSWORD}\n")
    assert "as admin" in ended.out
    pem = (serving.services.state_dir / "ca.pem").read_text()
    old = Server("https://192.0.2.10:1", "admin", "x", pem, True)
    with pytest.raises(ApplianceError) as caught:
        await asyncio.to_thread(_arrived, old, f"127.0.0.1:{serving.port}", "0" * 64)
    assert caught.value.code == "arrival-unknown"


def test_a_network_that_we_did_not_come_over_is_not_kept_yet() -> None:
    """It has no address yet, as one of DHCP; or it never will, and is taken back."""
    refused = [
        ApplianceError("network-elsewhere", "this came to 192.0.2.7"),
        ApplianceError("setup-not-trying", "late"),
    ]

    class Console:
        def send(self, *_: object) -> None:
            if refused:
                raise refused.pop(0)

    api: Any = Console()
    assert not _confirmed(api)
    with pytest.raises(ApplianceError, match="late"):
        _confirmed(api)
    assert _confirmed(api)


async def test_the_seed_s_own_commands(qrm: Terminal) -> None:
    assert (await qrm.run("seed", "example")).out == EXAMPLE
    checked = await qrm.run("seed", "check", qrm.seed(TWO))
    assert "boot.rack.example" in checked.out
    assert "with the password behind the hash" in checked.out
    assert (await qrm.run("seed", "check", qrm.seed(TWO), "--json")).json["data group"] == "WD-1, 0x5002538f"
    wrong = await qrm.run("seed", "check", qrm.seed(TWO.replace("nic1", "nic 1")), code=1)
    assert "seed.toml:18: [provisioning] nic" in wrong.err
    made = (await qrm.run("seed", "hash", stdin=f"{PASSWORD}\n")).out.strip()
    assert made.startswith("$argon2id$")
    assert PASSWORD not in made
    await qrm.run("seed", "check", qrm.seed(f'[account]\npassword_hash = "{made}"\n[management]\nnic = "nic0"\n'))
    assert "characters" in (await qrm.run("seed", "hash", stdin="short\n", code=1)).err
    assert "no seed file" in (await qrm.run("seed", "check", str(qrm.home / "none.img"), code=1)).err


async def test_a_seed_is_applied_on_an_appliance_only(qrm: Terminal) -> None:
    ended = await qrm.run("seed", "apply", qrm.seed(SEED), code=1)
    assert "user-unknown" in ended.err or "helper-missing" in ended.err

"""The appliance's computer is gone for good: another one takes its place with a backup of the state."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from appliance_world import Appliance, appliance_lab, plan, seed
from argon2 import PasswordHasher
from remote import Remote

from appliance.errors import ApplianceError
from appliance.lab.operator import Operator, until
from appliance.lab.plan import plan_machine

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(3600)]

OTHER_PASSWORD = "of the second computer until then"
PASSPHRASE = "nobody opens it without these words"
RESTORED_SECONDS, HEARD_SECONDS = 300, 300


async def test_a_backup_makes_another_computer_the_appliance(tmp_path: Path) -> None:
    secret, backup = tmp_path / "passphrase", tmp_path / "state.qrmstate"
    secret.write_text(PASSPHRASE + "\n")
    spare = plan("uefi", number=2)
    async with appliance_lab(tmp_path, plan("bios"), (plan_machine(0, "bios"), spare), seed(), print) as first:
        await first.switch_on()
        await first.console_answers()
        remote = Remote(tmp_path / "home")
        await remote.log_in(first)
        authority = (await first.authority()).read_bytes()
        async with first.user() as api:
            node = Operator(first.lab, api, first.lab.machine("node1"), "web-1", print)
            await node.become_idle()
            leases = await api.items("/network/leases")
            await api.patch(f"/machines/{node.id}", name="the-one-of-before")
        await remote.does("backup", "download", str(backup), "--passphrase-file", str(secret))
        await first.machine.kill()

        second = first.instead(spare.name)
        await second.flash(seed(2, password_hash=PasswordHasher().hash(OTHER_PASSWORD)))
        await second.switch_on()
        await second.console_answers()
        await remote.log_in(second, OTHER_PASSWORD)
        await remote.does("backup", "upload", str(backup))
        standing = await remote.does("backup", "show")
        assert "rack1" in standing
        await remote.does("backup", "restore", "--passphrase-file", str(secret), "--confirm", "rack1")

        async with asyncio.timeout(RESTORED_SECONDS):
            await until(lambda: shows(second, authority))
        async with second.user() as api:
            node = Operator(second.lab, api, second.lab.machine("node1"), "web-1", print)
            (known,) = await api.items("/machines")
            assert known["name"] == "the-one-of-before"
            assert addresses(await api.items("/network/leases")) == addresses(leases)
            node.id = known["id"]
            async with asyncio.timeout(HEARD_SECONDS):
                await until(lambda: heard(node, known["last_seen"]))
            assert (await node.look())["state"] == "idle", "it never noticed"
            await node.machine.kill()
            await node.become_idle()
            assert addresses(await api.items("/network/leases")) == addresses(leases)


async def shows(appliance: Appliance, authority: bytes) -> bool | None:
    """Whether screen and console are those of the appliance with this authority."""
    try:
        return (await appliance.authority()).read_bytes() == authority or None
    except (AssertionError, OSError, ApplianceError, aiohttp.ClientError):
        return None


async def heard(node: Operator, since: float) -> bool | None:
    """Whether the machine has polled since then."""
    return (await node.look())["last_seen"] > since or None


def addresses(leases: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Who has which."""
    return {(each["mac"], each["address"]) for each in leases}

"""``qrm deployments`` with what cloud-init is given: from files, changed, taken away, printed."""

import json
from pathlib import Path

import pytest
from cli_world import Cli
from roots_seed import put_live_image

SECRET = "hunter2-secret"
USER_DATA = f'#cloud-config\npassword: {SECRET}\nruncmd:\n  - "a\tb"\n'
NETWORK = "version: 2\nethernets: {lan: {match: {name: en*}, dhcp4: true}}\n"


@pytest.fixture
async def files(qrm: Cli, tmp_path: Path) -> tuple[str, str]:
    await qrm.world.services.store.write(put_live_image)
    user_data, network = tmp_path / "user-data", tmp_path / "network-config"
    user_data.write_text(USER_DATA)
    network.write_text(NETWORK)
    return str(user_data), str(network)


async def test_it_is_given_printed_and_taken_away(qrm: Cli, files: tuple[str, str]) -> None:
    user_data, network = files
    create = ("deployments", "create", "web-1", "--image", "live-13", "--delivery", "ram")
    await qrm.run(*create, "--user-data", user_data, "--network-config", network)
    shown = (await qrm.run("deployments", "show", "web-1")).out
    assert "user data (cloud-config), a network configuration" in shown
    assert SECRET not in shown
    assert (await qrm.run("deployments", "seed", "web-1")).out == USER_DATA
    assert (await qrm.run("deployments", "seed", "web-1", "--part", "network-config")).out == NETWORK
    found = json.loads((await qrm.run("deployments", "seed", "web-1", "--json")).out)
    assert found == {"user_data": USER_DATA, "network_config": NETWORK}
    await qrm.run("deployments", "set", "web-1", "--no-network-config")
    found = json.loads((await qrm.run("deployments", "seed", "web-1", "--json")).out)
    assert found == {"user_data": USER_DATA, "network_config": ""}
    await qrm.run("deployments", "set", "web-1", "--no-user-data")
    assert "cloud-config" not in (await qrm.run("deployments", "show", "web-1")).out


async def test_what_cannot_be(qrm: Cli, files: tuple[str, str], tmp_path: Path) -> None:
    user_data, network = files
    create = ("deployments", "create", "web-1", "--image", "live-13", "--delivery", "ram")
    said = await qrm.run(*create, "--user-data", network, code=4)
    assert "first line does not say" in said.err
    binary = tmp_path / "packed"
    binary.write_bytes(b"\x1f\x8b\x08\x00")
    assert "no text in UTF-8" in (await qrm.run(*create, "--user-data", str(binary), code=2)).err
    await qrm.run(*create, "--user-data", str(tmp_path / "none"), code=2)
    long = tmp_path / "long"
    long.write_text("#!/bin/sh\n" + "é" * (1 << 16))
    assert "user_data" in (await qrm.run(*create, "--user-data", str(long), code=4)).err
    await qrm.run(*create)
    both = ("--user-data", user_data, "--no-user-data")
    assert "do not go together" in (await qrm.run("deployments", "set", "web-1", *both, code=2)).err

"""``qrm settings``, with the privileged helper itself behind the API, on a computer of paper."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cli_world import Cli, open_cli

from appliance.config import parse
from tests.privileged.paper_computer import serving
from tests.web.settings_world import FILE, Paper


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    return Paper(tmp_path / "paper")


@pytest.fixture
async def box(tmp_path: Path, paper: Paper) -> AsyncIterator[Cli]:
    async with serving(tmp_path, paper.on) as privileged, open_cli(tmp_path, privileged) as qrm:
        await qrm.log_in()
        yield qrm


async def test_names_and_clock(box: Cli, paper: Paper) -> None:
    assert "appliance" in (await box.run("settings", "show")).out
    asked = ("settings", "set", "--domain", "hall.test", "--time-server", "192.0.2.1", "--forwarder", "192.0.2.53")
    foreseen = await box.run(*asked, "--only-plan")
    assert "Domain: hall.test instead of lab.test." in foreseen.out
    assert paper.text == FILE
    done = await box.run(*asked)
    assert '+domain = "hall.test"' in done.out
    assert done.out.endswith("done: the appliance begins anew with it\n")
    assert parse(paper.text, "x").dns.forwarders == ("192.0.2.53",)
    assert "# By hand." in (await box.run("settings", "show", "--file")).out
    await box.run("settings", "set", "--forwarder", "none", "--time-server", "none")
    assert parse(paper.text, "x").dns.forwarders == ()
    assert "say what is to change" in (await box.run("settings", "set", code=2)).err
    assert "is no DNS domain" in (await box.run("settings", "set", "--domain", "-", code=4)).err


async def test_subnets(box: Cli, paper: Paper) -> None:
    assert "qrm settings subnets add nic2" in (await box.run("settings", "subnets")).out
    await box.run("settings", "subnets", "add", "nic2", "--unknown-machines", "ignore")
    assert parse(paper.text, "x").subnet[1].ranges == ("10.78.0.50-10.78.0.200",)
    changes = ("--lease-seconds", "600", "--serve-non-pxe", "no", "--ntp", "none")
    await box.run("settings", "subnets", "set", "nic2", *changes)
    section = parse(paper.text, "x").subnet[1]
    assert (section.lease_seconds, section.serve_non_pxe, section.ntp) == (600, False, ())
    await box.run("settings", "subnets", "set", "nic2", "--dhcp-option", "mtu=9000")
    shown = (await box.run("settings", "subnets", "show", "nic2")).out
    assert "600" in shown
    assert "mtu=9000" in shown
    await box.run("settings", "subnets", "set", "nic2", "--serve-non-pxe", "none", "--lease-seconds", "none")
    assert parse(paper.text, "x").subnet[1].serve_non_pxe is None
    assert "takes a number" in (await box.run("settings", "subnets", "set", "nic2", "--lease-seconds", "x", code=2)).err
    refused = await box.run("settings", "subnets", "remove", "nic2", code=1)
    assert "nic2 is served no more" in refused.out
    await box.run("settings", "subnets", "remove", "nic2", "--confirm", "nic2")
    assert paper.text == FILE
    assert "no subnet 'nic2'" in (await box.run("settings", "subnets", "show", "nic2", code=2)).err


async def test_disks(box: Cli, paper: Paper) -> None:
    assert "WD-1" in (await box.run("settings", "disks")).out
    refused = await box.run("settings", "disks", "use", "WD-1", "WD-2", code=1)
    assert "WD-2" in refused.err
    await box.run("settings", "disks", "use", "WD-1", "WD-2", "--confirm", "WD-2")
    assert paper.storage == ["WD-1", "WD-2"]
    assert (await box.run("settings", "disks", "--json")).json["chosen"] == ["WD-1", "WD-2"]


async def test_a_computer_that_was_not_flashed(qrm: Cli) -> None:
    for arguments in (("show",), ("set", "--domain", "x.test"), ("subnets",), ("disks",), ("subnets", "add", "nic1")):
        assert "not a flashed appliance" in (await qrm.run("settings", *arguments, code=1)).err
    assert not (await qrm.run("settings", "show", "--json")).json["here"]

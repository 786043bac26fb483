"""Real firmware beside somebody else's DHCP server, on a subnet that is switched to proxy while it is served."""

import asyncio
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from vm_neighbour import FIRST, LAST, neighbour

from appliance.lab.administrator import first_administrator
from appliance.lab.artefacts import build
from appliance.lab.lab import Lab, LabMachine
from appliance.lab.operator import until
from appliance.lab.plan import APPLIANCE_ADDRESS, BRIDGE, LabPlan, plan_machine
from appliance.lab.run import listen

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(400)]

SECONDS = 240
SERVED = "starting the maintenance stack"


async def script_is_served(machine: LabMachine) -> None:
    """Waits until our script is on the machine's screen."""

    async def served() -> bool | None:
        return SERVED in machine.serial_text() or None

    await until(served)


async def test_a_bios_machine_boots_our_script_with_an_address_of_the_other_server(tmp_path: Path) -> None:
    daemon = (await build()).plan()
    with listen(None) as web:
        lab = Lab(LabPlan((plan_machine(0, "bios"),), daemon=daemon), web=web, base=tmp_path)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user, asyncio.timeout(SECONDS):
            switched = await user.api.patch(f"/network/subnets/{BRIDGE}", mode="proxy", confirm=BRIDGE)
            assert switched["mode"] == "proxy"
            async with neighbour(lab, tmp_path) as leases:
                (machine,) = lab.machines
                await machine.power_on()
                await script_is_served(machine)
                (known,) = await user.api.items("/machines")
                assert known["macs"] == [machine.plan.nics[0].mac]
                assert IPv4Address(FIRST) <= IPv4Address(known["address"]) <= IPv4Address(LAST)
                assert f"{machine.plan.nics[0].mac} {known['address']}" in leases.read_text()
                assert await user.api.items("/network/leases") == [], "none of ours"
                told = [each["kind"] for each in await user.api.items(f"/machines/{known['id']}/timeline")]
                assert "script.served" in told


@pytest.mark.timeout(1200)
async def test_secure_boot_with_our_boot_options_in_the_other_server(tmp_path: Path) -> None:
    """It names shim to all of UEFI: nothing has to be refused first, and our DHCP server is silent."""
    daemon = (await build()).plan()
    with listen(None) as web:
        lab = Lab(LabPlan((plan_machine(0, "uefi", secure_boot=True),), daemon=daemon), web=web, base=tmp_path)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user, asyncio.timeout(900):
            subnet = f"/network/subnets/{BRIDGE}"
            await user.api.patch(subnet, mode="off", confirm=BRIDGE)
            given = await user.api.get(f"{subnet}/snippet", **{"for": "dnsmasq", "secure_boot": "true"})
            async with neighbour(lab, tmp_path, given["text"]):
                (machine,) = lab.machines
                await machine.power_on()
                await script_is_served(machine)
                (known,) = await user.api.items("/machines")
                timeline = await user.api.items(f"/machines/{known['id']}/timeline")
                said = machine.serial_text()
    assert IPv4Address(FIRST) <= IPv4Address(known["address"]) <= IPv4Address(LAST)
    assert "NBP filename is shimx64.efi" in said
    assert "Access Denied" not in said
    assert "script.served" in [each["kind"] for each in timeline]


async def test_uefi_that_another_server_sends_to_our_port_4011(tmp_path: Path) -> None:
    """As where PXE was set up for another product: the address comes with "PXEClient" and our address, and no file.

    UEFI then leaves all proxies' offers alone, ours too, and asks the server that was named, from its own port 4011.
    """
    daemon = (await build()).plan()
    with listen(None) as web:
        lab = Lab(LabPlan((plan_machine(0, "uefi"),), daemon=daemon), web=web, base=tmp_path)
        async with lab, first_administrator(lab, web.getsockname()[1]) as user, asyncio.timeout(SECONDS):
            await user.api.patch(f"/network/subnets/{BRIDGE}", mode="proxy", confirm=BRIDGE)
            named = f"dhcp-option-force=60,PXEClient\ndhcp-boot=,,{APPLIANCE_ADDRESS}\n"
            async with neighbour(lab, tmp_path, named):
                (machine,) = lab.machines
                await machine.power_on()
                await script_is_served(machine)
                said = machine.serial_text()
    assert f"Server IP address is {APPLIANCE_ADDRESS}" in said
    assert "NBP filename is snponly.efi" in said

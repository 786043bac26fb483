"""The lab's management controller: our own Redfish driver switches machines by it, nobody without its password does."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from appliance.errors import ApplianceError
from appliance.lab.controller import USER, Controller
from appliance.lab.controller_key import controller_key
from appliance.lab.plan import LabPlan, MachinePlan, plan_machines
from appliance.lab.switches import node_of
from appliance.power.redfish.driver import Redfish
from appliance.power_switch import PowerError, PowerKind, PowerSettings, PowerState, checked


@dataclass
class Played:
    """A machine without its QEMU."""

    plan: MachinePlan
    running: bool = False

    async def power_off(self) -> None:
        self.running = False

    async def reset(self) -> None:
        if not self.running:
            raise ApplianceError("lab-machine-off", f"{self.plan.name} is off")


async def switch_on(machine: Any) -> None:
    machine.running = True


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[tuple[Controller, PowerSettings]]:
    """A controller that serves, and how node2 is reached."""
    key = controller_key(tmp_path / "controller.pem", tmp_path / "controller-password")
    machines: Any = {plan.name: Played(plan) for plan in plan_machines(2)}
    made = Controller(machines, switch_on, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key.file)
    server = TestServer(made.app(), scheme="https")
    await server.start_server(ssl=context)
    settings = PowerSettings(
        PowerKind.REDFISH, "127.0.0.1", server.port or 0, USER, system="node2", fingerprint=key.fingerprint
    )
    yield made, checked(settings)
    await server.close()


async def test_a_machine_is_switched_by_our_own_driver(lab: tuple[Controller, PowerSettings]) -> None:
    made, settings = lab
    node = Redfish(settings, made.key.password)
    assert await node.observe() is PowerState.OFF
    await node.boot_network_once(True)
    assert made.boots["node2"]["BootSourceOverrideTarget"] == "Pxe"
    await node.on()
    assert made.boots == {}, "it was for this start"
    assert await node.observe() is PowerState.ON
    await node.cycle()
    await node.off()
    assert await node.observe() is PowerState.OFF
    assert not made.machines["node1"].running


async def test_nobody_without_the_password_switches_anything(lab: tuple[Controller, PowerSettings]) -> None:
    made, settings = lab
    with pytest.raises(PowerError) as caught:
        await Redfish(settings, "guessed").on()
    assert caught.value.code == "power-refused"
    with pytest.raises(PowerError) as caught:
        await Redfish(replace(settings, fingerprint="0" * 64), made.key.password).on()
    assert caught.value.code == "power-certificate"
    assert not any(each.running for each in made.machines.values())


async def test_what_makes_no_sense_is_refused(lab: tuple[Controller, PowerSettings]) -> None:
    made, settings = lab
    base = f"https://127.0.0.1:{settings.port}/redfish/v1"
    proof = {"Authorization": aiohttp.encode_basic_auth(USER, made.key.password)}
    async with aiohttp.ClientSession(headers=proof, connector=aiohttp.TCPConnector(ssl=False)) as http:
        reset = f"{base}/Systems/node1/Actions/ComputerSystem.Reset"
        for wrong in (b"", b"[]", b'{"ResetType": "Explode"}', b'{"ResetType": "ForceRestart"}'):
            async with http.post(reset, data=wrong) as answer:
                assert answer.status == 400
                assert "message" in (await answer.json())["error"]
        async with http.get(f"{base}/Systems/node9") as answer:
            assert answer.status == 404
        async with http.patch(f"{base}/Systems/node1", json={"Boot": {"BootSourceOverrideTarget": "Cd"}}) as answer:
            assert answer.status == 400


def test_key_and_password_stay_with_the_directory(tmp_path: Path) -> None:
    files = tmp_path / "controller.pem", tmp_path / "controller-password"
    assert controller_key(*files) == controller_key(*files)
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}


def test_machines_are_found_by_their_interfaces() -> None:
    plan = LabPlan(plan_machines(2))
    assert node_of(plan, {"macs": [plan.machines[1].nics[0].mac]}) == "node2"
    assert node_of(plan, {"macs": ["52:54:00:00:00:01"]}) is None

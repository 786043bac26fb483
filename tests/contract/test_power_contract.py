"""What every driver of power promises, asked of each through the same seam."""

import asyncio
import shutil
import tempfile
import time
from ipaddress import IPv4Interface
from pathlib import Path

import controllers
import pytest
import uvloop
from bench_machine import BenchMachine

from appliance.power.build import DRIVERS, driver
from appliance.power.driver import Target
from appliance.power.memory import MemorySwitch
from appliance.power_switch import POWER_CODES, Ability, PowerError, PowerKind, PowerSettings, PowerState, abilities

NEW = Target("web1", ("52:54:00:12:34:56",), None, {"lo": IPv4Interface("127.0.0.1/8")})
CALLS = {
    Ability.ON: lambda switch: switch.on(),
    Ability.OFF: lambda switch: switch.off(),
    Ability.CYCLE: lambda switch: switch.cycle(),
    Ability.NETWORK_ONCE: lambda switch: switch.boot_network_once(False),
}
CHECKS = {
    Ability.ON: lambda switch: switch.check_start(False, False),
    Ability.NETWORK_ONCE: lambda switch: switch.check_start(True, False),
}


class Bench:
    """A driver, and the machine itself to be looked at past it."""

    def __init__(self, switch, is_on, from_network):
        self.switch, self.is_on, self.from_network = switch, is_on, from_network


def memory():
    switch = MemorySwitch()
    yield Bench(switch, lambda: switch.state is PowerState.ON, lambda: False in switch.booted)


def ipmi(machine):
    with controllers.ipmi_sim(machine) as settings:
        yield from on_bench(machine, settings)


def redfish(machine):
    with controllers.sushy(machine) as settings:
        yield from on_bench(machine, settings)


def on_bench(machine, settings):
    switch = driver(settings, controllers.PASSWORD, NEW)
    from_network = machine.asked_for_network if machine.real.exists() else lambda: "pxe" in machine.started()
    yield Bench(switch, machine.is_on, from_network)
    machine.off()


def libvirt():
    with controllers.libvirtd() as (machine, settings):
        yield Bench(driver(settings, "", NEW), machine.is_on, machine.asked_for_network)


def real(name, *marks):
    return pytest.param((name, False), marks=[pytest.mark.vm, *marks], id=f"{name}-vm")


@pytest.fixture(
    params=[
        pytest.param(("memory", True), id="memory"),
        pytest.param(("ipmi", True), id="ipmi"),
        pytest.param(("redfish", True), id="redfish"),
        real("ipmi", pytest.mark.slow),
        real("redfish", pytest.mark.slow),
        real("libvirt"),  # nothing else tries it on more than words
    ],
)
def bench(request):
    name, pretend = request.param
    directory = Path(tempfile.mkdtemp(prefix="qrm-power-"))
    made = {
        "memory": memory,
        "ipmi": lambda: ipmi(BenchMachine(directory, pretend)),
        "redfish": lambda: redfish(BenchMachine(directory, pretend)),
        "libvirt": libvirt,
    }[name]()
    yield next(made)
    next(made, None)
    shutil.rmtree(directory)


def test_a_day_of_a_machine(bench):
    """On the daemon's own kind of loop: it starts programs, and speaks TLS, in another way than asyncio's."""
    uvloop.run(a_day(bench))


async def a_day(bench):
    """On, off, round and from the network, each twice where twice must be no error."""
    switch = bench.switch
    assert await switch.observe() is PowerState.OFF
    for _ in range(2):
        await switch.on()
        await become(bench, True)
    await switch.cycle()
    await become(bench, True)
    assert not bench.from_network()
    for _ in range(2):
        await switch.off()
        await become(bench, False)
    assert await switch.observe() is PowerState.OFF
    await switch.check_start(True, False)
    await switch.boot_network_once(False)
    await switch.cycle()
    await become(bench, True)
    await until(bench.from_network)
    await switch.off()
    await become(bench, False)


async def become(bench, on):
    """Waits until the machine is so, and until its controller says so."""
    wanted = PowerState.ON if on else PowerState.OFF
    await until(lambda: bench.is_on() is on)
    while await bench.switch.observe() is not wanted:
        await asyncio.sleep(0.05)


async def until(true):
    while not true():
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", PowerKind)
async def test_every_kind_has_a_driver_that_says_what_it_cannot_do(kind):
    switch = DRIVERS[kind](PowerSettings(kind), "", NEW)
    every = [*CALLS.items(), *CHECKS.items()]
    for call in [call for ability, call in every if ability not in abilities(kind)]:
        with pytest.raises(PowerError) as caught:
            await call(switch)
        assert caught.value.code == "power-unsupported"
        assert caught.value.hint
    if Ability.OBSERVE not in abilities(kind):
        assert await switch.observe() is PowerState.UNKNOWN


NOWHERE = {
    PowerKind.IPMI: PowerSettings(PowerKind.IPMI, "127.0.0.1", 9, "operator1"),
    PowerKind.REDFISH: PowerSettings(PowerKind.REDFISH, "127.0.0.1", 9, "operator1"),
    PowerKind.LIBVIRT: PowerSettings(PowerKind.LIBVIRT, "qemu:///session?socket=/nonexistent/socket", system="bench"),
}


SLOW = {PowerKind.IPMI}
"""It has no connection that could be refused: only time tells."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in SLOW else []) for kind in NOWHERE]
)
async def test_a_controller_that_is_not_there(kind):
    began = time.monotonic()
    with pytest.raises(PowerError) as caught:
        await driver(NOWHERE[kind], controllers.PASSWORD, NEW).observe()
    assert caught.value.code == "power-unreachable"
    assert caught.value.hint
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("controller", [controllers.ipmi_sim, controllers.sushy])
async def test_a_wrong_password_is_refused_and_told_to_nobody(controller, tmp_path, caplog):
    with controller(BenchMachine(tmp_path)) as settings:
        switch = driver(settings, "wr0ng-word", NEW)
        for call in (switch.observe, switch.off):
            with pytest.raises(PowerError) as caught:
                await call()
            assert caught.value.code == "power-refused"
            assert "wr0ng-word" not in f"{caught.value!r} {caught.value.hint} {caught.value.__context__!r}"
    assert "wr0ng-word" not in repr(switch)
    assert "wr0ng-word" not in caplog.text


def test_every_code_is_explained():
    assert set(POWER_CODES) >= {"power-unreachable", "power-refused", "power-unsupported", "power-failed"}

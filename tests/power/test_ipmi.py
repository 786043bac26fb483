"""``ipmitool`` as we call it: its words in ours, its password where nobody reads it, answers that make no sense."""

import asyncio
import socket
import threading
from dataclasses import replace
from pathlib import Path

import controllers
import pytest
from bench_machine import BenchMachine

from appliance.command import said
from appliance.errors import ApplianceError
from appliance.power import ipmi
from appliance.power.ipmi import Ipmi, arguments, power_state, reason
from appliance.power_switch import PowerError, PowerKind, PowerSettings, PowerState

SECRET = "s3cr3t-of-bmc"
BMC = PowerSettings(PowerKind.IPMI, "192.0.2.10", 0, "root")
UNABLE = "Error: Unable to establish IPMI v2 / RMCP+ session"


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("Chassis Power is on\n", PowerState.ON),
        ("Chassis Power is off\n", PowerState.OFF),
        ("Loading IANA PEN Registry...\nChassis Power is off\n", PowerState.OFF),
    ],
)
def test_states(words, state):
    assert power_state(words) is state


@pytest.mark.parametrize(
    "words", ["", "Chassis Power is", "Chassis Power is offline", "off", "Chassis Power is \x1b[2Joff"]
)
def test_off_is_not_read_into_anything_else(words):
    with pytest.raises(PowerError) as caught:
        power_state(words)
    assert caught.value.code == "power-failed"
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        (f"> RAKP 2 HMAC is invalid\n{UNABLE}", "power-refused", ""),
        (f"RAKP 2 message indicates an error : unauthorized name\n{UNABLE}", "power-refused", ""),
        (f"Set Session Privilege Level to ADMINISTRATOR failed\n{UNABLE}", "power-refused", ""),
        ("Set Chassis Power Control to Down/Off failed: Insufficient privilege level", "power-refused", ""),
        (
            f"Error in open session response message : invalid authentication algorithm\n{UNABLE}",
            "power-failed",
            "cipher_suite",
        ),
        (UNABLE, "power-unreachable", ""),
        (f"Address lookup for bmc1 failed\n{UNABLE}", "power-unreachable", ""),
        ("Set Chassis Power Control to Up/On failed: Command not supported in present state", "power-failed", ""),
        (f"it is {SECRET}\x1b[31m\nreally", "power-failed", ""),
    ],
)
def test_refusals(words, code, field):
    found = reason(ApplianceError("program-failed", f"ipmitool -v -I lanplus: {words}"), "192.0.2.10", SECRET)
    assert (found.code, found.field) == (code, field)
    assert found.hint
    assert found.message.isprintable()
    assert SECRET not in found.message


def test_only_the_last_words_are_shown():
    words = "Loading IANA PEN Registry...\nSet Chassis Power Control to Up/On failed: Node busy"
    found = reason(ApplianceError("program-failed", f"ipmitool -v: {words}"), "192.0.2.10", SECRET)
    assert found.message == "the controller 192.0.2.10 refused: Set Chassis Power Control to Up/On failed: Node busy"


def test_no_argument_is_taken_for_words():
    found = reason(ApplianceError("program-failed", "ipmitool -v -U root: exit code 1"), "192.0.2.10", SECRET)
    assert found.message == "the controller 192.0.2.10 refused: exit code 1"


def test_programs_that_hang_or_are_missing():
    assert reason(ApplianceError("program-stuck", "ipmitool: no end"), "h", SECRET).code == "power-unreachable"
    missing = reason(ApplianceError("program-missing", "ipmitool is not installed"), "h", SECRET)
    assert "ipmitool" in missing.hint


def test_arguments():
    assert arguments(BMC, 3)[:9] == ["ipmitool", "-v", "-I", "lanplus", "-H", "192.0.2.10", "-p", "623", "-E"]
    chosen = arguments(PowerSettings(PowerKind.IPMI, "h", 1623, "u", privilege="operator"), 17)
    assert chosen[chosen.index("-C") + 1] == "17"
    assert chosen[chosen.index("-L") + 1] == "OPERATOR"


@pytest.fixture
def silent():
    """A controller that takes everything and answers nothing; a port of ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        yield made


async def test_the_password_stands_in_no_argument_of_any_process(silent):
    """Arguments can be read by everybody on the computer; the environment by ourselves and root."""
    settings = PowerSettings(PowerKind.IPMI, "127.0.0.1", silent.getsockname()[1], "root", cipher_suite=3)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(Ipmi(settings, SECRET).observe())
        while not (child := ipmitool_of_ours(settings.port)):
            await asyncio.sleep(0.01)
        assert SECRET.encode() in child.joinpath("environ").read_bytes(), "it has it, but not there"
        assert not [each for each in Path("/proc").glob("[0-9]*") if SECRET.encode() in readable(each / "cmdline")]
        asking.cancel()


def ipmitool_of_ours(port):
    """The process that was started for that port, once it is ``ipmitool`` and no longer a copy of us."""
    for each in Path("/proc").glob("[0-9]*"):
        words = readable(each / "cmdline").split(b"\0")
        if words[0] == b"ipmitool" and str(port).encode() in words:
            return each
    return None


def readable(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("answer", [b"", b"\0" * 300, b"\xff" * 64, b"\x06\x00\xff\x07" + b"\x06\x11" + b"\xff" * 40])
async def test_a_controller_that_makes_no_sense_costs_bounded_time(silent, answer, monkeypatch):
    monkeypatch.setattr(ipmi, "SECONDS", 1.0)
    settings = PowerSettings(PowerKind.IPMI, "127.0.0.1", silent.getsockname()[1], "root")
    with Answering(silent, answer), pytest.raises(PowerError) as caught:
        await Ipmi(settings, SECRET).observe()
    assert caught.value.code in ("power-unreachable", "power-failed")
    assert SECRET not in f"{caught.value!r}{caught.value.hint}"


class Answering:
    """Sends the same datagram back to whoever sends one."""

    def __init__(self, sock, answer):
        self.sock, self.answer, self.over = sock, answer, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        self.sock.settimeout(0.05)
        while not self.over.is_set():
            try:
                _, peer = self.sock.recvfrom(2048)
                self.sock.sendto(self.answer, peer)
            except OSError:
                continue

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()


async def test_network_once_is_said_as_uefi_too(tmp_path, monkeypatch):
    """For the next boot only, which is what ``bootdev`` means without ``options=persistent``."""
    asked = []

    async def heard(argv, *more):
        asked.append(argv[argv.index("chassis") :])
        return await said(argv, *more)

    monkeypatch.setattr(ipmi, "said", heard)
    with controllers.ipmi_sim(BenchMachine(tmp_path)) as settings:
        for uefi in (True, False):
            await Ipmi(settings, controllers.PASSWORD).boot_network_once(uefi)
    assert asked == [["chassis", "bootdev", "pxe", "options=efiboot"], ["chassis", "bootdev", "pxe"]]


async def test_the_best_suite_first_and_then_what_everybody_knows(tmp_path, monkeypatch):
    """The simulator knows no suite 17, as older controllers do not; one that was chosen is not replaced."""
    asked = []

    async def heard(argv, *more):
        asked.append(argv[argv.index("-C") + 1])
        return await said(argv, *more)

    monkeypatch.setattr(ipmi, "said", heard)
    with controllers.ipmi_sim(BenchMachine(tmp_path)) as settings:
        assert await Ipmi(replace(settings, cipher_suite=0), controllers.PASSWORD).observe() is PowerState.OFF
        assert asked == ["17", "3"]
        with pytest.raises(PowerError) as caught:
            await Ipmi(replace(settings, cipher_suite=17), controllers.PASSWORD).observe()
    assert caught.value.field == "cipher_suite"
    assert asked == ["17", "3", "17"]


def test_no_time_is_lost_on_the_names_of_makers():
    """A copy of the list stands where ``ipmitool`` looks first, below its HOME."""
    assert (ipmi.HOME / ".local/usr/share/misc/enterprise-numbers.txt").is_file()


async def test_what_refuses_off_because_it_is_off_is_off(monkeypatch):
    """Completion code D5h, which many send; one that is on and says so is not."""

    class Refusing(Ipmi):
        state = "off"

        async def _chassis(self, *words):
            if words == ("power", "status"):
                return f"Chassis Power is {self.state}"
            raise PowerError("power-failed", "Command not supported in present state")

    await Refusing(BMC, SECRET).off()
    monkeypatch.setattr(Refusing, "state", "on")
    await Refusing(BMC, SECRET).on()
    with pytest.raises(PowerError):
        await Refusing(BMC, SECRET).off()

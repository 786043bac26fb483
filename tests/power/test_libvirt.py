"""What ``virsh`` says, in our words. That it does what it is told is for tests/contract/test_power_contract.py."""

import pytest

from appliance.errors import ApplianceError
from appliance.power import libvirt
from appliance.power.libvirt import Libvirt, address, power_state, reason
from appliance.power_switch import PowerError, PowerKind, PowerSettings, PowerState

HERE = PowerSettings(PowerKind.LIBVIRT, "qemu:///system", system="web1")


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("shut off\n\n", PowerState.OFF),
        ("running\n\n", PowerState.ON),
        ("paused\n", PowerState.ON),
        ("in shutdown\n", PowerState.ON),
        ("crashed\n", PowerState.ON),
        ("pmsuspended\n", PowerState.ON),
        ("no state\n", PowerState.UNKNOWN),
        ("", PowerState.UNKNOWN),
        ("off", PowerState.UNKNOWN),
    ],
)
def test_only_what_is_shut_off_is_off(words, state):
    assert power_state(words) is state


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        (
            "error: failed to connect to the hypervisor\nerror: Cannot recv data: ssh: connect to",
            "power-unreachable",
            "",
        ),
        ("error: failed to connect\nerror: Cannot recv data: Host key verification failed.", "power-refused", ""),
        ("error: failed to connect\nerror: x: Permission denied (publickey,password).", "power-refused", ""),
        ("error: failed to get domain 'web1'\n", "power-failed", "system"),
        ("error: Failed to start domain 'web1'\nerror: no disk", "power-failed", ""),
        ("", "power-failed", ""),
    ],
)
def test_refusals(words, code, field):
    found = reason(ApplianceError("program-failed", f"virsh --quiet: {words}"), HERE)
    assert (found.code, found.field) == (code, field)
    assert found.hint
    assert "virsh --quiet" not in found.message or not words


def test_a_host_that_hangs_and_a_program_that_is_missing():
    assert reason(ApplianceError("program-stuck", "virsh: no end"), HERE).code == "power-unreachable"
    assert "libvirt-clients" in reason(ApplianceError("program-missing", "virsh is not installed"), HERE).hint


def test_ssh_has_nobody_to_ask():
    assert address(HERE) == "qemu:///system"
    assert address(PowerSettings(PowerKind.LIBVIRT, "qemu+ssh://h/system")) == "qemu+ssh://h/system?no_tty=1"


class Host:
    """Answers in the place of ``virsh``, with one VM that is off."""

    def __init__(self):
        self.note, self.asked, self.persistent = "", [], "yes"
        self.definition = "<domain><os/><devices><interface/></devices></domain>"

    async def said(self, argv, environment, seconds):
        words = argv[4:]
        self.asked.append(words[0])
        match words:
            case ["metadata", *_, "--set", note, "--key", "qrm", "--config"]:
                self.note = note
            case ["metadata", *_, "--remove", "--config"]:
                self.note = ""
            case ["metadata", *_]:
                if not self.note:
                    raise ApplianceError("program-failed", "virsh: error: metadata not found")
                return self.note
            case ["dominfo", *_]:
                return f"Id:             -\nPersistent:     {self.persistent}\n"
            case ["dumpxml", *_]:
                return self.definition
        return ""


@pytest.fixture
def host(monkeypatch):
    made = Host()
    monkeypatch.setattr(libvirt, "said", made.said)
    return made


@pytest.mark.parametrize(
    ("later", "how"), [(0.0, "create"), (0.3, "create"), (599.0, "create"), (601.0, "start"), (-5.0, "start")]
)
async def test_a_note_is_good_for_one_start_and_ten_minutes(host, later, how):
    """From the very moment it was written, whatever part of a second that was."""
    await Libvirt(HERE, lambda: 1000.6).boot_network_once(False)
    host.asked.clear()
    await Libvirt(HERE, lambda: 1000.6 + later).on()
    assert how in host.asked
    host.asked.clear()
    await Libvirt(HERE, lambda: 1000.6 + later).on()
    assert "start" in host.asked


@pytest.mark.parametrize("network", [False, True])
async def test_a_vm_that_is_defined_nowhere_keeps_its_power_where_it_is_to_come_back(host, network):
    """It would be gone with its process."""
    host.persistent = "no"
    with pytest.raises(PowerError) as caught:
        await Libvirt(HERE).check_start(network, False)
    assert caught.value.code == "power-unsupported"
    host.persistent = "yes"
    await Libvirt(HERE).check_start(network, False)


async def test_only_a_start_from_the_network_needs_an_interface(host):
    host.definition = "<domain><os/><devices><disk/></devices></domain>"
    await Libvirt(HERE).check_start(False, False)
    with pytest.raises(PowerError) as caught:
        await Libvirt(HERE).check_start(True, False)
    assert caught.value.code == "power-unsupported"
    assert "metadata" not in host.asked, "nothing is changed"


async def test_a_vm_that_is_defined_nowhere_cannot_be_told(host):
    host.persistent = "no"
    with pytest.raises(PowerError) as caught:
        await Libvirt(HERE).boot_network_once(False)
    assert caught.value.code == "power-unsupported"

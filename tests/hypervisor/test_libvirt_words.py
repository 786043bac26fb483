"""libvirt's numbers and what its hosts say of themselves: against the library, and with hosts that lack things."""

import libvirt
import pytest

from appliance.errors import ApplianceError
from appliance.hypervisor import libvirt_words as words
from appliance.hypervisor.capabilities_xml import abilities
from appliance.vm import Bus, Firmware, VmState

STATES = {
    "NOSTATE": None,
    "RUNNING": VmState.RUNNING,
    "BLOCKED": VmState.RUNNING,
    "PAUSED": VmState.PAUSED,
    "SHUTDOWN": VmState.STOPPING,
    "SHUTOFF": VmState.OFF,
    "CRASHED": VmState.CRASHED,
    "PMSUSPENDED": VmState.ASLEEP,
}


RPC = libvirt.VIR_FROM_RPC


def number(name):
    return getattr(libvirt, f"VIR_{name}")


def test_the_numbers_are_those_of_the_library():
    assert {name: words.STATES.get(number(f"DOMAIN_{name}")) for name in STATES} == STATES
    reasons = ("PAUSED_IOERROR", "PAUSED_WATCHDOG", "PAUSED_SHUTTING_DOWN", "PAUSED_CRASHED")
    assert {(3, number(f"DOMAIN_{each}")) for each in reasons} <= set(words.WHY)
    assert {(5, number(f"DOMAIN_SHUTOFF_{each}")) for each in ("CRASHED", "FAILED")} <= set(words.WHY)
    assert len(words.WHY) == 6
    kinds = ("DEFINED", "UNDEFINED", "STARTED", "SUSPENDED", "RESUMED", "STOPPED", "SHUTDOWN", "PMSUSPENDED", "CRASHED")
    assert [number(f"DOMAIN_EVENT_{each}") for each in kinds] == list(range(len(words.EVENTS)))
    assert number("ERR_NO_DOMAIN") == words.NO_DOMAIN
    assert number("ERR_OPERATION_INVALID") == words.OPERATION_INVALID
    assert number("ERR_OPERATION_TIMEOUT") == words.OPERATION_TIMEOUT
    assert {number("FROM_RPC"), number("FROM_REMOTE")} == words.LINE
    agent = ("ARGUMENT_UNSUPPORTED", "AGENT_UNRESPONSIVE", "AGENT_UNSYNCED")
    assert {number(f"ERR_{each}") for each in agent} == words.AGENT
    refused = ("AUTH_FAILED", "AUTH_CANCELLED", "ACCESS_DENIED", "AUTH_UNAVAILABLE")
    assert {number(f"ERR_{each}") for each in refused} == words.REFUSED
    wrong = ("XML_ERROR", "XML_DETAIL", "CONFIG_UNSUPPORTED", "XML_INVALID_SCHEMA")
    assert {number(f"ERR_{each}") for each in wrong} == words.WRONG


@pytest.mark.parametrize(
    ("error", "domain", "said", "code"),
    [
        ("ERR_NO_DOMAIN", 0, "Domain not found", "vm-unknown"),
        ("ERR_AGENT_UNRESPONSIVE", 0, "Guest agent is not responding", "vm-agent-silent"),
        ("ERR_AUTH_FAILED", 0, "authentication failed", "host-refused"),
        ("ERR_SYSTEM_ERROR", RPC, "Cannot recv data: Permission denied", "host-refused"),
        ("ERR_SYSTEM_ERROR", RPC, "Connection reset by peer", "host-unreachable"),
        ("ERR_INTERNAL_ERROR", RPC, "client socket is closed", "host-unreachable"),
        ("ERR_OPERATION_TIMEOUT", 0, "cannot acquire state change lock", "vm-busy"),
        ("ERR_OPERATION_INVALID", 0, "domain is not running", "vm-state"),
        ("ERR_CONFIG_UNSUPPORTED", 0, "unsupported configuration", "vm-refused"),
        ("ERR_INTERNAL_ERROR", 0, "process exited while connecting to monitor", "vm-failed"),
        ("ERR_SYSTEM_ERROR", 0, "Cannot access storage file '/srv/a': No such file or directory", "vm-failed"),
        ("ERR_OK", 0, "", "vm-failed"),
    ],
)
def test_what_went_wrong_in_our_words(error, domain, said, code):
    found = words.translated(number(error), domain, said * 100, "qemu:///system", "web1")
    assert isinstance(found, ApplianceError)
    assert found.code == code
    assert found.hint
    assert len(found.message) < 700


HOST = """\
<domainCapabilities>
  <os supported='yes'>
    <enum name='firmware'><value>efi</value></enum>
    <loader supported='yes'><enum name='secure'><value>yes</value><value>no</value></enum></loader>
  </os>
  <devices>
    <disk supported='yes'>
      <enum name='diskDevice'><value>nvme</value></enum>
      <enum name='bus'><value>ide</value><value>scsi</value><value>virtio</value><value>sata</value></enum>
    </disk>
    <tpm supported='yes'><enum name='backendModel'><value>passthrough</value><value>emulator</value></enum></tpm>
  </devices>
</domainCapabilities>
"""


def test_what_a_host_can_emulate():
    assert abilities(HOST) == ({Bus.VIRTIO_SCSI, Bus.VIRTIO_BLK, Bus.SATA}, set(Firmware), True)
    newer = HOST.replace("<value>sata", "<value>nvme</value><value>sata")
    assert Bus.NVME in abilities(newer)[0]


@pytest.mark.parametrize(
    ("there", "not_there", "firmwares", "tpm"),
    [
        ("<value>efi</value>", "", {Firmware.BIOS}, True),
        ("<value>yes</value>", "", {Firmware.BIOS, Firmware.UEFI}, True),
        ("<value>emulator</value>", "", set(Firmware), False),
        ("<tpm supported='yes'", "<tpm supported='no'", set(Firmware), False),
    ],
)
def test_a_host_without_some_of_it(there, not_there, firmwares, tpm):
    _, found, has_tpm = abilities(HOST.replace(there, not_there))
    assert (found, has_tpm) == (firmwares, tpm)


def test_a_host_that_says_nothing_of_it():
    assert abilities("<domainCapabilities/>") == (set(), {Firmware.BIOS}, False)

"""The controller of a computer, from what SMBIOS and ``ipmitool`` say, recorded and bent."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.errors import AgentError
from appliance.agent.inventory import bmc, dmi
from appliance.agent.inventory.management import ipmi_version, protocols, redfish_service
from appliance.reconcile.inventory import checked

DELL = """\
Set in Progress         : Set Complete
Auth Type Support       : MD5
Auth Type Enable        : Callback : MD5
                        : User     : MD5
                        : OEM      :
IP Address Source       : Static Address
IP Address              : 10.20.0.31
Subnet Mask             : 255.255.255.0
MAC Address             : D0:94:66:2A:7B:10
SNMP Community String   : public
IP Header               : TTL=0x40 Flags=0x40 Precedence=0x00 TOS=0x10
Default Gateway IP      : 10.20.0.1
802.1q VLAN ID          : 104
802.1q VLAN Priority    : 0
RMCP+ Cipher Suites     : 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,17
Cipher Suite Priv Max   : Xaaaaaaaaaaaaaa
                        :     X=Cipher Suite Unused
"""
SIMULATOR = """\
Set in Progress         : Set Complete
IP Address Source       : Unspecified
IP Address              : 0.0.0.0
MAC Address             : 00:00:00:00:00:00
802.1q VLAN ID          : Disabled
"""
IPMI = struct.pack("<BBHBBBBQBB", 38, 18, 0x2600, 1, 0x20, 0x20, 0xFF, 0x0CA3, 0x01, 0x05) + b"\0\0"
"""KCS at I/O port CA2h, IPMI 2.0: what QEMU's ``isa-ipmi-kcs`` has, too."""


def host_interface(name: bytes = b"bmc-7.example", port: int = 443, kind: int = 4) -> bytes:
    """A USB network host interface (type 42, DSP0270) with one protocol record."""
    record = bytearray(91)
    record[16:20] = b"\x01\x01\xa9\xfe"
    record[84:86] = port.to_bytes(2, "little")
    record[90] = len(name)
    record += name
    device = bytes([2]) + struct.pack("<HH", 0x046B, 0xFFB0) + b"\0"
    body = bytes([0x40, len(device)]) + device + bytes([1, kind, len(record)]) + bytes(record)
    return struct.pack("<BBH", 42, 4 + len(body), 0x2A00) + body + b"\0\0"


END = struct.pack("<BBH", 127, 4, 0x7F00) + b"\0\0"


def tables(*structures: bytes) -> list[dmi.Structure]:
    return list(dmi.parse(b"".join(structures) + END))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DELL, {"address": "10.20.0.31", "mac": "d0:94:66:2a:7b:10", "vlan": 104}),
        (SIMULATOR, {"address": "", "mac": "", "vlan": None}),
        ("Get Channel Info command failed\nInvalid channel: 2\n", {"address": "", "mac": "", "vlan": None}),
        ("", {"address": "", "mac": "", "vlan": None}),
    ],
)
def test_lan_print(text: str, said: dict[str, object]) -> None:
    assert bmc.parse_lan(text) == said


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.3.254", "224.0.0.1", "0.0.0.0", "::1", "x", "1.2.3.4\x1b[2J"]
)
def test_addresses_that_nobody_else_can_send_to(address: str) -> None:
    assert bmc.usable(address) == ""


@pytest.mark.parametrize("vlan", ["Disabled", "0", "4095", "²", "-1", "99999999999"])
def test_what_is_no_vlan(vlan: str) -> None:
    assert bmc.parse_lan(f"802.1q VLAN ID : {vlan}")["vlan"] is None


def test_what_smbios_tells() -> None:
    assert bmc.described(tables()) is None
    both = bmc.described(tables(IPMI, host_interface()))
    assert both == {
        "kind": "redfish",
        "version": "2.0",
        "host_name": "bmc-7.example",
        "port": 443,
        "address": "",
        "mac": "",
        "vlan": None,
    }
    assert ipmi_version(tables(IPMI)) == "2.0"
    only = bmc.described(tables(IPMI))
    assert only is not None
    assert only["kind"] == "ipmi"


def test_host_interfaces_that_are_none() -> None:
    assert redfish_service(tables(host_interface(kind=2))) is None, "IPMI over a host interface"
    assert redfish_service(tables(host_interface(name=b"a b;c"))) == {"host_name": "", "port": 443}
    cut = dmi.Structure(42, host_interface()[4:60], ())
    assert list(protocols(cut.data)) == []


@given(st.binary(max_size=255))
def test_any_host_interface_is_read_without_harm(data: bytes) -> None:
    said = redfish_service([dmi.Structure(42, data, ())])
    assert said is None or set(said) == {"host_name", "port"}
    bmc.described([dmi.Structure(38, data, ())])


@given(st.text(max_size=300))
def test_any_answer_is_read_without_harm(text: str) -> None:
    said = bmc.parse_lan(text)
    assert said["address"] == bmc.usable(said["address"]) or said["address"] == ""


class Programs:
    """Stands in for ``run``: what each call says, and what was called."""

    def __init__(self, channels: dict[str, str | AgentError]) -> None:
        self.channels, self.called = channels, list[list[str]]()

    def __call__(self, argv: list[str], **more: object) -> str:
        self.called.append(argv)
        said = self.channels.get(argv[-1], "Invalid channel\n") if argv[0] == "ipmitool" else ""
        if isinstance(said, AgentError):
            raise said
        return said


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A controller that can be asked."""
    node = tmp_path / "ipmi0"
    node.touch()
    monkeypatch.setattr(bmc, "DEVICES", (node,))
    return node


@pytest.mark.usefixtures("device")
def test_the_first_channel_with_an_address_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs({"1": SIMULATOR, "3": DELL})
    monkeypatch.setattr(bmc, "run", programs)
    found = bmc.read_bmc(tables(IPMI), [])
    assert found is not None
    assert (found["kind"], found["address"], found["vlan"]) == ("ipmi", "10.20.0.31", 104)
    assert ["modprobe", "-q", "ipmi_devintf"] in programs.called, "no bus loads this one"
    assert programs.called[-1][-1] == "3"


@pytest.mark.usefixtures("device")
def test_a_controller_that_hangs_is_noted_and_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bmc, "run", Programs({"1": AgentError("ipmitool: no end after 20 s")}))
    notes: list[str] = []
    found = bmc.read_bmc(tables(IPMI, host_interface()), notes)
    assert found is not None
    assert (found["kind"], found["address"]) == ("redfish", "")
    assert notes == ["bmc: ipmitool: no end after 20 s"]


def test_a_controller_without_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bmc, "DEVICES", (tmp_path / "none",))
    monkeypatch.setattr(bmc, "APPEARS_SECONDS", 0.0)
    monkeypatch.setattr(bmc, "run", Programs({}))
    notes: list[str] = []
    assert bmc.read_bmc(tables(), notes) is None
    assert notes == []
    assert bmc.read_bmc(tables(IPMI), notes) is not None
    assert len(notes) == 1


def test_the_border_takes_it() -> None:
    """What the agent sends is what the daemon reads."""
    found = bmc.described(tables(IPMI, host_interface()))
    checked(json.loads(json.dumps({"disks": [], "nics": [], "cpu": {}, "memory": {}, "system": {}, "bmc": found})))

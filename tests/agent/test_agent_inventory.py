"""The parsers of the inventory, with what computers of several makers say."""

import json
import struct
from pathlib import Path

import pytest

from appliance.agent.disk.listing import parse_lsblk, read_by_path
from appliance.agent.errors import AgentError
from appliance.agent.inventory import cpu, dmi, firmware, memory, nics, pci
from appliance.agent.inventory.collect import attempt
from appliance.agent.inventory.disks import parse_smart


def structure(kind: int, fields: bytes, *strings: str) -> bytes:
    """An SMBIOS structure from its bytes after the header."""
    text = b"".join(string.encode() + b"\0" for string in strings)
    return struct.pack("<BBH", kind, 4 + len(fields), kind * 16) + fields + (text or b"\0") + b"\0"


UUID = bytes.fromhex("33221100554477668899aabbccddeeff")
SYSTEM = structure(1, bytes([1, 2, 3, 4]) + UUID + bytes([6, 5, 0]), "Acme", " R740 ", "1.0", "SN\x01123", "SKU=1")
BIOS = structure(0, bytes([1, 2]) + b"\x00\xe0" + bytes([3]) + bytes(12), "Phoenix", "2.7", "01/02/2021")
BOARD = structure(2, bytes([1, 2, 0, 3]), "Acme", "0X1", "BSN")
CHASSIS = structure(3, bytes([1, 0x17 | 0x80, 0, 2, 3]), "Acme", "CSN", "TAG")
END = structure(127, b"")


def module(size: int, extended: int = 0, kind: int = 0x1A, speed: int = 3200, configured: int = 2933) -> bytes:
    """A memory device (type 17) of SMBIOS 2.8, with the offsets of DSP0134 counted from the header."""
    body = bytearray(0x28 - 4)
    struct.pack_into("<H", body, 0x0C - 4, size)
    body[0x10 - 4] = 1
    body[0x12 - 4] = kind
    struct.pack_into("<H", body, 0x15 - 4, speed)
    body[0x17 - 4], body[0x18 - 4], body[0x1A - 4] = 2, 3, 4
    struct.pack_into("<I", body, 0x1C - 4, extended)
    struct.pack_into("<H", body, 0x20 - 4, configured)
    return structure(17, bytes(body), "DIMM A1", "Samsung", "S1", "M393-X")


class TestDmi:
    def test_sections(self) -> None:
        said = dmi.sections(list(dmi.parse(BIOS + SYSTEM + BOARD + CHASSIS + END)))
        assert said["system"] == {
            "manufacturer": "Acme",
            "product": "R740",
            "version": "1.0",
            "serial": "SN?123",
            "uuid": "00112233-4455-6677-8899-aabbccddeeff",
            "sku": "SKU=1",
        }
        assert said["bios"] == {"vendor": "Phoenix", "version": "2.7", "date": "01/02/2021"}
        assert said["board"] == {"manufacturer": "Acme", "product": "0X1", "version": "", "serial": "BSN"}
        assert said["chassis"] == {"type": "rack mount", "serial": "CSN", "asset_tag": "TAG"}

    def test_nothing(self) -> None:
        assert dmi.sections([]) == {"system": {}, "board": {}, "bios": {}, "chassis": {}}

    def test_an_old_structure_is_short(self) -> None:
        """SMBIOS 2.0 has no UUID; the serial number is the last field."""
        said = dmi.sections(list(dmi.parse(structure(1, bytes([1, 2, 3, 4]), "A", "B", "C", "D"))))
        assert said["system"]["serial"] == "D"
        assert said["system"]["uuid"] == ""

    def test_a_string_number_that_leads_nowhere(self) -> None:
        said = dmi.sections(list(dmi.parse(structure(2, bytes([1, 9, 0, 200]), "Acme"))))
        assert said["board"]["serial"] == ""

    def test_a_table_that_is_cut_off_keeps_what_is_whole(self) -> None:
        whole = BIOS + SYSTEM
        for end in range(len(whole)):
            kinds = [found.type for found in dmi.parse(whole[:end])]
            assert kinds == ([0] if end >= len(BIOS) else [])
        assert list(dmi.parse(b"\x01\x00\x00\x00\0\0")) == []

    @pytest.mark.parametrize("raw", [bytes(16), b"\xff" * 16, b"short"])
    def test_no_uuid(self, raw: bytes) -> None:
        assert dmi.uuid_of(raw) is None

    def test_memory_modules(self) -> None:
        table = module(16384) + module(0) + module(0xFFFF) + module(0x7FFF, 65536, 0x22)
        table += module(0x8400, configured=0)
        modules = dmi.memory_modules(list(dmi.parse(table)))
        assert [(each["bytes"], each["type"], each["speed_mhz"]) for each in modules] == [
            (16 << 30, "DDR4", 2933),
            (64 << 30, "DDR5", 2933),
            (1 << 20, "DDR4", 3200),
        ]
        assert modules[0]["locator"] == "DIMM A1"
        assert modules[0]["part"] == "M393-X"
        assert memory.read_memory(list(dmi.parse(table)))["bytes"] == (80 << 30) + (1 << 20)

    def test_memory_without_modules_is_what_the_kernel_has(self) -> None:
        assert memory.total("MemTotal:        2014500 kB\nMemFree: 1 kB\n") == 2014500 * 1024


CPUINFO = """processor\t: {n}
model name\t: AMD EPYC 7302P 16-Core Processor
cpu MHz\t\t: {mhz}
physical id\t: {socket}
core id\t\t: {core}
flags\t\t: fpu vmx sse
"""


class TestCpu:
    def test_two_sockets_two_cores_two_threads(self) -> None:
        places = [(socket, core) for socket in (0, 1) for core in (0, 4) for _ in (0, 1)]
        text = "\n".join(
            CPUINFO.format(n=n, mhz=1500 + n, socket=socket, core=core) for n, (socket, core) in enumerate(places)
        )
        said = cpu.parse(text)
        assert (said["sockets"], said["cores"], said["threads"]) == (2, 4, 8)
        assert said["mhz"] == 1507
        assert said["flags"] == ["fpu", "sse", "vmx"]

    def test_a_virtual_machine_without_ids(self) -> None:
        said = cpu.parse("processor\t: 0\nmodel name\t: QEMU\n\nprocessor\t: 1\nmodel name\t: QEMU\n")
        assert (said["sockets"], said["cores"], said["threads"], said["mhz"]) == (1, 2, 2, None)

    def test_arm64(self) -> None:
        text = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU part\t: 0xd0c\n\n"
        assert cpu.parse(text)["flags"] == ["asimd", "fp"]


LSBLK = {
    "blockdevices": [
        {"name": "sda", "path": "/dev/sda", "type": "disk", "model": "ST4000NM   ", "serial": "ZC1", "wwn": "0x5000c5",
         "size": 4000787030016, "log-sec": 512, "phy-sec": 4096, "rota": True, "tran": "sas", "ro": False},
        {"name": "nvme0n1", "path": "/dev/nvme0n1", "type": "disk", "model": "P4510", "serial": "PHL", "wwn": "eui.1",
         "size": 1000, "log-sec": 4096, "phy-sec": 4096, "rota": False, "tran": "nvme", "ro": False},
        {"name": "vda", "type": "disk", "size": "2000", "rota": "1", "ro": "0"},
        {"name": "vdb", "type": "disk", "size": 2000},
        {"name": "sdc", "type": "disk", "model": "Card Reader", "size": 0},
        {"name": "sr0", "type": "rom", "size": 500}, {"name": "loop0", "type": "loop", "size": 500},
        {"name": "zram0", "type": "disk", "size": 500}, {"name": "mmcblk0boot0", "type": "disk", "size": 500},
        {"name": "mmcblk0", "type": "disk", "serial": "0xabc", "size": 500},
        {"name": "md0", "type": "raid1", "size": 5},
    ]
}  # fmt: skip


class TestDisks:
    def test_only_disks_with_something_in_them(self) -> None:
        disks = parse_lsblk(json.dumps(LSBLK), {"vda": "/dev/disk/by-path/pci-0000:00:05.0"})
        assert [disk.name for disk in disks] == ["sda", "nvme0n1", "vda", "vdb", "mmcblk0"]
        sda, nvme, vda, vdb, mmc = disks
        assert (sda.model, sda.rotational, sda.transport, sda.sector_size) == ("ST4000NM", True, "sas", 512)
        assert nvme.sector_size == 4096
        assert vda.serial == "path:/dev/disk/by-path/pci-0000:00:05.0"
        assert (vda.transport, vda.rotational, vda.read_only) == ("virtio", True, False)
        assert vdb.serial == "", "without any name it cannot be chosen"
        assert mmc.transport == "mmc"

    def test_the_shortest_name_by_path(self, tmp_path: Path) -> None:
        for name in ("virtio-pci-0000:00:05.0", "pci-0000:00:05.0"):
            (tmp_path / name).symlink_to("../../vda")
        assert read_by_path(tmp_path) == {"vda": str(tmp_path / "pci-0000:00:05.0")}
        assert read_by_path(tmp_path / "none") == {}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{"smart_status": {"passed": true}}', "passed"),
            ('{"smart_status": {"passed": false}}', "failed"),
            ('{"smartctl": {"exit_status": 2}}', None),
            ("", None),
        ],
    )
    def test_smart(self, text: str, said: str | None) -> None:
        assert parse_smart(text) == said


class TestOthers:
    def test_lspci(self) -> None:
        text = (
            "Slot:\t0000:03:00.0\nClass:\tEthernet controller [0200]\nVendor:\tIntel Corporation [8086]\n"
            "Device:\tI210 [Gigabit] Network Connection [1533]\nSVendor:\tx [1]\nDriver:\tigb\nModule:\tigb\n\n"
            "Slot:\t0000:04:00.0\nClass:\t[ff00]\nVendor:\t[1de5]\nDevice:\t[2000]\n\n"
        )
        first, second = pci.parse_lspci(text)
        assert first == {
            "slot": "0000:03:00.0",
            "class": "Ethernet controller",
            "vendor": "Intel Corporation",
            "device": "I210 [Gigabit] Network Connection",
            "vendor_id": "8086",
            "device_id": "1533",
            "driver": "igb",
        }
        assert (second["vendor"], second["vendor_id"], second["driver"]) == ("", "1de5", "")

    def test_secure_boot(self) -> None:
        assert firmware.secure_boot(b"\x06\0\0\0\x01")
        assert not firmware.secure_boot(b"\x06\0\0\0\0")
        assert not firmware.secure_boot(b"")

    def test_pci_slot_of_a_virtio_card(self) -> None:
        assert nics.pci_slot("/sys/devices/pci0000:00/0000:00:1c.0/0000:00:03.0/virtio0") == "0000:00:03.0"
        assert nics.pci_slot("/sys/devices/platform/eth") == ""

    def test_a_card_in_sysfs(self, tmp_path: Path) -> None:
        device = tmp_path / "devices/pci0000:00/0000:00:03.0"
        driver = tmp_path / "drivers/igb"
        card = tmp_path / "net/eth0"
        for directory in (device, driver, card):
            directory.mkdir(parents=True)
        (device / "driver").symlink_to(driver)
        (card / "device").symlink_to(device)
        for name, text in (("address", "52:54:00:00:00:01\n"), ("speed", "-1\n"), ("carrier", "1\n")):
            (card / name).write_text(text)
        assert nics.read_nic(card, ["10.0.0.1/24"]) == {
            "name": "eth0",
            "mac": "52:54:00:00:00:01",
            "driver": "igb",
            "speed_mbps": None,
            "link": True,
            "pci": "0000:00:03.0",
            "addresses": ["10.0.0.1/24"],
        }

    def test_addresses(self) -> None:
        text = '[{"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]}, {"ifname": "e"}]'
        assert nics.parse_addresses(text) == {"lo": ["127.0.0.1/8"], "e": []}

    def test_what_cannot_be_read_leaves_a_note(self) -> None:
        def fail() -> None:
            raise AgentError("lspci: not there")

        notes: list[str] = []
        assert attempt("pci", fail, notes) is None
        assert attempt("cpu", lambda: {}["x"], notes) is None
        assert notes == ["pci: lspci: not there", "cpu: KeyError: 'x'"]

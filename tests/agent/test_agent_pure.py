"""The agent's other decisions without a computer: command line, disks' content, boot configuration, firmware."""

import http.client
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from appliance.agent import commandline, efi_entry, network, screen
from appliance.agent.bootconfig import bls, extlinux, grub
from appliance.agent.disk import content, free, marker
from appliance.agent.disk.content import NOTHING, Found, Signature
from appliance.agent.disk.erase import Agreement, must_be_agreed
from appliance.agent.disk.model import Disk
from appliance.agent.disk.table import ESP, Partition, Table, number_of, parse_sfdisk
from appliance.agent.errors import AgentError, StepFailed
from appliance.agent.image.decompress import from_chunks
from appliance.agent.image.download import total_size
from appliance.agent.image.writer import HEAD, is_zeros, pieces
from appliance.agent.job import Params
from appliance.agent.pauses import growing
from appliance.agent.run import ProgramFailed, run

LINE = (
    "BOOT_IMAGE=vmlinuz qrm.server=http://10.77.0.1 qrm.control=https://10.77.0.1:443/ qrm.token=ab12 "
    f"qrm.nonce=n1 qrm.ca={'AB' * 32} qrm.mac=52:54:00:AA:00:01 console=tty0 console=ttyS0,115200n8\n"
)


class TestCommandLine:
    def test_all_of_it(self) -> None:
        boot = commandline.parse(LINE)
        assert boot.server == "http://10.77.0.1"
        assert boot.control == "https://10.77.0.1:443"
        assert boot.ca == "ab" * 32
        assert boot.mac == "52:54:00:aa:00:01"

    def test_bootif_stands_in(self) -> None:
        line = LINE.replace("qrm.mac=52:54:00:AA:00:01", "BOOTIF=01-52-54-00-aa-00-02")
        assert commandline.parse(line).mac == "52:54:00:aa:00:02"

    @pytest.mark.parametrize("key", ["qrm.server", "qrm.control", "qrm.ca", "qrm.token", "qrm.nonce"])
    def test_what_is_missing_is_named(self, key: str) -> None:
        with pytest.raises(AgentError, match=key):
            commandline.parse(LINE.replace(key, "other"))

    @pytest.mark.parametrize("wrong", ["qrm.server=https://x", "qrm.control=http://x", "qrm.ca=1234"])
    def test_what_is_wrong_is_named(self, wrong: str) -> None:
        with pytest.raises(AgentError, match=wrong.partition("=")[0]):
            commandline.parse(f"{LINE} {wrong}")

    def test_an_open_quote_hides_nothing(self) -> None:
        assert commandline.parse(f'{LINE.strip()} note="open').token == "ab12"

    @pytest.mark.parametrize("text", ["", "eth0", "52:54:00:aa:00", "52:54:00:aa:00:0g", "52:54:00:aa:00:01:02:03"])
    def test_no_mac(self, text: str) -> None:
        assert commandline.mac_of(text) is None


DISK = Disk("sda", Path("/dev/sda"), "", "ACME", "S1", "", 1 << 30, 512, 512, False, "sata", False)
TABLE = Table("gpt", "GUID-1", (Partition(1, 1 << 20, 1 << 20, ESP, "p1", "EFI"), Partition(2, 2 << 20, 1 << 20)))
BLANK = Found(None, (), (), bytes(1 << 20), bytes(1 << 20))


class TestContent:
    def test_empty(self) -> None:
        assert BLANK.empty
        assert content.summary(BLANK) == "empty"

    @pytest.mark.parametrize(
        "change",
        [
            {"head": bytes(4095) + b"x"},
            {"tail": b"x" + bytes(4095)},
            {"table": Table("gpt", "", ())},
            {"whole": (Signature("ext4"),)},
        ],
    )
    def test_anything_at_all_is_not_empty(self, change: dict[str, object]) -> None:
        assert not replace(BLANK, **change).empty
        assert content.fingerprint(DISK, replace(BLANK, **change)) != content.fingerprint(DISK, BLANK)

    def test_words(self) -> None:
        inside = (Signature("vfat", "ESP"), Signature("LVM2_member"))
        found = replace(BLANK, table=TABLE, inside=inside)
        assert content.summary(found) == "GPT with FAT 'ESP', LVM physical volume"
        assert content.summary(replace(BLANK, whole=(Signature("linux_raid_member", "nas:0"),))) == (
            "member of a Linux array 'nas:0'"
        )
        assert content.summary(replace(BLANK, head=b"x")) == "unknown data"
        assert content.summary(replace(BLANK, table=TABLE, inside=(NOTHING, NOTHING))) == (
            "GPT with 2 partitions of unknown data"
        )

    def test_the_same_content_has_the_same_fingerprint(self) -> None:
        found = replace(BLANK, table=TABLE, inside=(NOTHING, Signature("ext4", "root", "u1")))
        assert content.fingerprint(DISK, found) == content.fingerprint(DISK, found)
        other = replace(found, inside=(NOTHING, Signature("ext4", "root", "u2")))
        assert content.fingerprint(DISK, found) != content.fingerprint(DISK, other)

    def test_what_may_be_erased(self) -> None:
        found = replace(BLANK, head=b"x")
        agreed = content.fingerprint(DISK, found)
        must_be_agreed(DISK, found, Agreement(agreed), "a1")
        must_be_agreed(DISK, found, Agreement("", owned=True), "a1")
        must_be_agreed(DISK, BLANK, Agreement("other"), "a1")
        must_be_agreed(DISK, replace(found, attempt="a1"), Agreement("other"), "a1")
        for wrong, attempt in (("", None), ("other", None), ("other", "a2")):
            with pytest.raises(StepFailed):
                must_be_agreed(DISK, replace(found, attempt=attempt), Agreement(wrong), "a1")

    def test_wipefs_leaves_tables_to_sfdisk(self) -> None:
        text = (
            '{"signatures": [{"type": "gpt"}, {"type": "PMBR"}, {"type": "LVM2_member", "uuid": "u", "label": null}]}'
        )
        assert content.parse_wipefs(text) == (Signature("LVM2_member", "", "u"),)
        assert content.parse_wipefs("") == ()

    def test_blkid(self) -> None:
        text = "DEVNAME=/dev/sda\nLABEL=my\\ root\nUUID=u1\nTYPE=ext4\nUSAGE=filesystem\n"
        assert content.parse_blkid(text) == Signature("ext4", "my root", "u1", "filesystem")
        assert content.parse_blkid("") == NOTHING

    def test_marker(self) -> None:
        assert marker.decode(marker.encode("a1")) == "a1"
        assert len(marker.encode("a1")) == 512
        for sector in (bytes(512), b"x" * 512, marker.encode("a1")[:-1] + b"\xaa", marker.encode("a b")):
            assert marker.decode(sector) is None


class TestTables:
    def test_sfdisk(self) -> None:
        text = """{"partitiontable": {"label": "dos", "id": "0x1", "device": "/dev/nvme0n1", "unit": "sectors",
          "sectorsize": 4096, "partitions": [{"node": "/dev/nvme0n1p1", "start": 256, "size": 512, "type": "ef"},
          {"node": "/dev/nvme0n1p5", "start": 1024, "size": 1, "type": "83"}]}}"""
        table = parse_sfdisk(text)
        assert table
        assert table.partitions[0] == Partition(1, 256 * 4096, 512 * 4096, "ef")
        assert table.partitions[0].is_esp
        assert table.partitions[1].number == 5
        assert parse_sfdisk("") is None

    @pytest.mark.parametrize(("node", "number"), [("/dev/sda12", 12), ("disk.img1", 1), ("/dev/loop0", 0)])
    def test_numbers(self, node: str, number: int) -> None:
        assert number_of(node) == number


class TestHolders:
    def test_who_holds_a_disk(self, tmp_path: Path) -> None:
        for path in ("sda/sda1/partition", "sda/holders/x", "sda1/holders/md0", "md0/holders/dm-0"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        (tmp_path / "sda/holders/x").unlink()
        names = free.parts_of(tmp_path, "sda")
        assert names == {"sda", "sda1"}
        assert free.holders_of(tmp_path, names) == {"md0", "dm-0"}

    def test_volume_groups(self) -> None:
        pairs = (("/dev/sda1", "vg0"), ("/dev/sdb", "b"), ("/dev/sda2", ""))
        text = json.dumps({"report": [{"pv": [{"pv_name": device, "vg_name": group} for device, group in pairs]}]})
        assert free.volume_groups(text, {"sda", "sda1", "sda2"}) == {"vg0"}

    def test_swaps(self) -> None:
        text = "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n/swapfile file 1 0 -3\n"
        assert free.swaps(text, {"sda2"}) == {"/dev/sda2"}


DEBIAN_GRUB = r"""
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
else
   set default="0"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
fi
function load_video {
  if [ x$feature_all_video_module = xy ]; then insmod all_video; fi
}
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-1' {
	load_video
	search --no-floppy --fs-uuid --set=root 1111
	echo	'Loading Linux 6.12 ...'
	linux	/boot/vmlinuz-6.12 root=UUID=1111 ro  quiet "dyndbg=file x +p"
	initrd	/boot/microcode.img /boot/initrd.img-6.12
}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'Debian, with Linux 6.1' --id 'gnulinux-6.1' {
		linux	/boot/vmlinuz-6.1 root=UUID=1111 ro single
		initrd	/boot/initrd.img-6.1
	}
}
menuentry 'Memory test' { linux16 /boot/memtest.bin }
"""


class TestGrub:
    def test_debian(self) -> None:
        entry = grub.default_entry(DEBIAN_GRUB, {})
        assert entry
        assert entry.linux == "/boot/vmlinuz-6.12"
        assert entry.initrds == ("/boot/microcode.img", "/boot/initrd.img-6.12")
        assert entry.cmdline == "root=UUID=1111 ro quiet dyndbg=file x +p"

    @pytest.mark.parametrize("default", ["1>0", "gnulinux-advanced-1>gnulinux-6.1", "Advanced options>0", "1"])
    def test_a_default_in_a_submenu(self, default: str) -> None:
        text = DEBIAN_GRUB.replace('set default="0"', f'set default="{default}"')
        entry = grub.default_entry(text, {})
        assert entry
        assert entry.linux == "/boot/vmlinuz-6.1"

    def test_a_saved_default(self) -> None:
        text = DEBIAN_GRUB.replace('set default="0"', 'set default="${saved_entry}"')
        environment = grub.parse_grubenv("# GRUB Environment Block\nsaved_entry=gnulinux-advanced-1>gnulinux-6.1\n###")
        entry = grub.default_entry(text, environment)
        assert entry
        assert entry.linux == "/boot/vmlinuz-6.1"
        fallen_back = grub.default_entry(text, {})
        assert fallen_back
        assert fallen_back.linux == "/boot/vmlinuz-6.12"

    def test_a_default_that_is_not_there(self) -> None:
        entry = grub.default_entry(DEBIAN_GRUB.replace('set default="0"', "set default=99"), {})
        assert entry
        assert entry.linux == "/boot/vmlinuz-6.12"

    def test_variables_and_devices(self) -> None:
        text = "set kernelopts='root=/dev/x ro'\nmenuentry a {\n linuxefi ($root)/vmlinuz $kernelopts ${none}\n}\n"
        entry = grub.default_entry(text, {})
        assert entry
        assert (entry.linux, entry.cmdline) == ("/vmlinuz", "root=/dev/x ro")

    @pytest.mark.parametrize(
        "text", ["", "configfile /x", "menuentry 'Windows' {\n chainloader +1\n}", "}}}{{{", "menuentry"]
    )
    def test_no_linux(self, text: str) -> None:
        assert grub.default_entry(text, {}) is None

    def test_words(self) -> None:
        assert grub.words(r"""linux 'a b'"c \"d"e\ f # note""") == ["linux", 'a bc "de f']


class TestBls:
    def test_newest_and_not_rescue(self) -> None:
        texts = {"m-6.9.1": "a", "m-6.10.0": "b", "m-0-rescue-99": "c"}
        entries = {name: bls.parse(f"title {title}\nlinux /{title}\n", {}) for name, title in texts.items()}
        assert bls.newest(entries).title == "b"
        assert bls.newest(entries, "m-6.9.1.conf").title == "a"
        assert bls.newest({}) is None

    def test_several_initrds_and_options(self) -> None:
        entry = bls.parse("# x\nlinux /k\ninitrd /u\ninitrd /i\noptions a=b\noptions c\n", {})
        assert entry
        assert (entry.initrds, entry.cmdline) == (("/u", "/i"), "a=b c")
        assert bls.parse("title x\nefi /x.efi\n", {}) is None


class TestExtlinux:
    def test_default(self) -> None:
        text = "DEFAULT two\nLABEL one\n  KERNEL /one\nLABEL two\n  MENU LABEL x\n  LINUX /two\n"
        text += "  APPEND initrd=/i root=/dev/x\n"
        entry = extlinux.default_entry(text)
        assert entry
        assert (entry.linux, entry.initrds, entry.cmdline) == ("/two", ("/i",), "root=/dev/x")
        assert extlinux.default_entry("say hello") is None


EFIBOOTMGR = (
    "BootCurrent: 0003\nTimeout: 0 seconds\nBootOrder: 0000,0001,0003,0002\n"
    "Boot0000* UiApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21)\n"
    "Boot0001* UEFI QEMU HARDDISK\tPciRoot(0x0)/Pci(0x1,0x1)/Ata(0,0,0)N.....YM\n"
    "Boot0003* UEFI PXEv4 (MAC:525400000001)\tPciRoot(0x0)/Pci(0x2,0x0)/MAC(525400000001,1)/IPv4(0.0.0.0,0,0)N.....YM\n"
    "Boot0002* qrm disk\tHD(1,GPT,aa,0x800,0x800)/File(\\EFI\\BOOT\\BOOTX64.EFI)\n"
)


class TestFirmware:
    def test_network_first_then_the_disk(self) -> None:
        menu = efi_entry.parse(EFIBOOTMGR)
        assert menu.network == {"0003"}
        assert menu.labels["0002"] == "qrm disk"
        assert efi_entry.new_order(menu, "0002") == ("0003", "0002", "0000", "0001")

    def test_nothing(self) -> None:
        assert efi_entry.parse("EFI variables are not supported on this system.\n").network == frozenset()


class TestNetwork:
    def test_the_card_that_booted(self) -> None:
        macs = {"eth0": "52:54:00:00:00:01", "eth1": "52:54:00:00:00:02"}
        assert network.choose("52:54:00:00:00:02", macs) == "eth1"
        assert network.choose(None, macs) == "eth0"
        with pytest.raises(AgentError, match="eth0 52:54:00:00:00:01, eth1"):
            network.choose("52:54:00:00:00:03", macs)
        with pytest.raises(AgentError, match="no network card"):
            network.choose("52:54:00:00:00:03", {})

    def test_addresses(self) -> None:
        text = '[{"addr_info": [{"scope": "link", "local": "169.254.1.1"}, {"scope": "global", "local": "10.0.0.5"}]}]'
        assert network.first_address(text) == "10.0.0.5"
        assert network.first_address("[]") is None


class TestScreen:
    def test_consoles(self) -> None:
        assert screen.console_devices("tty0 ttyS0\n") == [Path("/dev/tty1"), Path("/dev/ttyS0")]

    def test_hostile_text_is_cleaned(self) -> None:
        assert screen.clean("a\x1b[2Jb\nc\x07") == "a?[2Jb?c?"

    def test_a_serial_line_gets_only_what_is_new_and_no_escapes(self, tmp_path: Path) -> None:
        serial, tty = tmp_path / "ttyS0", tmp_path / "tty1"
        serial.touch()
        tty.touch()
        shown = screen.Screen([serial, tty])
        shown.show(name="node-1", state="idle")
        shown.show(state="idle")
        shown.trouble(AgentError("no link on eth0", "check the cable"))
        shown.well()
        assert serial.read_text().splitlines() == [
            "qrm: machine:   node-1",
            "qrm: state:     idle",
            "qrm: problem:   no link on eth0",
            "qrm: to do:     check the cable",
        ]
        assert tty.read_text().startswith("\x1b[2J")

    def test_standard_output_when_there_is_no_console(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        screen.Screen([tmp_path / "none"]).show(state="idle")
        assert "qrm: state:     idle" in capsys.readouterr().out


class TestSmallThings:
    def test_pauses_grow(self) -> None:
        assert list(islice(growing(), 7)) == [1, 2, 4, 8, 16, 30, 30]

    def test_programs_say_what_went_wrong(self) -> None:
        with pytest.raises(ProgramFailed, match="no-such-program: not there"):
            run(["no-such-program"])
        with pytest.raises(ProgramFailed, match="exit code 3: out of cheese"):
            run(["sh", "-c", "echo out of cheese >&2; exit 3"])
        with pytest.raises(ProgramFailed, match=r"no end after 0\.05 s"):
            run(["sleep", "5"], timeout=0.05)

    @pytest.mark.parametrize(
        ("chunks", "made"),
        [([b"abc", b"", b"defgh", b"i"], [b"abcd", b"efgh", b"i"]), ([b"abcdefgh"], [b"abcd", b"efgh"]), ([], [])],
    )
    def test_pieces(self, chunks: list[bytes], made: list[bytes]) -> None:
        assert [bytes(piece) for piece in pieces(from_chunks(iter(chunks)), 4)] == made

    def test_a_piece_stays_while_the_next_one_comes(self) -> None:
        found = pieces(from_chunks(iter([b"abcd", b"efgh"])), 4)
        first, second = next(found), next(found)
        assert (bytes(first), bytes(second)) == (b"abcd", b"efgh")

    @pytest.mark.parametrize("at", [0, 4095, 4096, HEAD - 1])
    def test_zeros(self, at: int) -> None:
        part = bytearray(HEAD)
        assert is_zeros(memoryview(part))
        assert is_zeros(memoryview(part)[:7])
        part[at] = 1
        assert not is_zeros(memoryview(part))

    @pytest.mark.parametrize(
        ("status", "name", "value", "size"),
        [
            (200, "Content-Length", "10", 10),
            (206, "Content-Range", "bytes 5-9/10", 10),
            (206, "Content-Range", "bytes 5-9/*", None),
            (416, "Content-Range", "bytes */10", 10),
            (200, "X", "1", None),
        ],
    )
    def test_total_size(self, status: int, name: str, value: str, size: int | None) -> None:
        headers = http.client.HTTPMessage()
        headers[name] = value
        assert total_size(status, headers) == size

    def test_params(self) -> None:
        params = Params({"text": "x", "n": 5, "inner": {"a": 1}, "list": ["a"], "null": None})
        assert params.text("text") == "x"
        assert params.text("null", "d") == "d"
        assert params.integer("n") == 5
        assert params.texts("list") == ["a"]
        assert params.texts("null") == []
        for read in (
            lambda: params.text("n"),
            lambda: params.integer("text"),
            lambda: params.texts("n"),
            lambda: params.inner("text"),
            lambda: params.inner("inner").text("a"),
            lambda: Params({"n": True}).integer("n"),
            lambda: Params({"n": -1}).integer("n"),
        ):
            with pytest.raises(StepFailed):
                read()

"""What disks say of themselves, and what is sent to them, as bytes of the specifications; and any other bytes."""

import struct
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wipe_disks import a_disk, identify_words, nvme_controller, nvme_list, nvme_namespace, sanitize_status

from appliance.agent.wipe import ata, nvme
from appliance.agent.wipe.drive import language, read_limits
from appliance.agent.wipe.methods import QueueLimits
from appliance.agent.wipe.readback import DIGEST, PLACE, digests, is_zero, places, same_sector, witness

COMMON = {"w82": 1 << 1, "w83": 0x4000 | 1 << 10}


class TestIdentifyDevice:
    @pytest.mark.parametrize(
        ("bit", "name"),
        [(1, "enabled"), (2, "locked"), (3, "frozen"), (4, "expired"), (5, "enhanced")],
    )
    def test_each_bit_of_word_128_means_one_thing(self, bit, name):
        states = ("enabled", "locked", "frozen", "expired", "enhanced")
        found = ata.decode_identity(identify_words(**COMMON, w128=1 | 1 << bit)).security
        assert [each for each in states if getattr(found, each)] == [name]

    def test_security_that_is_not_supported_is_nothing_at_all(self):
        for words in ({"w83": 0x4000}, {**COMMON, "w128": 0x3E}, {"w82": 2, "w83": 0x8000}):
            found = ata.decode_identity(identify_words(**{"w128": 0x3F, **words})).security
            assert not any((found.supported, found.enabled, found.locked, found.frozen, found.enhanced))

    @pytest.mark.parametrize(
        ("word", "minutes"), [(0, None), (1, 2), (0xFE, 508), (0x8000 | 300, 600), (0x8000, None), (0x0101, 2)]
    )
    def test_the_time_of_an_erase_has_two_forms(self, word, minutes):
        found = ata.decode_identity(identify_words(**COMMON, w89=word, w90=word)).security
        assert (found.erase_minutes, found.enhanced_minutes) == (minutes, minutes)

    def test_the_size_is_the_large_one_where_there_is_one(self):
        large = ata.decode_identity(identify_words(w83=0x4400, w60=1, w100=0x5678, w101=0x1234, w102=1))
        small = ata.decode_identity(identify_words(w60=0x5678, w61=0x1234, w100=9))
        assert (large.sectors, small.sectors) == (0x1_1234_5678, 0x1234_5678)

    def test_what_can_hide_sectors(self):
        found = ata.decode_identity(identify_words(w82=1 << 10, w83=0x4000 | 1 << 10 | 1 << 11, w119=0x4100))
        assert (found.host_area, found.accessible, found.overlay) == (True, True, True)
        assert ata.decode_configuration(struct.pack("<7H", 0, 0, 0, 0xFFFF, 1, 0, 0).ljust(512, b"\0")) == 0x20000

    def test_damaged_or_foreign_answers_are_none(self):
        good = identify_words(**COMMON)
        for data, words in (
            (good[:511], "511 bytes"),
            (good[:300] + b"\x01" + good[301:], "checksum"),
            (identify_words(w0=0x8580), "ATAPI"),
        ):
            with pytest.raises(ValueError, match=words):
                ata.decode_identity(data)

    @given(st.binary(min_size=512, max_size=600))
    def test_any_bytes_are_an_identity_or_none(self, data):
        try:
            found = ata.decode_identity(data)
        except ValueError:
            return
        security = found.security
        assert security.supported or not any((security.enabled, security.locked, security.frozen, security.enhanced))
        assert 0 <= found.sectors < 1 << 64
        assert security.erase_minutes is None or 0 < security.erase_minutes <= 65534


class TestAtaCommands:
    def test_identify_asks_for_one_sector(self):
        assert ata.identify().cdb().hex(" ") == "85 08 0e 00 00 00 01 00 00 00 00 00 00 00 ec 00"

    def test_a_password_goes_out_with_one_sector(self):
        command = ata.erase_unit(enhanced=True, seconds=99)
        assert command.cdb().hex(" ") == "85 0a 06 00 00 00 01 00 00 00 00 00 00 00 f4 00"
        assert (len(command.send), command.seconds) == (512, 99)
        assert command.send[:2] + command.send[2:10] == b"\x02\0qrm-wipe"
        assert not any(command.send[10:])
        assert ata.set_password().send[:2] == b"\0\0", "the user's password, at level high"

    def test_what_has_no_data_asks_for_the_registers_where_it_needs_them(self):
        assert ata.erase_prepare().cdb().hex(" ") == "85 06 00 00 00 00 00 00 00 00 00 00 00 00 f3 00"
        assert ata.native_max().cdb().hex(" ") == "85 07 20 00 00 00 00 00 00 00 00 00 00 40 27 00"

    def test_the_registers_come_back_in_sense_data(self):
        fields = "09 0c 01 00 00 00 44 11 55 22 66 33 40 50"
        sense = bytes.fromhex("72 01 00 1d 00 00 00 0e") + bytes.fromhex(fields)
        assert ata.decode_registers(sense).lba == 0x665544332211
        with pytest.raises(ValueError, match="did not come back"):
            ata.decode_registers(b"\x70" + sense[1:])

    @given(st.binary(max_size=64))
    def test_any_sense_data_is_registers_or_none(self, sense):
        with suppress(ValueError):
            assert 0 <= ata.decode_registers(sense).lba < 1 << 48


class TestIdentifyController:
    @pytest.mark.parametrize(
        ("given_bits", "name"),
        [
            ({"oacs": 1 << 1}, "formats"),
            ({"oacs": 1 << 3}, "manages_namespaces"),
            ({"fna": 1 << 1}, "erases_all_namespaces"),
            ({"fna": 1 << 2}, "crypto_format"),
            ({"sanicap": 1 << 0}, "sanitize_crypto"),
            ({"sanicap": 1 << 1}, "sanitize_block"),
        ],
    )
    def test_each_bit_means_one_thing(self, given_bits, name):
        found = nvme.decode_controller(nvme_controller(**given_bits))
        assert [each for each in found.__dataclass_fields__ if getattr(found, each)] == [name]

    @given(st.binary(min_size=4000, max_size=4096))
    def test_any_bytes_are_read_or_refused(self, data):
        for decode in (nvme.decode_controller, nvme.decode_namespace, nvme.decode_list, nvme.decode_sanitize):
            try:
                decode(data)
            except ValueError:
                assert len(data) < 4096 or decode in (nvme.decode_namespace, nvme.decode_sanitize)

    def test_a_namespace_and_its_layout(self):
        found = nvme.decode_namespace(nvme_namespace(1000, flbas=0b0101_0010, dps=0b1010))
        assert found == nvme.Namespace(1000, 0b10_0010, True, 2, True)
        with pytest.raises(ValueError, match="not active"):
            nvme.decode_namespace(nvme_namespace(0))

    def test_a_list_ends_with_nothing(self):
        assert tuple(nvme.decode_list(nvme_list(1, 2, 7))) == (1, 2, 7)
        assert len(nvme.decode_list(b"\x01\0\0\0" * 1024)) == 1024

    def test_the_sanitize_log(self):
        found = nvme.decode_sanitize(sanitize_status(2, 0x8000, block=3600))
        assert found == nvme.Sanitize(nvme.SanitizeState.GOES_ON, 0.5, 3600, None)
        with pytest.raises(ValueError, match="5 is not a valid"):
            nvme.decode_sanitize(sanitize_status(5))


class TestAdminCommands:
    def test_a_log_is_asked_for_in_double_words(self):
        command = nvme.sanitize_log()
        assert (command.opcode, command.nsid, command.cdw10) == (0x02, 0xFFFFFFFF, 127 << 16 | 0x81)

    def test_a_sanitize_can_be_left_when_it_fails(self):
        assert nvme.sanitize(nvme.SanitizeAction.BLOCK_ERASE).cdw10 == 0b1010
        assert nvme.sanitize(nvme.SanitizeAction.CRYPTO_ERASE).cdw10 == 0b1100
        assert nvme.sanitize(nvme.SanitizeAction.EXIT_FAILURE).cdw10 == 0b0001

    def test_a_format_says_the_layout_again(self):
        layout = nvme.Namespace(1000, 0b10_0010, True, 2, True)
        command = nvme.format_nvm(3, layout, nvme.FormatErase.CRYPTO, 60)
        assert (command.opcode, command.nsid) == (0x80, 3)
        assert command.cdw10 == 0b10_010_1_010_1_0010


class TestWhoseCommands:
    @pytest.mark.parametrize(
        ("name", "transport", "files", "speaks"),
        [
            ("sda", "sata", {"vendor": "ATA     \n"}, "ata"),
            ("sda", "sas", {"vendor": "ATA     \n"}, "ata"),
            ("sda", "usb", {"vendor": "ATA     \n"}, ""),
            ("sda", "sas", {"vendor": "SEAGATE \n"}, ""),
            ("vda", "virtio", {}, ""),
            ("nvme0n1", "nvme", {"transport": "pcie\n"}, "nvme"),
            ("nvme0n1", "nvme", {"nvme0/transport": "pcie\n", "nvme1/transport": "tcp\n"}, ""),
            ("nvme0n1", "nvme", {"transport": "rdma\n"}, ""),
            ("nvme0n1", "nvme", {}, ""),
        ],
    )
    def test_only_who_answers_for_the_disk_itself(self, tmp_path: Path, name, transport, files, speaks):
        device = tmp_path / name / "device"
        for file, text in files.items():
            (device / file).parent.mkdir(parents=True, exist_ok=True)
            (device / file).write_text(text)
        assert language(tmp_path, a_disk(name, transport)) == speaks

    def test_limits_that_the_kernel_does_not_know_are_none(self, tmp_path: Path):
        (tmp_path / "discard_max_bytes").write_text("4096\n")
        assert read_limits(tmp_path) == QueueLimits(4096, 0)


class TestWhereToLook:
    @given(st.integers(min_value=1, max_value=1 << 35), st.text(max_size=40))
    def test_both_ends_are_looked_at_and_no_place_twice(self, sectors, seed):
        size = sectors * 512
        spread = places(size, seed)
        assert spread[0][0] == 0
        assert sum(spread[-1]) == size
        assert all(0 < length <= PLACE for _, length in spread)
        assert all(sum(one) <= other[0] for one, other in pairwise(spread))
        assert spread == places(size, seed)

    def test_a_seed_decides_where(self):
        size = 1 << 40
        assert len(places(size, "a")) > 2000
        assert len(set(places(size, "a")) & set(places(size, "b"))) < 400

    def test_a_sector_of_one_byte_says_nothing(self):
        blank = digests(bytes(512) + b"\xff" * 512)
        assert same_sector(blank, blank) is None
        one = digests(witness("a", 0, 512) + witness("a", 512, 512))
        assert same_sector(one, one[:DIGEST] + blank[:DIGEST]) == 0
        assert same_sector(one, blank[:DIGEST] + one[DIGEST:]) == 1

    @given(st.binary(max_size=5000))
    def test_zero_is_nothing_else(self, data):
        assert is_zero(data) == (not any(data))

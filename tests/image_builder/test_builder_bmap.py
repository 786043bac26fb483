"""Block maps: what is covered, and that the checksums are those that a reader computes."""

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path

from builder import appliance_disk, bmap


def test_extents_become_whole_blocks_joined_where_they_meet() -> None:
    assert bmap.spans([(0, 4096), (4096, 1), (20000, 10), (8192, 4096)]) == [(0, 2), (4, 4)]


def test_a_reader_finds_every_checksum_right(tmp_path: Path) -> None:
    raw, root = tmp_path / "disk.raw", 3 * 4096
    size = appliance_disk.TOTAL * 512
    with raw.open("wb") as file:
        file.truncate(size)
        file.seek(appliance_disk.ROOT_AT * 512 + 4096)
        file.write(b"root")
        file.seek(size - 512)
        file.write(b"EFI PART")
    text = appliance_disk.mapped(raw, root)
    map_ = ET.fromstring(text)
    own = map_.findtext("BmapFileChecksum", "").strip()
    assert hashlib.sha256(text.replace(own, "0" * 64).encode()).hexdigest() == own
    assert int(map_.findtext("ImageSize", "")) == size
    covered = 0
    for one in map_.iter("Range"):
        first, _, last = (one.text or "").strip().partition("-")
        with raw.open("rb") as file:
            file.seek(int(first) * 4096)
            data = file.read((int(last or first) - int(first) + 1) * 4096)
        assert hashlib.sha256(data).hexdigest() == one.get("chksum")
        covered += len(data) // 4096
    assert covered == int(map_.findtext("MappedBlocksCount", ""))


def test_zeros_of_the_root_are_written_and_the_end_of_its_slot_is_not(tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    with raw.open("wb") as file:
        file.truncate(appliance_disk.TOTAL * 512)
    ranges = [one.text or "" for one in ET.fromstring(appliance_disk.mapped(raw, 8192)).iter("Range")]
    first, tail = ([int(word) for word in one.strip().split("-")] for one in ranges)
    assert first == [0, appliance_disk.ROOT_AT // 8 + 1]
    assert tail[1] == appliance_disk.TOTAL // 8 - 1

"""Identifiers of a disk are exchanged such that a power cut at any byte leaves a table that the kernel takes."""

import subprocess
import uuid
from dataclasses import replace

import pytest
from installer_world import MIB, make_stick, program

from appliance.errors import ApplianceError
from appliance.installer import gpt
from appliance.installer.identity import renew


@pytest.fixture
def stick(tmp_path):
    return make_stick(tmp_path / "stick.raw")


def identifiers(path):
    table = gpt.read(path.read_bytes()[: gpt.HEAD], 512)
    return [table.disk, *(each.identifier for each in table.parts)]


def serial(path, part):
    """Of a FAT file system, as blkid(8) reads it."""
    offset = next(each.start for each in gpt.read(path.read_bytes()[: gpt.HEAD], 512).parts if each.name == part)
    return subprocess.run(
        ["blkid", "--probe", "--offset", str(offset), "--match-tag", "UUID", "--output", "value", path],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def test_everything_has_another_name_and_is_where_it_was(stick):
    before, ids, fat = program("sfdisk", "--dump", stick), identifiers(stick), serial(stick, "esp")
    content = stick.read_bytes()
    renew(str(stick), 512)
    assert not set(identifiers(stick)) & set(ids)
    assert len(set(identifiers(stick))) == len(ids)
    assert serial(stick, "esp") != fat
    after = program("sfdisk", "--dump", stick)
    assert [line.partition("uuid=")[0] for line in before.splitlines() if "start=" in line] == [
        line.partition("uuid=")[0] for line in after.splitlines() if "start=" in line
    ]
    assert "No problems found" in program("sgdisk", "--verify", stick)
    assert program("mdir", "-b", "-i", f"{stick}@@{2 * MIB}", "::/qrm").strip() == "::/qrm/grubenv"
    root = slice(7 * MIB, 15 * MIB)
    assert stick.read_bytes()[root] == content[root], "the file system of a slot stays as it was signed"


def test_the_image_has_no_copy_of_its_table_at_the_disks_end(stick, tmp_path):
    """The image is flashed onto a larger disk: its second table is somewhere in the middle, or damaged."""
    with stick.open("r+b") as file:
        file.truncate(64 * MIB)
    renew(str(stick), 512)
    one = program("sfdisk", "--dump", stick)
    with stick.open("r+b") as file:
        file.seek(16 * MIB)
        file.write(bytes(48 * MIB))
    renew(str(stick), 512)
    assert program("sfdisk", "--dump", stick) != one


def cuts(writes):
    """Every moment at which the power may go: before, within and after each write; a sector is written whole."""
    for count, (at, content) in enumerate(writes):
        whole = writes[:count]
        yield whole
        for part in range(512, len(content), 512):
            yield [*whole, (at, content[:part])]
    yield writes


def written(head, writes):
    disk = bytearray(head)
    for at, content in writes:
        disk[at : at + len(content)] = content
    return bytes(disk)


def test_a_power_cut_leaves_the_old_table_or_the_new_one(stick):
    head = stick.read_bytes()[: 80 * 512]
    now = gpt.read(head, 512)
    new = now.renewed(uuid.uuid4)
    seen = set()
    for done in cuts(gpt.exchange(now, new)):
        left = gpt.read(written(head, done), 512)
        assert (left.disk, left.entries) in ((now.disk, now.entries), (new.disk, new.entries))
        seen.add((left.disk, left.at))
        again = left.renewed(uuid.uuid4)  # the next start goes on from there
        for finished in cuts(gpt.exchange(left, again)):
            gpt.read(written(written(head, done), finished), 512)
        end = gpt.read(written(written(head, done), gpt.exchange(left, again)), 512)
        assert (end.disk, end.entries, end.at) == (again.disk, again.entries, 2)
    assert seen == {(now.disk, 2), (new.disk, 34), (new.disk, 2)}


def test_a_table_that_is_not_right_is_left_alone(stick):
    with stick.open("r+b") as file:
        file.seek(1024 + 20)
        file.write(b"X")
    before = stick.read_bytes()
    with pytest.raises(ApplianceError, match="entries are not right"):
        renew(str(stick), 512)
    assert stick.read_bytes() == before
    for head in (b"", bytes(4096), before[:512] + b"EFI PART" + bytes(gpt.HEAD)):
        with pytest.raises(ApplianceError, match="cannot be used"):
            gpt.read(head, 512)


def test_partitions_without_room_before_them_are_left_alone(stick):
    now = gpt.read(stick.read_bytes()[: gpt.HEAD], 512)
    near = bytearray(now.entries)
    near[32:40] = (40).to_bytes(8, "little")
    early = replace(now, entries=bytes(near))
    with pytest.raises(ApplianceError, match="begin too early"):
        gpt.exchange(early, early.renewed(uuid.uuid4))


@pytest.mark.parametrize("options", [("-F", "12"), ("-F", "16"), ("-F", "32")])
def test_every_kind_of_fat_has_another_serial(tmp_path, options):
    path = tmp_path / "fat.img"
    program("mkfs.vfat", *options, "-i", "12345678", "-C", str(path), "40000" if options[1] != "12" else "4000")
    content = bytearray(path.read_bytes())
    writes = gpt.serial(bytes(content[:512]), 0, lambda: uuid.UUID(bytes=b"\x01\x02\x03\x04" * 4))
    assert len(writes) == (2 if options[1] == "32" else 1)
    assert all(len(each) == 512 for _, each in writes)
    path.write_bytes(written(bytes(content), writes))
    assert program("blkid", "--match-tag", "UUID", "--output", "value", "--probe", str(path)).strip() == "0403-0201"
    program("fsck.vfat", "-n", str(path))


def test_what_is_no_fat_is_left_alone():
    assert gpt.serial(bytes(512), 0, uuid.uuid4) == []
    assert gpt.serial(b"short", 0, uuid.uuid4) == []

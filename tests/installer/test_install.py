"""The appliance copied onto a disk: files stand for stick and disk, all programs are the real ones."""

import os
import re

import pytest
from installer_world import GIB, MIB, content, make_disk, make_stick, program, table_of

from appliance.errors import ApplianceError
from appliance.installer import act
from appliance.installer.act import Cancelled, install, read_layout
from appliance.installer.plan import MARK, environment_block, needed_bytes


def always():
    return True


def unheard(part, doing):
    """For tests that do not care how far it is."""


@pytest.fixture(scope="module")
def stick(tmp_path_factory):
    return make_stick(tmp_path_factory.mktemp("stick") / "stick")


@pytest.fixture(scope="module")
def heard():
    return []


@pytest.fixture(scope="module")
def disk(stick, heard, tmp_path_factory):
    """One that the stick was installed onto."""
    made = make_disk(tmp_path_factory.mktemp("disk") / "disk")
    install(stick, "A", made, lambda part, doing: heard.append((part, doing)), always)
    return made


def test_the_disk_gets_what_is_on_the_stick_at_the_same_places(stick, disk):
    old, new = table_of(stick)["partitions"], table_of(disk.path)["partitions"]
    assert [each["name"] for each in new] == ["bios", "esp", "seed", "root-a"]
    for before, after in zip(old, new, strict=True):
        same = ("start", "size", "type", "name", "attrs")
        assert [after.get(key) for key in same] == [before.get(key) for key in same]
        if before["name"] != "esp":
            assert content(stick, before) == content(disk.path, after), before["name"]
    with open(stick, "rb") as source, open(disk.path, "rb") as target:
        assert source.read(440) == target.read(440), "GRUB's first sector names the place of the rest"
    assert "No problems found" in program("sgdisk", "--verify", disk.path)


def test_no_guid_is_that_of_the_stick(stick, disk):
    guids = [
        {table["id"], *(each["uuid"] for each in table["partitions"])} for table in map(table_of, (stick, disk.path))
    ]
    assert [len(each) for each in guids] == [5, 5]
    assert not guids[0] & guids[1]


def test_the_disk_knows_nothing_of_what_the_stick_was(disk, tmp_path):
    esp = table_of(disk.path)["partitions"][1]["start"] * 512
    program("mcopy", "-i", f"{disk.path}@@{esp}", "::/qrm/grubenv", str(tmp_path / "found"))
    found = (tmp_path / "found").read_bytes()
    assert len(found) == 1024
    assert b"machine_id" not in found
    assert re.findall(rb"^(\w+)=(.*)$", found, re.MULTILINE)[:3] == [
        (b"ORDER", b"A B"),
        (b"A_OK", b"1"),
        (b"A_TRY", b"0"),
    ]


def test_marks_at_both_ends_are_gone(disk):
    with open(disk.path, "rb") as file:
        file.seek(disk.size - MIB)
        assert b"mark of an array" not in file.read()


def test_slot_b_that_runs_becomes_slot_a(tmp_path):
    stick, disk = make_stick(tmp_path / "stick", root_b=True), make_disk(tmp_path / "disk")
    install(stick, "B", disk, unheard, always)
    old, new = table_of(stick)["partitions"], table_of(disk.path)["partitions"]
    assert [each["name"] for each in new] == ["bios", "esp", "seed", "root-a"]
    assert content(disk.path, new[3]) == content(stick, old[4])


def test_of_a_slot_only_its_file_system_is_copied(tmp_path):
    """A quarter of a slot as a rule: a stick is slow, and all is read back."""
    stick, disk = make_stick(tmp_path / "stick"), make_disk(tmp_path / "disk")
    root = table_of(stick)["partitions"][3]
    made = tmp_path / "root"
    program("mkfs.ext4", "-q", str(made), "2048")
    with stick.open("r+b") as file:
        file.seek(root["start"] * 512)
        file.write(made.read_bytes())
    heard = []
    install(stick, "A", disk, lambda part, doing: heard.append(doing), always)
    copied = content(disk.path, table_of(disk.path)["partitions"][3])
    assert copied[: 2 * MIB] == made.read_bytes()
    assert not any(copied[2 * MIB :]), "nothing was on the disk there, and nothing came"
    assert heard[-1] == "done"
    assert "copying root-a: 2 of 2 MiB" in heard


def test_progress_grows_to_one(disk, heard):
    parts = [part for part, _ in heard]
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert any(doing.startswith("reading root-a back") for _, doing in heard)


@pytest.mark.parametrize("after", [1, 5, 8])
def test_what_is_stopped_does_not_boot(stick, tmp_path, after):
    disk, calls = make_disk(tmp_path / "disk"), []
    with pytest.raises(Cancelled, match="no partition table"):
        install(stick, "A", disk, unheard, lambda: calls.append(1) or len(calls) < after)
    with open(disk.path, "rb") as file:
        first = file.read(512)
    assert first.startswith(MARK)
    assert first[510:] != b"\x55\xaa"
    with pytest.raises(ApplianceError):
        read_layout(disk.path)


def test_a_disk_that_gives_back_something_else_does_not_boot(stick, tmp_path, monkeypatch):
    disk, write_all = make_disk(tmp_path / "disk"), act._write_all

    def bad(descriptor, written, offset):
        write_all(descriptor, written, offset)
        if offset == 7 * MIB:  # root-a
            os.pwrite(descriptor, bytes([written[100] ^ 1]), offset + 100)

    monkeypatch.setattr(act, "_write_all", bad)
    with pytest.raises(ApplianceError, match="something else") as raised:
        install(stick, "A", disk, unheard, always)
    assert raised.value.code == "install-failed"
    with pytest.raises(ApplianceError):
        read_layout(disk.path)


def test_an_error_of_the_disk_says_which_disk(stick, tmp_path, monkeypatch):
    disk = make_disk(tmp_path / "disk")

    def broken(descriptor, written, offset):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(act, "_write_all", broken)
    with pytest.raises(ApplianceError, match=r"SN-1.*Input/output error"):
        install(stick, "A", disk, unheard, always)


def test_a_disk_that_is_too_small_is_left_alone(stick, tmp_path):
    least = needed_bytes(read_layout(stick))
    disk = make_disk(tmp_path / "disk", least - 512)
    with pytest.raises(ApplianceError, match="too small"):
        install(stick, "A", disk, unheard, always)
    with open(disk.path, "rb") as file:
        assert file.read(13) == b"old boot code"


def test_a_refused_disk_is_left_alone(stick, tmp_path):
    disk = make_disk(tmp_path / "disk", refused="it is in use: mounted at /home")
    with pytest.raises(ApplianceError, match="mounted at /home"):
        install(stick, "A", disk, unheard, always)
    with open(disk.path, "rb") as file:
        assert file.read(13) == b"old boot code"


def test_a_stick_without_our_partitions_is_no_source(tmp_path):
    disk = make_disk(tmp_path / "disk")
    program("sgdisk", "--new=1:2048:4095", disk.path)
    with pytest.raises(ApplianceError, match="no partition root-a"):
        install(tmp_path / "disk", "A", make_disk(tmp_path / "other", 5 * GIB), unheard, always)


def test_grub_reads_the_environment(tmp_path):
    (tmp_path / "env").write_bytes(environment_block({"ORDER": "A B", "A_OK": "1"}))
    assert program("grub-editenv", str(tmp_path / "env"), "list") == "ORDER=A B\nA_OK=1\n"

"""A first start gives the disk identifiers of its own, and of two copies the one that was started is taken."""

import json
import shutil

import pytest
from installer_world import make_stick, program

from appliance.errors import ApplianceError
from appliance.installer import identity

PART = "11111111-2222-3333-4444-555555555555"


def tree(*disks):
    """lsblk's, of (path, has a root of this name, WWN)."""
    children = {True: [{"path": "x", "partuuid": None}, {"path": "y", "partuuid": PART.upper()}], False: []}
    return json.dumps(
        {"blockdevices": [{"path": path, "wwn": wwn, "children": children[has]} for path, has, wwn in disks]}
    )


@pytest.mark.parametrize(
    ("counted", "started"),
    [
        ({"/dev/sda": 0}, "/dev/sda"),
        ({"/dev/sda": 1}, "/dev/sda"),
        ({"/dev/sda": 1, "/dev/sdb": 0}, "/dev/sda"),
        ({"/dev/sda": 0, "/dev/sdb": 2}, "/dev/sdb"),
        ({"/dev/sda": 1, "/dev/sdb": 1}, None),
        ({"/dev/sda": 0, "/dev/sdb": 0}, None),
        ({"/dev/sda": 1, "/dev/sdb": 0, "/dev/sdc": 3}, None),
    ],
)
def test_the_disk_that_grub_counted_a_start_on_is_meant(counted, started):
    listed = tree(*((disk, True, None) for disk in counted), ("/dev/sdz", False, None))
    found = identity.alike(listed, "/dev/sda", PART, counted.__getitem__)
    assert found.counted == counted
    assert found.started == started
    assert found.may_be_another is (counted == {"/dev/sda": 0})


def test_another_way_to_the_same_disk_is_no_other_disk():
    listed = tree(("/dev/sda", True, "0x5000"), ("/dev/sdb", True, "0x5000"), ("/dev/sdc", True, "0x6000"))
    assert set(identity.alike(listed, "/dev/sda", PART, lambda _: 1).counted) == {"/dev/sda", "/dev/sdc"}


def test_what_grub_counted_is_read_from_the_disk(tmp_path):
    stick = make_stick(tmp_path / "stick.raw")
    assert identity.counted_on(str(stick), 512) == 2
    assert identity.counted_on(str(tmp_path / "none"), 512) == 0
    stick.write_bytes(bytes(1 << 20))
    assert identity.counted_on(str(stick), 512) == 0


class Box:
    """Two disks that are files; root was found on the first one."""

    def __init__(self, path, monkeypatch):
        self.own, self.other = (str(path / name) for name in ("own.raw", "other.raw"))
        make_stick(path / "own.raw")
        shutil.copy(self.own, self.other)
        self.disks, self.counted, self.looks = [self.own, self.other], {self.own: 1, self.other: 0}, 0
        self.before = self.names()
        monkeypatch.setattr(identity, "_own_disk", lambda: (self.own, 512))
        monkeypatch.setattr(identity, "_root_word", lambda: PART)
        monkeypatch.setattr(identity, "counted_on", lambda disk, _sector: self.counted[disk])
        monkeypatch.setattr(identity.command, "run", self.listed)
        monkeypatch.setattr(identity, "TROUBLE", path / "run/start-problem")
        monkeypatch.setattr(identity, "LATE_SECONDS", 0.0)
        monkeypatch.setattr(identity, "LOOK_SECONDS", 0.0)

    def listed(self, argv):
        assert argv[0] == "lsblk"
        self.looks += 1
        self.look()
        return tree(*((disk, True, None) for disk in self.disks))

    def look(self):
        """Something else, where a test wants it."""

    def names(self):
        return [identity.table_of(each, 512).disk for each in (self.own, self.other)]

    def changed(self):
        return [a != b for a, b in zip(self.names(), self.before, strict=True)]


@pytest.fixture
def box(tmp_path, monkeypatch):
    return Box(tmp_path, monkeypatch)


def test_a_first_start_gives_the_disk_names_of_its_own(box):
    box.disks = [box.own]
    assert identity.main() == 0
    assert box.changed() == [True, False]


def test_a_later_start_leaves_them(box):
    box.disks = [box.own]
    program("sgdisk", "--new=9:0:+1M", "--change-name=9:state", box.own)
    box.before = box.names()
    assert identity.main() == 0
    assert box.changed() == [False, False]


def test_of_two_copies_the_one_that_was_started_gets_them(box):
    assert identity.main() == 0
    assert box.changed() == [True, False]


def test_where_root_was_found_on_the_other_one_the_computer_starts_again(box):
    box.counted = {box.own: 0, box.other: 1}
    assert identity.main() == identity.RESTART
    assert box.changed() == [False, True], "the wrong disk is not touched"


def test_the_disk_that_was_started_may_come_up_late(box, monkeypatch):
    monkeypatch.setattr(identity, "LATE_SECONDS", 60.0)
    box.counted, both = {box.own: 0, box.other: 1}, box.disks
    box.disks = [box.own]
    box.look = lambda: setattr(box, "disks", both if box.looks >= 3 else [box.own])
    assert identity.main() == identity.RESTART
    assert box.changed() == [False, True]


@pytest.mark.parametrize("count", [0, 1])
def test_where_nobody_can_tell_a_person_is_asked_and_nothing_is_touched(box, count, capsys):
    box.counted = {box.own: count, box.other: count}

    def look():
        if box.looks == 3:
            raise ApplianceError("program-failed", "lsblk: no")
        if box.looks >= 5:
            assert "take all but one out" in identity.TROUBLE.read_text()
            box.disks = [box.own]

    box.look = look
    assert identity.main() == identity.RESTART
    assert box.changed() == [False, False]
    assert "Take all but one out" in capsys.readouterr().out


def test_a_disk_that_takes_no_names_is_not_gone_on_with_beside_its_copy(box, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(identity, "renew", refuse)
    box.look = lambda: setattr(box, "disks", [box.own] if box.looks > 4 else box.disks)
    assert identity.main() == identity.RESTART
    box.disks = [box.own]
    assert identity._main() == 1, "alone, it is as good with those of the image"


def test_a_damaged_table_is_said_and_left(box):
    with open(box.own, "r+b") as file:
        file.seek(512)
        file.write(bytes(512))
    with pytest.raises(ApplianceError, match="cannot be used"):
        identity.table_of(box.own, 512)
    assert identity._main() == 1

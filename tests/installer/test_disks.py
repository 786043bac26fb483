"""Which disks are offered, what is said to be on them, and why one is refused."""

import json

import pytest

from appliance.errors import ApplianceError
from appliance.installer.disks import Disk, Needs, parse, size_words
from appliance.installer.plan import STATE_LEAST, Layout, Partition, make_plan, needed_bytes, parse_sfdisk

GIB = 1 << 30
NEEDS = Needs(10 * GIB, 512, {"/dev/sda"})


def device(name, **more):
    kind = "part" if name[-1].isdigit() else "disk"
    plain = {
        "name": name,
        "path": f"/dev/{name}",
        "type": kind,
        "size": 500 * 10**9,
        "log-sec": 512,
        "mountpoints": [None],
    }
    return plain | more


def disks(*devices, needs=NEEDS):
    return parse(json.dumps({"blockdevices": devices}), needs)


def only(*devices, needs=NEEDS):
    (found,) = disks(*devices, needs=needs)
    return found


def test_a_disk_is_told_by_model_serial_and_size():
    found = only(device("sdb", model="Samsung SSD 870", serial="S5Y1", tran="sata"))
    assert str(found) == "Samsung SSD 870, serial S5Y1, 500.0 GB"
    assert (found.identifier, found.holds, found.refused) == ("S5Y1", (), "")


def test_what_is_on_it_is_said_down_to_its_volumes():
    volume = device("vg-root", path="/dev/mapper/vg-root", type="lvm", size=20 * 10**9, fstype="ext4", label="data")
    found = only(
        device("sdb", pttype="gpt", children=[
            device("sdb1", size=537 * 10**6, fstype="vfat", label="EFI"),
            device("sdb2", size=100 * 10**9, fstype="LVM2_member", children=[volume]),
            device("sdb3", size=10**9, parttypename="Microsoft basic data"),
        ])
    )  # fmt: skip
    assert found.holds == (
        "sdb1: 537.0 MB, FAT 'EFI'",
        "sdb2: 100.0 GB, LVM physical volume",
        "  vg-root: 20.0 GB, ext4 'data'",
        "sdb3: 1.0 GB, Microsoft basic data",
    )
    assert found.refused == "it is in use: lvm vg-root is open on it"


def test_a_table_without_partitions_and_a_file_system_on_the_whole_disk_are_content():
    assert only(device("sdb", pttype="dos")).holds == ("MBR without partitions",)
    assert only(device("sdb", fstype="xfs", label="x")).holds == ("xfs 'x'",)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (device("sda"), "the appliance runs from it"),
        (device("sdb", children=[device("sdb1", mountpoints=["/srv"])]), "mounted at /srv"),
        (device("sdb", mountpoints=["[SWAP]"]), "mounted at [SWAP]"),
        (device("sdb", ro=True), "write-protected"),
        (device("sdb", **{"log-sec": 4096}), "4096 bytes"),
        (device("sdb", size=10 * GIB - 1), "too small: at least 10.7 GB"),
    ],
)
def test_why_a_disk_is_refused(found, reason):
    assert reason in only(found).refused


def test_the_disk_that_is_large_enough_to_the_byte_is_not_refused():
    assert not only(device("sdb", size=10 * GIB)).refused


def test_what_is_no_disk_is_not_shown():
    nothing = [
        device("loop0", type="loop"), device("sr0", type="rom"), device("mmcblk0boot0", type="disk"),
        device("sdc", size=0), device("zram0", type="disk"),
    ]  # fmt: skip
    assert disks(*nothing) == ()


def test_disks_that_can_be_used_come_first():
    assert [each.path for each in disks(device("sda"), device("sdc"), device("sdb"))] == [
        "/dev/sdb",
        "/dev/sdc",
        "/dev/sda",
    ]


def test_labels_do_not_steer_a_terminal():
    found = only(device("sdb", model="a\x1b[2Jb", children=[device("sdb1", label="x\u202ey\nz")]))
    assert "\x1b" not in found.model
    assert found.holds[0].isprintable()


def test_without_serial_number_the_wwn_is_typed_else_the_name():
    assert only(device("sdb", wwn="0x5002")).identifier == "0x5002"
    assert only(device("nvme0n1", type="disk")).identifier == "nvme0n1"


def test_sizes_are_those_of_labels():
    assert [size_words(each) for each in (2 * 10**12, 500107862016, 65 * 10**6, 4000)] == [
        "2.0 TB", "500.1 GB", "65.0 MB", "4 kB",
    ]  # fmt: skip


# -- the plan

ROOT = Partition(4, 82 << 20, 4 << 30, "0FC6", "root-a", (63,))
LAYOUT = Layout(
    512,
    (
        Partition(1, 1 << 20, 1 << 20, "BIOS", "bios"),
        Partition(2, 2 << 20, 64 << 20, "ESP", "esp"),
        Partition(3, 66 << 20, 16 << 20, "FAT", "seed"),
        ROOT,
    ),
)


def disk(size=500 * 10**9, refused=""):
    return Disk("/dev/sdb", "m", "s", "", size, 512, "sata", (), refused)


def test_the_disk_needs_room_for_two_slots_and_state():
    assert needed_bytes(LAYOUT) == ROOT.end + ROOT.size + STATE_LEAST + (1 << 20)


def test_the_table_says_start_end_type_name_and_bits():
    table = make_plan(LAYOUT, "A", disk()).table
    assert "--clear" in table
    assert [each for each in table if "=4:" in each] == [
        "--new=4:167936:8556543", "--typecode=4:0FC6", "--change-name=4:root-a", "--attributes=4:set:63",
    ]  # fmt: skip


def test_a_running_slot_b_that_is_missing_is_said():
    with pytest.raises(ApplianceError, match="no partition root-b"):
        make_plan(LAYOUT, "B", disk())


@pytest.mark.parametrize("node", ["/dev/sdb4", "/dev/nvme0n1p4", "/tmp/image4"])
def test_numbers_of_partitions_are_read_from_their_devices(node):
    entry = {"node": node, "start": 2048, "size": 8, "type": "x", "attrs": "RequiredPartition GUID:59,63"}
    (found,) = parse_sfdisk(json.dumps({"partitiontable": {"label": "gpt", "partitions": [entry]}})).partitions
    assert found == Partition(4, 1 << 20, 4096, "X", "", (0, 59, 63))


def test_an_mbr_is_no_source():
    with pytest.raises(ApplianceError, match="no GPT"):
        parse_sfdisk(json.dumps({"partitiontable": {"label": "dos", "partitions": []}}))

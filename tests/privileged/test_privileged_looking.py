"""The areas disks, journal and reset: what programs say becomes values, what is not ours is refused."""

import json
from pathlib import Path

import pytest
from paper_computer import computer, quiet

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.privileged import disks, free_disks, hardware, journal, reset
from appliance.privileged.verb import Done
from appliance.privileged.verbs.disks import Identify, List, ReadSmart
from appliance.privileged.verbs.hardware import Clock, Hardware, Look, Memory, Temperature
from appliance.privileged.verbs.journal import KERNEL, Lines
from appliance.privileged.verbs.reset import Factory
from appliance.updates.grubenv import SIZE, parse, render

LSBLK = json.dumps(
    {
        "blockdevices": [
            {"name": "loop0", "type": "loop", "size": 4096},
            {"name": "zram0", "type": "disk", "size": 1 << 30},
            {"name": "sr0", "type": "rom", "size": 1 << 20},
            {
                "name": "sda", "type": "disk", "size": 4_000_787_030_016, "model": "WDC WD40\x1b[31m", "tran": "sata",
                "serial": "WD-1234", "wwn": "0x50014ee2b5", "rota": True, "rm": False, "pttype": "gpt",
                "children": [
                    {"name": "sda1", "type": "part", "fstype": "vfat", "partlabel": "esp", "mountpoints": [None]},
                    {"name": "sda4", "type": "part", "fstype": "ext4", "partlabel": "root-a", "mountpoints": ["/"],
                     "partuuid": "p-root", "size": 1 << 30},
                ],
            },
            {"name": "nvme0n1", "type": "disk", "size": 1 << 40, "rota": False, "fstype": "LVM2_member", "rm": False},
        ]
    }
)  # fmt: skip
ATA = {
    "smart_status": {"passed": True}, "temperature": {"current": 34}, "power_on_time": {"hours": 41000},
    "ata_smart_attributes": {"table": [
        {"id": 5, "name": "Reallocated_Sector_Ct", "value": 200, "raw": {"value": 3}},
        {"id": 197, "raw": {"value": 1}}, {"id": 198, "raw": {"value": 0x500000002}},
        {"id": 233, "value": 91, "raw": {"value": 0}},
    ]},
}  # fmt: skip
NVME = {
    "smart_status": {"passed": False}, "temperature": {"current": 61}, "power_on_time": {"hours": 9},
    "nvme_smart_health_information_log": {
        "percentage_used": 104, "available_spare": 8, "available_spare_threshold": 10, "media_errors": 2,
    },
}  # fmt: skip


def paper(tmp_path, **answers):
    on, programs = computer(tmp_path, {"lsblk": LSBLK, **answers})
    return on, programs


async def test_disks_are_listed_with_what_is_on_them_and_nothing_that_steers_a_terminal(tmp_path):
    on, _ = paper(tmp_path)
    sda, nvme = await disks.disks(List(), on, quiet)
    assert (sda.name, sda.serial, sda.size, sda.transport) == ("sda", "WD-1234", 4_000_787_030_016, "sata")
    assert sda.model == "WDC WD40?[31m"
    assert sda.holds == ["sda1: vfat 'esp'", "sda4: ext4 'root-a'"]
    assert (sda.own, sda.rotational) == (True, True)
    assert (nvme.own, nvme.rotational, nvme.holds) == (False, False, ["nvme0n1: LVM2_member"])


async def test_partitions_are_listed_by_what_names_them_for_good(tmp_path):
    """What the system has left of its disk is nobody's; what is mounted, and be it in a volume, is in use."""
    volume = {"name": "fast-web", "type": "lvm", "mountpoints": ["/srv/web"], "fstype": "ext4"}
    lsblk = json.loads(LSBLK)
    lsblk["blockdevices"][3]["children"].append(
        {"name": "sda7", "type": "part", "partlabel": "data\x1b", "partuuid": "p-left", "size": 1 << 40,
         "fstype": "LVM2_member", "children": [volume]}
    )  # fmt: skip
    on, _ = paper(tmp_path, lsblk=json.dumps(lsblk))
    left = on.roots.dev / disks.LEFT
    left.parent.mkdir(parents=True)
    left.symlink_to("../../sda7")
    (on.roots.dev / "sda7").touch()
    sda, nvme = await disks.disks(List(), on, quiet)
    assert [(each.name, each.uuid, each.own, each.mounted) for each in sda.partitions] == [
        ("sda1", "", True, ""),
        ("sda4", "p-root", True, "/"),
        ("sda7", "p-left", False, "/srv/web"),
    ]
    assert (sda.partitions[2].size, sda.partitions[2].holds) == (
        1 << 40,
        ["sda7: LVM2_member 'data?'", "fast-web: ext4"],
    )
    assert (sda.mounted, nvme.mounted, nvme.partitions) == ("/", "", [])


def thin(volumes):
    """A disk in a group with a thin pool, as lsblk(8) shows it: each volume below both volumes of the pool."""
    made = [{"name": f"fast-{name}", "type": "lvm", "fstype": kind} for name, kind in volumes]
    pool = [
        {
            "name": f"fast-pool_{part}",
            "type": "lvm",
            "children": [{"name": "fast-pool", "type": "lvm", "children": made}],
        }
        for part in ("tmeta", "tdata")
    ]
    return {"name": "sdb", "type": "disk", "size": 1 << 40, "fstype": "LVM2_member", "children": pool}


async def test_of_thousands_of_volumes_on_a_disk_the_first_are_told_and_the_others_counted(tmp_path):
    volumes = [(f"v{number}", "ext4") for number in range(5000)]
    on, _ = paper(tmp_path, lsblk=json.dumps({"blockdevices": [thin(volumes)]}))
    (found,) = await disks.disks(List(), on, quiet)
    *told, rest = found.holds
    assert told == [
        "sdb: LVM2_member",
        "fast-pool_tmeta: unknown data",
        "fast-pool: unknown data",
        "fast-v0: ext4",
        "fast-v1: ext4",
    ]
    assert rest.startswith("sdb: 4999 more volumes (fingerprint ")
    assert disks.contents(thin(volumes[:1])) == [*told[:-1], "fast-pool_tdata: unknown data"], "each is told once"


def test_what_was_agreed_to_be_lost_is_known_although_it_is_only_counted():
    volumes = [(f"v{number}", "ext4") for number in range(9)]
    agreed = disks.contents(thin(volumes))
    free_disks.check_agreed(thin(volumes), agreed)
    for changed in (volumes[:8], [*volumes[:8], ("new", "ext4")], [*volumes[:8], ("v8", "xfs")]):
        with pytest.raises(Conflict, match="not only what was agreed to be lost"):
            free_disks.check_agreed(thin(changed), agreed)


async def test_a_disk_that_fails_is_heard_although_the_program_fails_then_too(tmp_path):
    on, _ = paper(tmp_path)
    said = json.dumps(NVME, indent=1)

    async def follow(argv, hears, seconds=30.0):
        assert argv[0] == "smartctl"
        for line in said.splitlines():
            hears(line)
        raise ApplianceError("program-failed", "exit code 8")

    found = await disks.smart(ReadSmart("nvme0n1"), type(on)(on.roots, on.run, follow), quiet)
    assert (found.available, found.passed, found.temperature, found.hours) == (True, False, 61, 9)
    assert (found.used, found.spare, found.spare_threshold, found.uncorrectable) == (104, 8, 10, 2)


def test_what_a_disk_of_spinning_rust_says():
    found = disks.parse_smart(ATA)
    assert (found.passed, found.reallocated, found.pending, found.uncorrectable) == (True, 3, 1, 2)
    assert found.used == 9
    assert not disks.parse_smart({}).available
    assert not disks.parse_smart({"smart_support": {"available": False}}).available


@pytest.mark.parametrize("name", ["", "sdb", "../sda", "sda1", "loop0", "sda;reboot"])
async def test_what_is_no_disk_is_not_touched(tmp_path, name):
    on, programs = paper(tmp_path)
    for verb, act in ((ReadSmart(name), disks.smart), (Identify(name), disks.identify)):
        with pytest.raises(NotFound):
            await act(verb, on, quiet)
    assert {each[0] for each in programs.ran} == {"lsblk"}


async def test_a_disk_blinks_by_being_read(tmp_path, monkeypatch):
    on, _ = paper(tmp_path)
    (on.roots.dev / "sda").write_bytes(b"x" * 100)
    monkeypatch.setattr(disks, "BURST_SECONDS", 0.0)
    said = []
    assert await disks.identify(Identify("sda"), on, lambda share, message="": said.append(share)) == Done()
    assert len(said) == disks.BURSTS
    with pytest.raises(ApplianceError) as caught:
        await disks.identify(Identify("nvme0n1"), on, quiet)
    assert caught.value.code == "disk-unreadable"


async def test_the_journal_of_our_units_bounded(tmp_path):
    on, programs = paper(tmp_path, journalctl="\n".join(["x" * 5000, "b", "c"]))
    found = (await journal.lines(Lines("appliance.service", 3), on, quiet)).lines
    assert [len(each) for each in found] == [journal.LONGEST_LINE, 1, 1]
    assert "--unit=appliance.service" in programs.ran[-1]
    await journal.lines(Lines(KERNEL, 3), on, quiet)
    assert "--dmesg" in programs.ran[-1]
    assert not any(word.startswith("--unit") for word in programs.ran[-1])


async def test_of_an_endless_journal_the_end_is_shown(tmp_path):
    on, _ = paper(tmp_path, journalctl="\n".join(f"{number} {'x' * 1990}" for number in range(3000)))
    found = (await journal.lines(Lines("appliance.service", 3000), on, quiet)).lines
    assert found[-1].startswith("2999 ")
    assert sum(map(len, found)) < journal.LARGEST * 1.1


@pytest.mark.parametrize(
    ("unit", "count"),
    [("ssh.service --vacuum", 1), ("", 1), ("cron.service", 1), ("appliance.service", 0), (KERNEL, 10**9)],
)
async def test_other_journals_are_nobody_s_business(tmp_path, unit, count):
    on, programs = paper(tmp_path, journalctl="")
    with pytest.raises(Invalid):
        await journal.lines(Lines(unit, count), on, quiet)
    assert programs.ran == []


def grubenv(on) -> Path:
    path = on.roots.boot / "efi" / "qrm" / "grubenv"
    path.parent.mkdir(parents=True)
    path.write_bytes(render({"ORDER": "B A", "A_OK": "1", "machine_id": "f" * 32}))
    return path


async def test_a_factory_reset_is_a_note_for_the_boot_loader_and_a_restart(tmp_path):
    on, programs = paper(tmp_path, systemctl="")
    path = grubenv(on)
    inode = path.stat().st_ino
    assert await reset.factory(Factory(), on, quiet) == Done()
    assert parse(path.read_bytes()) == {"ORDER": "B A", "A_OK": "1", "machine_id": "f" * 32, "factory_reset": "1"}
    assert (path.stat().st_ino, path.stat().st_size) == (inode, SIZE), "the boot loader knows where it lies"
    assert programs.ran == [["systemctl", "--no-block", "reboot"]]


async def test_notes_that_are_broken_are_written_anew_and_none_at_all_are_an_error(tmp_path):
    on, programs = paper(tmp_path, systemctl="")
    path = grubenv(on)
    path.write_bytes(b"#" * SIZE)
    await reset.factory(Factory(), on, quiet)
    assert parse(path.read_bytes())["factory_reset"] == "1"
    assert parse(path.read_bytes())["ORDER"] == "A B"
    path.unlink()
    programs.ran.clear()
    with pytest.raises(ApplianceError) as caught:
        await reset.factory(Factory(), on, quiet)
    assert caught.value.code == "boot-notes-unwritable"
    assert programs.ran == [], "and it does not restart for nothing"


TRACKING = "C0000201,ntp.lab.test,3,1795200000.5,0.000123,0.0001,0.0002,-12.3,0.001,0.05,0.012,0.0011,64.2,Normal\n"


async def test_what_the_computer_says_of_itself(tmp_path):
    on, _ = paper(tmp_path, chronyc=TRACKING)
    (on.roots.proc / "meminfo").write_text("MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:    8000 kB\n")
    for number, (corrected, uncorrected) in enumerate([("2", "0"), ("3", "1")]):
        controller = on.roots.sys / "devices" / "system" / "edac" / "mc" / f"mc{number}"
        controller.mkdir(parents=True)
        (controller / "ce_count").write_text(corrected)
        (controller / "ue_count").write_text(uncorrected)
    chip = on.roots.sys / "class" / "hwmon" / "hwmon0"
    chip.mkdir(parents=True)
    for name, text in {
        "name": "coretemp\n", "temp1_input": "45000", "temp1_crit": "100000", "temp1_label": "Package id 0\n",
        "temp2_input": "-128000", "temp3_input": "nothing",
    }.items():  # fmt: skip
        (chip / name).write_text(text)
    found = await hardware.look(Look(), on, quiet)
    assert found.memory == Memory(16000 * 1024, 8000 * 1024, 5, 1)
    assert found.temperatures == [Temperature("coretemp Package id 0", 45.0, 100.0)]
    assert found.clock == Clock(True, "ntp.lab.test", 0.000123)


async def test_a_computer_that_says_nothing(tmp_path):
    on, _ = computer(tmp_path)
    assert await hardware.look(Look(), on, quiet) == Hardware(None, [], None)
    assert hardware.parse_tracking("") is None
    assert hardware.parse_tracking(TRACKING.replace("0.000123", "x")) is None
    unset = hardware.parse_tracking(TRACKING.replace("Normal", "Not synchronised"))
    assert unset == Clock(False, "", 0.000123)

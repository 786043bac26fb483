"""Set-up over the real privileged helper, on a computer of paper; and a seed on a real FAT file system."""

import errno
import io
import json
import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from test_seed import HASH, KEY, TWO

from appliance import config
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus
from appliance.privileged.client import Privileged
from appliance.privileged.computer import Computer
from appliance.privileged.network import settle
from appliance.privileged.ssh import KEYS
from appliance.privileged.verbs.data import Prepare
from appliance.privileged.verbs.network import Admit, Status
from appliance.privileged.verbs.ssh import Authorize
from appliance.setup import left, seed_partition
from appliance.setup.apply_seed import WAITS, Places, apply
from appliance.setup.checks import form_complaint
from appliance.setup.hardware import check_disks
from appliance.setup.seed import SeedError, parse
from appliance.setup.steps import SetUpSteps
from appliance.setup.through_helper import HelperAppliance
from appliance.setup.value import Storage
from appliance.store import accounts, subnet_rules
from appliance.store.store import open_store
from appliance.web.passwords import Passwords, default_hasher
from tests.privileged.paper_computer import Answers, Programs, computer, serving

MACS = {"nic0": "52:54:00:aa:00:01", "nic1": "52:54:00:aa:00:02"}
LINKS = json.dumps(
    [
        {"ifname": name, "link_type": "ether", "address": mac, "flags": ["LOWER_UP"], "addr_info": []}
        for name, mac in MACS.items()
    ]
)
DISKS = {
    "blockdevices": [
        {"name": "sda", "type": "disk", "size": 10**11, "serial": "OWN", "mountpoints": [],
         "children": [{"name": "sda5", "type": "part", "mountpoints": ["/state"], "fstype": "ext4"}]},
        {"name": "sdb", "type": "disk", "size": 10**12, "serial": "WD-1", "wwn": "0x1", "mountpoints": [None],
         "children": [{"name": "sdb1", "type": "part", "mountpoints": [], "fstype": "xfs", "label": "old"}]},
        {"name": "sdc", "type": "disk", "size": 10**12, "serial": "S", "wwn": "0x5002538f", "mountpoints": []},
        {"name": "sdd", "type": "disk", "size": 10**12, "serial": "BUSY", "mountpoints": ["/srv"]},
    ]
}  # fmt: skip
SEED = TWO.replace("52:54:00:AA:00:01", MACS["nic0"].upper())


@dataclass
class Flashed:
    """A flashed appliance of paper."""

    on: Computer
    programs: Programs
    helper: Privileged
    appliance: HelperAppliance
    places: Places

    def ran(self, *programs: str) -> list[str]:
        """What they were told to do; to look at LVM's groups is no deed."""
        lines = [" ".join(argv) for argv in self.programs.ran if argv[0] in programs]
        return [each for each in lines if not each.startswith("lvm fullreport")]

    def configuration(self) -> Path:
        return self.on.roots.state / "etc/qrm/appliance.toml"


def reported(*groups: dict[str, Any]) -> Answers:
    """What LVM says."""
    return {"lvm fullreport": json.dumps({"report": groups})}


def group(name: str, *paths: str, tags: str = "") -> dict[str, Any]:
    """A volume group of these disks, as LVM reports it."""
    of = {"vg_uuid": f"uuid-{name}", "vg_name": name, "vg_tags": tags, "vg_size": "9", "vg_free": "9"}
    disks = [{"pv_uuid": f"uuid-{each}", "pv_name": each, "pv_size": "9", "pv_missing": ""} for each in paths]
    return {"vg": [of | {"vg_extent_size": "1", "vg_exported": ""}], "pv": disks, "lv": []}


def answers(members: str = "") -> Answers:
    data = [group("qrm", *members.split())] if members else []
    said: Answers = dict.fromkeys(
        ["systemctl", "networkctl", "hostname", "nft", "udevadm", "wipefs", "vgcreate", "vgextend"], ""
    )
    return (
        said
        | {"ip": LINKS, "lsblk": json.dumps(DISKS), "ip link": "", "chronyc": ""}
        | reported(*data, group("other", "/dev/sdz"))
    )


@asynccontextmanager
async def flashed(directory: Path, said: Answers | None = None) -> AsyncIterator[Flashed]:
    on, programs = computer(directory / "computer", said or answers())
    for name in MACS:
        (on.roots.sys / "class/net" / name / "device").mkdir(parents=True)
    for zone in ("UTC", "Europe/Vienna"):
        place = on.roots.share / "zoneinfo" / zone
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("TZif")
    await settle(on)
    programs.ran.clear()
    places = Places(directory / "kept", directory / "daemon", (-1, -1))
    async with serving(directory, on) as helper:
        yield Flashed(on, programs, helper, HelperAppliance(helper), places)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Flashed]:
    async with flashed(tmp_path) as made:
        yield made


@pytest.fixture
def partition(tmp_path: Path) -> Path:
    """An empty seed partition."""
    path = tmp_path / "seed.img"
    path.write_bytes(b"\0" * (16 << 20))
    subprocess.run(["mformat", "-i", path, "-v", "SEED", "::"], check=True)
    return path


def put(partition: Path, text: str) -> None:
    file = partition.with_name("put.toml")
    file.write_text(text)
    subprocess.run(["mcopy", "-o", "-i", partition, file, "::seed.toml"], check=True)


# -- the computer


async def test_what_the_computer_has(box: Flashed) -> None:
    found = await box.appliance.found()
    assert [(each.name, each.mac, each.link) for each in found.nics] == [(n, m, True) for n, m in MACS.items()]
    disks = {each.name: each for each in found.disks}
    assert disks["sda"].own
    assert "old" in disks["sdb"].content
    assert not disks["sdc"].content
    assert disks["sda"].refused == "the appliance runs from it"
    assert disks["sdd"].refused == "it is mounted on /srv"
    assert not any(disks[each].refused for each in ("sdb", "sdc"))
    assert "Europe/Vienna" in found.zones


NO_NIC = json.dumps([{"ifname": "lo", "link_type": "loopback", "address": "00:00:00:00:00:00"}])


async def test_a_first_start_without_a_network_card_waits_for_one(tmp_path: Path, partition: Path) -> None:
    """Nothing is noted, so that the start that finds a card pins it as a first one would; a seed waits as well."""
    put(partition, SEED)
    async with flashed(tmp_path, answers() | {"ip": NO_NIC}) as box:
        assert (await box.appliance.found()).nics == ()
        assert not (box.on.roots.state / "etc/qrm/network.json").exists()
        with pytest.raises(SeedError) as caught:
            await apply(partition, box.places, box.appliance)
        assert "is not in this computer" in caught.value.message
        assert caught.value.hint.startswith("it has none at all; one that is put in is there within")
        box.programs.answers["ip"] = LINKS
        assert (await box.appliance.found()).nics == (), "it has no place yet: set-up would leave it as it is"
        await box.helper.call(Admit())
        assert [each.name for each in (await box.appliance.found()).nics] == list(MACS)
        assert "applied: boot" in await apply(partition, box.places, box.appliance)


async def test_the_network_is_tried_and_kept(box: Flashed) -> None:
    set_up = parse(SEED.replace(MACS["nic0"].upper(), "nic0"), "x")
    trial = await box.appliance.try_network(set_up)
    assert trial
    assert await box.appliance.trial() == trial
    with pytest.raises(Conflict):
        await box.appliance.try_network(set_up)
    await box.appliance.keep_network()
    await box.appliance.keep_network()
    assert await box.appliance.trial() is None
    assert await box.appliance.try_network(set_up) is None, "it is like this already"
    kept = (await box.appliance.found()).management
    assert kept == replace(set_up.management, nic="nic0"), "what was kept is proposed when somebody sets it up anew"
    status = await box.helper.call(Status())
    assert status.layout.nat
    assert [each.name for each in status.layout.with_role("provisioning")] == ["nic1"]


async def test_all_that_is_written(box: Flashed) -> None:
    await box.appliance.write(parse(SEED.replace(MACS["nic0"].upper(), "nic0"), "x"))
    state = box.on.roots.state
    assert config.parse(box.configuration().read_text(), "x").site.domain == "rack.example"
    assert (state / "etc/hostname").read_text() == "boot\n"
    assert str((state / "etc/localtime").readlink()).endswith("Europe/Vienna")
    assert "ntp.example.com" in (state / "etc/chrony/sources.d/qrm.sources").read_text()
    assert box.ran("wipefs") == ["wipefs --all /dev/sdb1 /dev/sdb", "wipefs --all /dev/sdc"]
    assert box.ran("vgcreate") == ["vgcreate --yes --metadatasize 16m qrm /dev/sdb /dev/sdc"]
    assert json.loads((state / "etc/qrm/storage.json").read_text()) == {"disks": ["WD-1", "0x5002538f"]}


async def test_disks_that_are_in_the_group_stay_as_they_are(tmp_path: Path) -> None:
    async with flashed(tmp_path, answers("/dev/sdb")) as box:
        await box.helper.call(Prepare(("WD-1", "S")))
        assert box.ran("wipefs", "vgextend") == [
            "wipefs --all /dev/sdc",
            "vgextend --yes --metadatasize 16m qrm /dev/sdc",
        ]
        box.programs.ran.clear()
        await box.helper.call(Prepare(("WD-1",)))
        assert box.ran("wipefs", "vgextend", "vgcreate") == []


@pytest.mark.parametrize(
    ("disks", "code", "kind"),
    [
        (("S", "OWN"), "disk-own", Conflict),
        (("S", "BUSY"), "disk-busy", Conflict),
        (("S", "NONE"), "disk-unknown", NotFound),
        (("S", ""), "disk-unknown", NotFound),
        (("S", "/dev/sdb"), "disk-unknown", NotFound),
    ],
)
async def test_disks_that_are_not_free_keep_all_from_being_cleared(
    box: Flashed, disks: tuple[str, ...], code: str, kind: type[ApplianceError]
) -> None:
    with pytest.raises(kind) as caught:
        await box.helper.call(Prepare(disks))
    assert caught.value.code == code
    assert box.ran("wipefs", "vgcreate", "vgextend") == []


async def test_a_disk_that_something_holds_is_told_of(tmp_path: Path) -> None:
    said = answers() | {"wipefs": ApplianceError("program-failed", "wipefs: /dev/sdc: Device or resource busy")}
    async with flashed(tmp_path, said) as box:
        with pytest.raises(Conflict, match="resource busy"):
            await box.helper.call(Prepare(("S",)))
        assert box.ran("vgcreate") == []


async def test_a_disk_of_another_pool_is_not_cleared(tmp_path: Path) -> None:
    """Its volumes need not be active: then wipefs(8) would not see that anybody has it."""
    async with flashed(tmp_path, answers() | reported(group("images", "/dev/sdc", tags="qrm.pool"))) as box:
        with pytest.raises(Conflict, match="belongs to a pool"):
            await box.helper.call(Prepare(("WD-1", "S")))
        assert box.ran("wipefs", "vgcreate") == []


def of_lvm(name: str) -> dict[str, Any]:
    return {"name": name, "type": "lvm", "fstype": "ext4", "mountpoints": []}


@pytest.mark.parametrize(
    ("groups", "changed", "why"),
    [
        ([group("images", "/dev/sdc", tags="qrm.pool")], {}, "it belongs to the pool images"),
        ([group("images", "/dev/sdc1", tags="qrm.pool")], {"children": [{"name": "sdc1", "type": "part"}]},
         "it belongs to the pool images"),
        ([], {"children": [of_lvm("pve-root")]}, "the volume pve-root is on it"),
        ([], {"children": [{"name": "sdc1", "type": "part", "children": [{"name": "md0", "type": "raid1"}]}]},
         "the RAID md0 is on it"),
        ([group("qrm", "/dev/sdc", tags="qrm.pool")], {"children": [of_lvm("qrm-old")]}, ""),
        ([], {"rm": True, "tran": "usb"}, "it is a stick or a card, which anybody can pull out"),
        ([], {"rm": True, "tran": "sata"}, ""),
    ],
)  # fmt: skip
async def test_a_disk_that_cannot_be_given_away_is_not_offered_nor_taken_from_a_seed(
    tmp_path: Path, groups: list[dict[str, Any]], changed: dict[str, Any], why: str
) -> None:
    devices = [each | changed if each["name"] == "sdc" else each for each in DISKS["blockdevices"]]
    said = answers() | reported(*groups) | {"lsblk": json.dumps({"blockdevices": devices})}
    async with flashed(tmp_path, said) as box:
        found = {each.name: each for each in (await box.appliance.found()).disks}
        assert found["sdc"].refused == why
        if why:
            with pytest.raises(Invalid, match=f"S cannot be chosen: {why}"):
                check_disks(Storage(("S",)), list(found.values()), form_complaint)
        else:
            check_disks(Storage(("S",)), list(found.values()), form_complaint)


async def test_disks_are_offered_where_lvm_does_not_answer(tmp_path: Path) -> None:
    """What belongs to a pool is refused at the end, too."""
    said = answers() | {"lvm fullreport": ApplianceError("program-failed", "lvm: no")}
    async with flashed(tmp_path, said) as box:
        assert not any(each.refused for each in (await box.appliance.found()).disks if each.name == "sdc")


def with_rest(on: Computer) -> str:
    """The partition with what the system leaves of its disk."""
    place = on.roots.dev / "disk/qrm/data"
    place.parent.mkdir(parents=True)
    (on.roots.dev / "sda7").touch()
    place.symlink_to("../../sda7")
    return str(on.roots.dev / "sda7")


async def test_without_disks_the_group_is_made_of_what_the_own_disk_has_left(box: Flashed) -> None:
    path = with_rest(box.on)
    heard: list[str] = []
    await box.helper.call(Prepare(()), lambda _progress, message: heard.append(message))
    assert box.ran("vgcreate", "vgextend") == [f"vgcreate --yes --metadatasize 16m qrm {path}"]
    assert box.ran("wipefs") == [f"wipefs --no-act --json {path}"], "nobody agreed to lose anything"
    assert heard == ["making the data group on what the appliance's own disk has left"]
    assert json.loads((box.on.roots.state / "etc/qrm/storage.json").read_text()) == {"disks": []}


async def test_a_disk_with_nothing_left_makes_no_group(box: Flashed) -> None:
    heard: list[str] = []
    await box.helper.call(Prepare(()), lambda _progress, message: heard.append(message))
    assert "nothing left for a data group" in heard[0]
    assert box.ran("wipefs", "vgcreate", "lvm") == []
    assert (box.on.roots.state / "etc/qrm/storage.json").exists()


async def test_a_group_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    async with flashed(tmp_path, answers("/dev/sdb")) as box:
        with_rest(box.on)
        await box.helper.call(Prepare(()))
        assert box.ran("wipefs", "vgcreate", "vgextend", "lvm") == []


def signed(kind: str) -> Answers:
    return {"wipefs": json.dumps({"signatures": [{"device": "sda7", "offset": "0x218", "type": kind}]})}


async def test_after_a_factory_reset_the_data_are_still_there(tmp_path: Path) -> None:
    """LVM's list of devices went with the state partition: it learns of the group again, and nothing is made."""
    path = str(tmp_path / "computer/dev/sda7")

    def learn(_argv: Sequence[str]) -> str:
        box.programs.answers.update(reported(group("qrm", path)))
        return ""

    async with flashed(tmp_path, answers() | signed("LVM2_member") | {"lvm lvmdevices": learn, "lvm": ""}) as box:
        with_rest(box.on)
        await box.helper.call(Prepare(()))
        assert box.ran("lvm") == [
            f"lvm lvmdevices --yes --adddev {path}",
            "lvm vgimportdevices --yes --select vg_uuid=uuid-qrm",
        ]
        assert box.ran("vgcreate", "vgextend") == []


@pytest.mark.parametrize(("kind", "words"), [("xfs", "holds xfs"), ("LVM2_member", "group of somebody else")])
async def test_what_somebody_put_there_is_not_cleared(tmp_path: Path, kind: str, words: str) -> None:
    async with flashed(tmp_path, answers() | signed(kind)) as box:  # LVM keeps no list of devices, and says so
        with_rest(box.on)
        with pytest.raises(Conflict, match=words):
            await box.helper.call(Prepare(()))
        assert box.ran("vgcreate", "vgextend") == []


async def test_where_nobody_can_look_nothing_is_heard(box: Flashed, tmp_path: Path) -> None:
    async def deaf(_nic: str) -> set[str]:
        raise OSError(100, "Network is down")

    async with open_store(tmp_path / "store.db") as store:
        steps = SetUpSteps(store, Bus(), lambda: 0.0, HelperAppliance(box.helper, deaf))
        assert (await steps.look("nic1")).problem == "nic1: Network is down"


# -- the seed


async def test_a_seed_is_applied_once_and_its_secret_leaves_the_partition(box: Flashed, partition: Path) -> None:
    put(partition, SEED)
    assert "the seed was applied: boot.rack.example" in await apply(partition, box.places, box.appliance)
    assert config.parse(box.configuration().read_text(), "x").subnet[0].interface == "nic1"
    assert (await box.helper.call(Status())).trial is None, "nobody is there to confirm it"
    assert HASH.encode() not in partition.read_bytes()
    text = seed_partition.read(partition)
    assert text is not None
    assert 'name = "eva"' in text, "the rest is there to be read"
    ran = len(box.programs.ran)
    assert await apply(partition, box.places, box.appliance) == "this seed was applied already"
    assert len(box.programs.ran) == ran


async def test_a_seed_on_the_installers_stick_is_for_the_disk(box: Flashed, partition: Path) -> None:
    """Nothing is changed, cleared or served from a stick; the disk gets the partition as it is, and applies it."""
    put(partition, SEED)
    whole = partition.read_bytes()
    stick = replace(box.places, is_installer=True)
    assert await apply(partition, stick, box.appliance) == WAITS
    assert partition.read_bytes() == whole, "its hash, too, goes to the disk"
    assert box.programs.ran == []
    assert not box.configuration().exists()
    assert not box.places.state_dir.exists()
    put(partition, SEED.replace("10.77.0.1/24", "10.77.0.300/24"))
    with pytest.raises(SeedError):
        await apply(partition, stick, box.appliance)
    put(partition, SEED)
    assert "the seed was applied" in await apply(partition, box.places, box.appliance), "on the disk, then"


async def test_a_seed_that_was_applied_loses_its_secret_although_the_power_went(box: Flashed, partition: Path) -> None:
    put(partition, SEED)
    before = partition.read_bytes()
    await apply(partition, box.places, box.appliance)
    partition.write_bytes(before)
    assert await apply(partition, box.places, box.appliance) == "this seed was applied already"
    assert HASH.encode() not in partition.read_bytes()


async def test_what_belongs_to_the_daemon_is_taken_up_by_it(box: Flashed, partition: Path) -> None:
    put(partition, SEED.replace("nat = true", 'dhcp = "reservations"'))
    await apply(partition, box.places, box.appliance)
    state_dir = box.places.state_dir
    assert (state_dir / left.FILE).stat().st_mode & 0o777 == 0o600
    assert state_dir.stat().st_mode & 0o777 == 0o700
    async with open_store(state_dir / "store.db") as store:
        assert await left.take_up(store, Bus(), state_dir, 1.0)
        assert not (state_dir / left.FILE).exists()
        (user,) = await store.read(accounts.users)
        assert (user.name, user.role, user.password) == ("eva", "admin", HASH)
        assert (await store.read(subnet_rules.every))["nic1"]["mode"] == "reservations"
        assert not await left.take_up(store, Bus(), state_dir, 2.0)


def _audited(db: sqlite3.Connection) -> list[tuple[str, bytes]]:
    return list(db.execute("SELECT action, doc FROM audit"))


async def test_keys_in_a_seed_are_let_in_without_any_password(box: Flashed, partition: Path) -> None:
    text = SEED.replace(f'password_hash = "{HASH}"', f'ssh_keys = ["{KEY}"]')
    assert HASH not in text
    put(partition, text)
    await apply(partition, box.places, box.appliance)
    assert (box.on.roots.state / KEYS).read_text().endswith(f"\n{KEY}\n")
    assert "systemctl --no-block start ssh.service" in box.ran("systemctl")
    async with open_store(box.places.state_dir / "store.db") as store:
        assert await left.take_up(store, Bus(), box.places.state_dir, 1.0)
        assert await store.read(accounts.users) == [], "the link on the screen still makes the account"
        noted = [after for action, after in await store.read(_audited) if action == "ssh.authorize"]
        assert "ada@laptop" in str(noted)


@pytest.mark.parametrize("fails", ["wipefs", "hostname", "nft"])
async def test_a_seed_that_could_not_be_carried_out_lets_nobody_in(tmp_path: Path, fails: str) -> None:
    seed = tmp_path / "seed.toml"
    seed.write_text(SEED.replace(f'password_hash = "{HASH}"', f'ssh_keys = ["{KEY}"]'))
    async with flashed(tmp_path, answers() | {fails: ApplianceError("program-failed", f"{fails}: no")}) as box:
        with pytest.raises(ApplianceError):
            await apply(seed, box.places, box.appliance)
        assert not (box.on.roots.state / KEYS).exists()
        assert not (box.places.state_dir / left.FILE).exists()


async def test_nobody_is_let_in_without_a_word_of_it(box: Flashed, tmp_path: Path) -> None:
    seed = tmp_path / "seed.toml"
    seed.write_text(SEED.replace(f'password_hash = "{HASH}"', f'ssh_keys = ["{KEY}"]'))
    box.places.state_dir.write_text("where its directory should be")
    with pytest.raises(ApplianceError):
        await apply(seed, box.places, box.appliance)
    assert not (box.on.roots.state / KEYS).exists()


async def test_set_up_without_keys_leaves_those_that_are_let_in(box: Flashed) -> None:
    await box.helper.call(Authorize((KEY,)))
    await box.appliance.write(parse(SEED, "x"))
    await box.appliance.let_in(parse(SEED, "x"))
    assert (box.on.roots.state / KEYS).exists()


async def test_a_seed_makes_no_second_administrator(tmp_path: Path) -> None:
    left.leave(parse(SEED, "x"), tmp_path, (-1, -1))
    async with open_store(tmp_path / "store.db") as store:
        await store.write(lambda db: accounts.add_user(db, accounts.User("ada", "x", "admin", 0.0)))
        assert await left.take_up(store, Bus(), tmp_path, 1.0)
        assert [each.name for each in await store.read(accounts.users)] == ["ada"]


async def test_what_was_left_and_cannot_be_read_keeps_nobody_from_starting(tmp_path: Path) -> None:
    (tmp_path / left.FILE).write_text("{")
    async with open_store(tmp_path / "store.db") as store:
        assert not await left.take_up(store, Bus(), tmp_path, 1.0)


async def test_the_hash_in_a_seed_lets_its_password_in() -> None:
    hasher = default_hasher()
    made = hasher.hash("correct horse battery")
    stored = parse(SEED.replace(HASH, made), "x").account.password_hash
    assert await Passwords(hasher).matches(stored, "correct horse battery")


def _changed(old: str, new: str) -> str:
    assert old in SEED
    return SEED.replace(old, new)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[management", "seed.toml: "),
        (_changed("nic1", "nic7"), "seed.toml:18: [provisioning] nic nic7 is not in this computer"),
        (_changed(MACS["nic0"].upper(), "52:54:00:ff:ff:ff"), "seed.toml:12: [management] nic"),
        (_changed("WD-1", "OWN"), "itself runs from"),
        (_changed("WD-1", "WD-9"), "seed.toml:25: [storage] data_disks WD-9 is no disk"),
        (_changed("WD-1", "BUSY"), "seed.toml:25: [storage] data_disks BUSY cannot be chosen: it is mounted on /srv"),
        (_changed("WD-1", "S"), "seed.toml:25: [storage] data_disks S and 0x5002538f are the same disk"),
        (_changed("Europe/Vienna", "Europe/Wien"), "seed.toml:8: [site] time_zone Europe/Wien"),
    ],
)
async def test_a_wrong_seed_changes_nothing(box: Flashed, partition: Path, text: str, wrong: str) -> None:
    put(partition, text)
    before = partition.read_bytes()
    with pytest.raises(SeedError) as caught:
        await apply(partition, box.places, box.appliance)
    assert wrong in caught.value.message
    assert caught.value.hint
    assert partition.read_bytes() == before
    assert not box.configuration().exists()
    assert not box.places.kept.exists()
    assert not box.places.state_dir.exists()
    assert box.ran("networkctl", "wipefs", "hostname") == []


async def test_a_partition_without_a_seed(box: Flashed, partition: Path, tmp_path: Path) -> None:
    assert "there is no seed.toml" in await apply(partition, box.places, box.appliance)
    assert "there is no seed.toml" in await apply(tmp_path / "missing", box.places, box.appliance)


async def test_a_seed_that_is_no_text(box: Flashed, partition: Path, tmp_path: Path) -> None:
    for content in (b"\xff\xfe[", b"#" * (seed_partition.LARGEST + 1)):
        (tmp_path / "x").write_bytes(content)
        subprocess.run(["mcopy", "-o", "-i", partition, tmp_path / "x", "::seed.toml"], check=True)
        with pytest.raises(ApplianceError) as caught:
            await apply(partition, box.places, box.appliance)
        assert caught.value.code == "seed-unreadable"


async def test_a_seed_goes_on_where_a_power_cut_ended_it(tmp_path: Path, partition: Path) -> None:
    put(partition, SEED)
    said = answers() | {"vgcreate": ApplianceError("program-failed", "the power went")}
    async with flashed(tmp_path, said) as box:
        with pytest.raises(ApplianceError, match="power"):
            await apply(partition, box.places, box.appliance)
        assert HASH.encode() in partition.read_bytes()
        box.programs.answers["vgcreate"] = ""
        assert "applied: boot" in await apply(partition, box.places, box.appliance)


class Disk(io.FileIO):
    """The kernel refuses to go beyond the end of a block device (lseek(2): EINVAL); of a file, it does not."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_SET and offset > os.fstat(self.fileno()).st_size:
            raise OSError(errno.EINVAL, "Invalid argument")
        return super().seek(offset, whence)


def opened_as_disk(path: Path, mode: str) -> io.BufferedRandom:
    assert mode == "r+b"
    return io.BufferedRandom(Disk(path, "r+"))


def test_secrets_are_found_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_partition, "PIECE", 64)
    secret = HASH[:40]
    path = tmp_path / "partition"
    for offset in range(0, 200, 7):
        content = (b"x" * offset + secret.encode() + b"y" * 30 + secret.encode()).ljust(400, b"z")
        path.write_bytes(content)
        monkeypatch.setattr(Path, "open", opened_as_disk)
        assert seed_partition.take_away(path, secret) == 2
        monkeypatch.undo()
        monkeypatch.setattr(seed_partition, "PIECE", 64)
        after = path.read_bytes()
        assert secret.encode() not in after
        assert len(after) == len(content)
        assert after[:offset] == b"x" * offset

"""Set-up over the real privileged helper, on a computer of paper."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flashed_computer import DISKS, LINKS, MACS, SEED, Flashed, answers, flashed, group, put, reported

from appliance import config
from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.events import Bus
from appliance.privileged.computer import Computer
from appliance.privileged.verbs.data import Prepare
from appliance.privileged.verbs.network import Admit, Status
from appliance.setup.apply_seed import apply
from appliance.setup.checks import form_complaint
from appliance.setup.hardware import check_disks
from appliance.setup.seed import SeedError, parse
from appliance.setup.steps import SetUpSteps
from appliance.setup.through_helper import HelperAppliance
from appliance.setup.value import Storage
from appliance.store.store import open_store
from tests.privileged.paper_computer import Answers


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

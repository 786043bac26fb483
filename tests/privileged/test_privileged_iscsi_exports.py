"""iSCSI: one target for each export, open last, shut first; cut off between any two steps, it is finished or gone."""

import pytest
from paper_computer import quiet
from paper_exports import GROUP, KilledError, PaperExporter

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.export import serial_number, target_name
from appliance.privileged import iscsi_exports, nfs_exports
from appliance.privileged.exports import listed
from appliance.privileged.targets import Admitted, Store, Target
from appliance.privileged.verbs.exports import Exported, Granted, List
from appliance.privileged.verbs.iscsi_exports import IscsiGrant, IscsiRevoke
from appliance.privileged.verbs.nfs_exports import NfsGrant
from appliance.volume import VolumeId

ID, OTHER = "0123456789abcdef", "fedcba9876543210"
DISK, SECOND, GOLDEN = "1111111111111111", "2222222222222222", "3333333333333333"
SERVER, WEB = "192.0.2.1", "iqn.2026-11.test.lab:machine-web1"
SECRET, NEW = "aSecretOf16Chars", "anotherOf16Chars"
EXT4 = "qrm.filesystem=ext4"


def name(key=ID):
    return target_name("lab.test", key)


def device(volume=DISK):
    return f"/dev/mapper/qrm-v--{volume}"


def wanted(key=ID, volume=DISK, initiator=WEB, secret=SECRET, read_only=False, serve=True, server=SERVER, target=""):
    return IscsiGrant(key, GROUP, volume, target or name(key), initiator, server, key, secret, read_only, serve)


@pytest.fixture
def box(tmp_path):
    return made(tmp_path / "paper")


def made(directory):
    box = PaperExporter(directory)
    for each in (DISK, SECOND, GOLDEN):
        box.volume(each)
    box.volumes.read_only.add(GOLDEN)
    return box


async def grant(box, **values):
    return await iscsi_exports.grant(wanted(**values), box.on, quiet)


async def revoke(box, key=ID):
    return await iscsi_exports.revoke(IscsiRevoke(key), box.on, quiet)


def logged_in(box, initiator=WEB, secret=SECRET, key=ID):
    return box.targets.log_in(name(key), initiator, key, secret)


async def refused(kind, code, box, **values):
    with pytest.raises(kind) as caught:
        await grant(box, **values)
    assert caught.value.code == code
    return caught.value


async def test_who_is_admitted_and_knows_the_secret_gets_the_disk_and_nobody_else(box):
    assert await grant(box) == Granted(SERVER, name())
    assert box.targets.targets[name()] == Target(
        name(), True, True, (f"{SERVER}:3260",), (f"qrm-{ID}",), (Admitted(WEB, True, False, False),)
    )
    assert box.targets.stores == {f"qrm-{ID}": Store(f"qrm-{ID}", device(), False, True)}
    assert box.targets.serials == {f"qrm-{ID}": serial_number(VolumeId(DISK))}
    assert box.targets.discards == {f"qrm-{ID}"}
    assert logged_in(box) == device()
    assert logged_in(box, initiator="iqn.2026-11.test.lab:machine-web2") == ""
    assert logged_in(box, secret=NEW) == ""


async def test_modules_are_loaded_by_systemd_and_once(box):
    await grant(box)
    await grant(box, key=OTHER, volume=SECOND)
    started = [argv for argv in box.ran if argv[0] == "systemctl"]
    assert started == [["systemctl", "start", *iscsi_exports.UNITS]]


async def test_the_secret_is_in_no_argument_and_in_nothing_that_is_written_down(box):
    await grant(box)
    assert not any(SECRET in word for argv in box.ran for word in argv)
    assert SECRET not in repr(wanted())
    with pytest.raises(Invalid) as caught:
        await grant(box, secret="tiny")
    assert "tiny" not in f"{caught.value} {caught.value.hint}"


async def test_the_same_again_keeps_the_session_and_a_new_secret_counts_from_the_next_log_in(box):
    await grant(box)
    assert logged_in(box)
    await grant(box, secret=NEW)
    assert box.targets.targets[name()].admitted[0].connected
    assert (logged_in(box), logged_in(box, secret=NEW)) == ("", device())


async def test_what_is_taken_back_is_gone_with_its_session(box):
    await grant(box)
    assert logged_in(box)
    await revoke(box)
    assert (box.targets.targets, box.targets.stores, box.targets.secrets) == ({}, {}, {})
    assert logged_in(box) == ""
    before = box.steps.done
    await revoke(box)
    assert box.steps.done == before


@pytest.mark.parametrize("after", [False, True])
async def test_a_grant_that_is_cut_off_anywhere_lets_nobody_in_and_is_finished_or_taken_back(tmp_path, after):
    whole = made(tmp_path / "whole")
    await grant(whole)
    assert whole.steps.done == 12
    for at in range(2, whole.steps.done + 1):
        for ending in ("again", "back"):
            box = made(tmp_path / f"{at}-{ending}")
            box.steps.at, box.steps.after = at, after
            with pytest.raises(KilledError):
                await grant(box)
            assert logged_in(box, secret=NEW) == ""
            assert bool(logged_in(box)) == (at == whole.steps.done and after)
            found = (await listed(List(), box.on, quiet)).found
            assert all(each.ours and each.id == ID for each in found)
            assert len(found) == (1 if at > 2 or after else 0)
            if ending == "again":
                await grant(box)
                assert logged_in(box) == device()
                assert box.targets.targets[name()].guarded
            else:
                await revoke(box)
                assert (box.targets.targets, box.targets.stores) == ({}, {})


@pytest.mark.parametrize("after", [False, True])
async def test_a_revocation_that_is_cut_off_anywhere_is_finished(tmp_path, after):
    for at in range(1, 4):
        box = made(tmp_path / str(at))
        await grant(box)
        box.steps.at, box.steps.after = box.steps.done + at, after
        with pytest.raises(KilledError):
            await revoke(box)
        if at > 1 or after:
            assert logged_in(box) == ""
        await revoke(box)
        assert (box.targets.targets, box.targets.stores) == ({}, {})


@pytest.mark.parametrize(
    "other",
    [{"volume": SECOND}, {"initiator": "iqn.2026-11.test.lab:machine-web2"}, {"read_only": True},
     {"server": "198.51.100.1"}, {"target": f"iqn.2026-11.org.example:{ID}"}],
)  # fmt: skip
async def test_an_id_is_for_one_machine_and_one_volume(box, other):
    await grant(box)
    error = await refused(Conflict, "export-other", box, **other)
    assert error.hint == "revoke it first"
    assert logged_in(box) == device()


async def test_a_name_that_was_given_in_another_domain_is_taken_back_all_the_same(box):
    await grant(box, target=f"iqn.2026-11.org.example:{ID}")
    await revoke(box)
    assert box.targets.targets == {}


async def test_a_volume_is_a_disk_of_one_machine(box):
    await grant(box)
    await refused(Conflict, "volume-in-use", box, key=OTHER)


async def test_nobody_writes_to_a_golden_image(box):
    await refused(Conflict, "volume-read-only", box, volume=GOLDEN)
    await grant(box, volume=GOLDEN, read_only=True)
    assert box.targets.stores[f"qrm-{ID}"].read_only
    assert box.targets.targets[name()].admitted[0].read_only


async def test_what_somebody_writes_below_a_file_system_is_never_mounted_again(box):
    box.volumes.tags[DISK].append(EXT4)
    await grant(box, read_only=True)
    assert EXT4 in box.volumes.tags[DISK]
    await revoke(box)
    await grant(box)
    assert EXT4 not in box.volumes.tags[DISK]
    await revoke(box)
    with pytest.raises(Conflict) as caught:
        await nfs_exports.grant(NfsGrant(ID, GROUP, DISK, "192.0.2.17", SERVER), box.on, quiet)
    assert caught.value.code == "volume-not-filled"


async def test_the_mark_goes_before_the_first_block_can_be_written(box):
    box.volumes.tags[DISK].append(EXT4)
    box.steps.at, box.steps.after = 3, False  # the modules, the mark, the device
    with pytest.raises(KilledError):
        await grant(box)
    assert EXT4 not in box.volumes.tags[DISK]
    assert box.targets.stores == {}


async def test_volumes_of_others_are_not_there(box):
    await refused(NotFound, "volume-unknown", box, volume="5555555555555555")


@pytest.mark.parametrize(
    ("values", "code"),
    [({"key": "x", "target": name()}, "export-id"), ({"target": name(OTHER)}, "target-name"),
     ({"initiator": "web1"}, "initiator-name"), ({"server": "::1"}, "export-address"), ({"secret": ""}, "chap-secret"),
     ({"volume": "../x"}, "volume-id"), ({"initiator": "iqn.2026-11.test.lab:../x"}, "initiator-name")],
)  # fmt: skip
async def test_bad_values_are_refused_before_anything_is_done(box, values, code):
    await refused(Invalid, code, box, **values)
    assert box.steps.done == 0


async def test_ready_is_not_open(box):
    await grant(box, serve=False)
    assert logged_in(box) == ""
    (seen,) = (await listed(List(), box.on, quiet)).found
    assert (seen.id, seen.whole) == (ID, False)
    await grant(box)
    assert logged_in(box) == device()


async def test_only_addresses_of_ours_are_served(box):
    await refused(Conflict, "address-not-served", box, server="203.0.113.1")
    assert box.targets.targets == {}
    await grant(box, serve=False, server="203.0.113.1")  # it may come up later


async def test_the_list_tells_ours_from_others_and_what_was_left(box):
    await grant(box)
    logged_in(box)
    theirs = "iqn.2003-01.org.linux-iscsi.host:theirs"
    box.targets.stores["backup"] = Store("backup", "/dev/sdz", False, True)
    box.targets.targets[theirs] = Target(theirs, True, False, ("0.0.0.0:3260",), ("backup",), ())
    box.targets.stores[f"qrm-{OTHER}"] = Store(f"qrm-{OTHER}", device(SECOND), False, True)
    found = (await listed(List(), box.on, quiet)).found
    assert found == (
        Exported("iscsi", False, place=theirs),
        Exported("iscsi", True, ID, DISK, WEB, name(), whole=True, connected=True),
        Exported("iscsi", True, OTHER, SECOND, place=f"qrm-{OTHER}"),
    )
    await revoke(box)
    await revoke(box, OTHER)
    assert set(box.targets.targets) == {theirs}
    assert set(box.targets.stores) == {"backup"}


async def test_what_the_kernel_complains_of_is_told(box):
    def broken(*_):
        raise ApplianceError("iscsi-failed", "listen: no route")

    box.targets.listen = broken
    await refused(ApplianceError, "iscsi-failed", box)
    assert logged_in(box) == ""

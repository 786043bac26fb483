"""NFS: who gets what, in which order, cut off between any two steps; and back, with nothing left."""

import os
import subprocess

import pytest
from paper_computer import quiet
from paper_exports import GROUP, KilledError, PaperExporter

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.networking.layout import Interface, Layout
from appliance.privileged import nfs_exports
from appliance.privileged.exports import listed
from appliance.privileged.network_state import NetworkState
from appliance.privileged.nfs_table import parsed, room
from appliance.privileged.verbs.exports import Exported, Granted, List
from appliance.privileged.verbs.nfs_exports import NfsGrant, NfsRevoke

ID, OTHER, THIRD = "0123456789abcdef", "fedcba9876543210", "00000000000000aa"
ROOT, SHARED, RAW = "1111111111111111", "2222222222222222", "3333333333333333"
WEB, DB, SERVER, SECOND = "192.0.2.17", "192.0.2.18", "192.0.2.1", "198.51.100.1"
EXT4 = "qrm.filesystem=ext4"


def wanted(key=ID, volume=ROOT, address=WEB, server=SERVER, read_only=False, serve=True):
    return NfsGrant(key, GROUP, volume, address, server, read_only, serve)


@pytest.fixture
def box(tmp_path):
    made = PaperExporter(tmp_path / "paper")
    made.volume(ROOT, EXT4)
    made.volume(SHARED, "qrm.filesystem=xfs")
    made.volume(RAW)
    made.volumes.read_only.add(SHARED)
    return made


async def grant(box, **values):
    return await nfs_exports.grant(wanted(**values), box.on, quiet)


async def revoke(box, key=ID):
    return await nfs_exports.revoke(NfsRevoke(key), box.on, quiet)


def place(box, key=ID, address=WEB):
    return str(room(box.on) / address / key)


def top(box, address=WEB):
    return str(room(box.on) / address)


def table(box):
    return {(each.directory, each.client) for each in parsed("".join(f"{line}\n" for line in box.nfs.lines()))}


def nothing_is_left(box):
    return not box.nfs.mounts and not box.nfs.lines() and not list(room(box.on).iterdir())


async def refused(kind, code, box, **values):
    with pytest.raises(kind) as caught:
        await grant(box, **values)
    assert caught.value.code == code
    return caught.value


async def test_a_volume_is_mounted_exported_and_served_to_one_address(box):
    assert await grant(box) == Granted(SERVER, f"/{ID}")
    assert box.nfs.mounts == {place(box): (f"/dev/mapper/qrm-v--{ROOT}", False)}
    assert table(box) == {(place(box), WEB), (top(box), WEB)}
    assert box.nfs.listeners == [SERVER]
    (mount,) = [argv for argv in box.ran if "mount" in argv]
    assert mount[:3] == ["nsenter", "--mount=/proc/1/ns/mnt", "--"]
    assert "rw,nosuid,nodev,noexec" in mount
    options = next(line for line in box.nfs.lines() if line.startswith(place(box)))
    assert all(each in options for each in ("no_root_squash", "mountpoint", "sec=sys", "fsid=", "no_subtree_check"))
    above = next(line for line in box.nfs.lines() if line.startswith(f"{top(box)}\t"))
    assert "fsid=0" in above
    assert "no_root_squash" not in above
    assert room(box.on).stat().st_mode & 0o777 == 0o700


async def test_a_machine_comes_through_a_directory_of_a_helper_that_died_before_it_had_set_the_mode(box):
    left = room(box.on) / WEB
    left.mkdir(parents=True, mode=0o700)
    await grant(box)
    assert left.stat().st_mode & 0o777 == 0o755


async def test_a_file_system_fills_its_volume_once_it_is_mounted_and_before_it_is_exported(box, tmp_path):
    await grant(box)
    ran = [argv[3] if argv[0] == "nsenter" else argv[0] for argv in box.ran]
    assert ran.index("mount") < ran.index("resize2fs") < ran.index("exportfs")
    assert box.nfs.grown == {f"/dev/mapper/qrm-v--{ROOT}"}
    read_only = PaperExporter(tmp_path / "golden")
    read_only.volume(ROOT, EXT4)
    await nfs_exports.grant(wanted(read_only=True), read_only.on, quiet)
    assert not read_only.nfs.grown


@pytest.mark.parametrize(("made", "volume", "grown"), [(24, 24, False), (24, 28, True)])
async def test_a_file_system_that_fills_its_volume_is_left_alone(box, made, volume, grown):
    """As mke2fs makes it, in MiB."""
    device = box.on.roots.dev / "mapper" / f"qrm-v--{ROOT}"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "64bit", str(device), f"{made}M"], check=True)
    os.truncate(device, volume << 20)
    await grant(box)
    assert bool(box.nfs.grown) is grown


async def test_the_same_again_changes_nothing(box):
    await grant(box)
    before = box.steps.done
    await grant(box)
    assert box.steps.done == before


async def test_what_is_taken_back_is_gone_with_everything(box):
    await grant(box)
    assert (await revoke(box)).left == ""
    assert nothing_is_left(box)
    before = box.steps.done
    await revoke(box)
    assert box.steps.done == before, "a second time there is nothing to do"


async def test_the_export_goes_before_what_is_open_and_that_before_the_mount(box):
    await grant(box)
    box.nfs.client(1, WEB, place(box))
    box.ran.clear()
    assert (await revoke(box)).left == ""
    assert [argv[:2] for argv in box.ran[:2]] == [["exportfs", "-u"], ["exportfs", "-u"]]
    assert [argv[3:] for argv in box.ran[2:]] == [["umount", place(box)]]
    assert (box.nfs.kernel / "unlock_filesystem").read_text() == f"{place(box)}\n"
    assert nothing_is_left(box)


async def test_a_mount_that_the_kernel_holds_for_a_moment_is_tried_again(box):
    await grant(box)
    box.nfs.held[place(box)] = 2
    assert (await revoke(box)).left == ""
    assert ["exportfs", "-f"] in box.ran
    assert nothing_is_left(box)


async def test_one_that_does_not_go_is_let_go_and_that_is_said(box):
    await grant(box)
    box.nfs.held[place(box)] = 100
    assert "until something that holds it lets go" in (await revoke(box)).left
    assert nothing_is_left(box)


async def test_one_that_cannot_even_be_let_go_is_an_error_and_refused_to_its_machine(box):
    await grant(box)
    box.nfs.held[place(box)] = 100
    box.nfs.lazy = lambda argv: ""
    with pytest.raises(ApplianceError) as caught:
        await revoke(box)
    assert caught.value.code == "export-not-revoked"
    assert box.nfs.lines() == []


async def test_others_keep_what_is_shared_while_one_of_them_is_cut_off(box):
    await grant(box, key=ID, volume=SHARED, read_only=True)
    await grant(box, key=OTHER, volume=SHARED, address=DB, read_only=True)
    (xfs,) = {argv[argv.index("--options") + 1] for argv in box.ran if "mount" in argv}
    assert xfs == "ro,nosuid,nodev,noexec,nouuid"
    gone, stays = box.nfs.client(1, WEB, place(box)), box.nfs.client(2, DB, place(box, OTHER, DB))
    await revoke(box)
    assert (gone / "ctl").read_text() == "expire\n"
    assert not (stays / "ctl").exists()
    assert not (box.nfs.kernel / "unlock_filesystem").exists(), "it would take what all of them have open"
    assert table(box) == {(place(box, OTHER, DB), DB), (top(box, DB), DB)}


async def test_a_machine_with_two_exports_keeps_the_other(box):
    box.volume("4444444444444444", EXT4)
    await grant(box)
    await grant(box, key=OTHER, volume="4444444444444444")
    await revoke(box)
    assert table(box) == {(place(box, OTHER), WEB), (top(box), WEB)}


@pytest.mark.parametrize("after", [False, True])
async def test_a_grant_that_is_cut_off_anywhere_is_finished_or_taken_back(tmp_path, after):
    whole = PaperExporter(tmp_path / "whole")
    whole.volume(ROOT, EXT4)
    await nfs_exports.grant(wanted(), whole.on, quiet)
    assert whole.steps.done == 5
    for at in range(1, whole.steps.done + 1):
        for ending in ("again", "back"):
            box = PaperExporter(tmp_path / f"{at}-{after}-{ending}")
            box.volume(ROOT, EXT4)
            box.steps.at, box.steps.after = at, after
            with pytest.raises(KilledError):
                await grant(box)
            (seen,) = (await listed(List(), box.on, quiet)).found
            assert (seen.ours, seen.id) == (True, ID)
            if ending == "again":
                await grant(box)
                assert (table(box), box.nfs.listeners) == ({(place(box), WEB), (top(box), WEB)}, [SERVER])
            else:
                await revoke(box)
                assert nothing_is_left(box)


@pytest.mark.parametrize("after", [False, True])
async def test_a_revocation_that_is_cut_off_anywhere_is_finished(tmp_path, after):
    for at in range(1, 4):
        box = PaperExporter(tmp_path / f"{at}")
        box.volume(ROOT, EXT4)
        await grant(box)
        box.steps.at, box.steps.after = box.steps.done + at, after
        with pytest.raises(KilledError):
            await revoke(box)
        await revoke(box)
        assert nothing_is_left(box)


async def test_an_id_is_for_one_machine_and_one_volume(box):
    box.volume("4444444444444444", EXT4)
    await grant(box)
    for other in ({"address": DB}, {"volume": "4444444444444444"}, {"read_only": True}):
        error = await refused(Conflict, "export-other", box, **other)
        assert error.hint == "revoke it first"
    assert table(box) == {(place(box), WEB), (top(box), WEB)}


async def test_a_volume_is_known_by_whatever_name_its_device_was_mounted(box):
    await grant(box)
    box.nfs.mounts[place(box)] = ("/dev/dm-3", False)
    box.nfs.write()
    named = box.roots.sys / "dev" / "block" / "0:1" / "dm" / "name"
    named.parent.mkdir(parents=True)
    named.write_text(f"qrm-v--{ROOT}\n")
    await grant(box)
    assert [each.volume for each in (await listed(List(), box.on, quiet)).found] == [ROOT]


async def test_a_client_that_goes_in_that_moment_is_no_trouble(box):
    await grant(box)
    box.nfs.client(1, WEB, place(box))
    (box.nfs.kernel / "unlock_filesystem").mkdir()  # as if nothing could be written there
    box.nfs.open.clear()
    assert (await revoke(box)).left == ""


async def test_a_volume_that_is_written_is_not_given_to_a_second_machine(box):
    await grant(box)
    await refused(Conflict, "volume-in-use", box, key=OTHER, address=DB)
    await refused(Conflict, "volume-in-use", box, key=OTHER, address=DB, read_only=True)


async def test_only_file_systems_of_our_own_are_mounted(box):
    await refused(Conflict, "volume-not-filled", box, volume=RAW)
    box.volumes.tags[RAW].append("qrm.filesystem=btrfs")
    await refused(Conflict, "volume-not-filled", box, volume=RAW)
    assert box.nfs.mounts == {}


async def test_nobody_writes_to_a_golden_image(box):
    await refused(Conflict, "volume-read-only", box, volume=SHARED)


async def test_volumes_of_others_are_not_there(box):
    await refused(NotFound, "volume-unknown", box, volume="5555555555555555")
    box.volumes.tags[ROOT] = ["qrm.name=web1"]
    await refused(NotFound, "volume-unknown", box)
    box.volumes.add(ROOT, EXT4)
    box.volumes.group_tags = "theirs"
    await refused(NotFound, "volume-unknown", box)


async def test_one_in_the_middle_of_something_waits(box):
    box.volumes.tags[ROOT].append("qrm.state=making")
    await refused(Conflict, "volume-busy", box)


async def test_one_that_is_not_active_is_made_so(box):
    box.volumes.inactive.add(ROOT)
    await grant(box)
    assert ["lvchange", "--yes", "--activate", "y", f"qrm/v-{ROOT}"] in box.ran


@pytest.mark.parametrize(
    ("values", "code"),
    [({"key": "../../etc"}, "export-id"), ({"volume": "x"}, "volume-id"), ({"address": "*"}, "export-address"),
     ({"address": "192.0.2.0/24"}, "export-address"), ({"server": "0.0.0.0"}, "export-address")],
)  # fmt: skip
async def test_bad_values_are_refused_before_anything_is_done(box, values, code):
    await refused(Invalid, code, box, **values)
    assert box.steps.done == 0


async def test_a_group_is_named_by_its_uuid(box):
    with pytest.raises(Invalid) as caught:
        await nfs_exports.grant(NfsGrant(ID, 'x" || vg_name="other', ROOT, WEB, SERVER), box.on, quiet)
    assert caught.value.code == "group-uuid"


async def test_a_second_address_is_served_without_a_new_start(box):
    box.volume("4444444444444444", EXT4)
    await grant(box)
    await grant(box, key=OTHER, volume="4444444444444444", address="198.51.100.9", server=SECOND)
    assert (box.nfs.listeners, box.nfs.starts) == ([SERVER, SECOND], 1)
    assert f"host={SERVER},{SECOND}\n" in (box.nfs.etab.parent / "nfsd.conf").read_text(), "for a start by hand"


async def test_only_networks_for_storage_are_served(box):
    await refused(Conflict, "address-not-served", box, server="203.0.113.1")
    roles = Layout((Interface("nic0", mac="52:54:00:00:00:01", method="dhcp", roles=("management",)),))
    NetworkState(box.roots).finish(roles)
    error = await refused(Conflict, "address-not-served", box)
    assert "nic0" in error.message
    assert box.nfs.listeners == []
    roles = Layout((Interface("nic0", mac="52:54:00:00:00:01", method="dhcp", roles=("management", "storage")),))
    NetworkState(box.roots).finish(roles)
    await grant(box)
    assert box.nfs.listeners == [SERVER]


async def test_a_server_that_does_not_listen_is_told_of(box):
    box.nfs.start = lambda argv: ""
    await refused(ApplianceError, "nfs-not-serving", box)


async def test_after_a_restart_nothing_is_there_until_all_is_granted(box):
    await grant(box)
    box.restart()
    assert (await listed(List(), box.on, quiet)).found == ()
    await grant(box, serve=False)
    assert box.nfs.listeners == []
    seen = await listed(List(), box.on, quiet)
    assert [(each.id, each.whole) for each in seen.found] == [(ID, False)]
    await grant(box)
    assert box.nfs.listeners == [SERVER]


async def test_the_list_tells_ours_from_others_and_who_is_connected(box):
    await grant(box)
    box.nfs.client(1, WEB, place(box))
    with box.nfs.etab.open("a") as etab:
        etab.write("/srv/theirs\t*(rw,sync)\n/srv/theirs\t10.0.0.0/8(ro)\n")
    seen = await listed(List(), box.on, quiet)
    assert seen.served == (SERVER,)
    assert seen.found == (
        Exported("nfs", True, ID, ROOT, WEB, f"/{ID}", whole=True, connected=True),
        Exported("nfs", False, client="*", place="/srv/theirs", whole=True),
        Exported("nfs", False, client="10.0.0.0/8", place="/srv/theirs", read_only=True, whole=True),
    )
    await revoke(box)
    assert table(box) == {("/srv/theirs", "*"), ("/srv/theirs", "10.0.0.0/8")}

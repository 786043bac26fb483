"""Volumes exported by the real nfsd and LIO: to one machine, refused to all others, and taken back while in use."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from appliance.errors import Conflict
from appliance.export import NOISE, chap_secret, initiator_name, target_name
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.exports import Granted, List, Revoked
from appliance.privileged.verbs.iscsi_exports import IscsiGrant, IscsiRevoke
from appliance.privileged.verbs.nfs_exports import NfsGrant, NfsRevoke
from tests.guest.inside import exports as bench
from tests.guest.inside.exports import FOREIGN, SERVER, WEB, Bench, ask, left, listed
from tests.guest.inside.programs import run

pytestmark = [pytest.mark.guest, pytest.mark.timeout(1800)]
ID, OTHER = "00000000000000a1", "00000000000000a2"
ROOT, SECOND = "00000000000000b1", "00000000000000b2"
EXT4 = "qrm.filesystem=ext4"
DOMAIN = "lab.test"
INITIATOR, STRANGER = initiator_name(DOMAIN, "web1"), initiator_name(DOMAIN, "foreign")
SECRET, WRONG = chap_secret(os.urandom(NOISE)), chap_secret(os.urandom(NOISE))
MANY = 100
"""Exports of each kind for the measurement."""


@pytest.fixture(scope="module")
def appliance() -> Iterator[Bench]:
    """With LVM, the helper in its unit, and two machines."""
    made = Bench()
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.fixture
def volumes(appliance: Bench) -> Iterator[Bench]:
    """Two with file systems; nothing is exported before and after, and nothing keeps them from being removed."""
    for key in (ROOT, SECOND):
        appliance.clone(key, EXT4)
    yield appliance
    for each in listed().values():
        ask(NfsRevoke(each.id) if each.kind == "nfs" else IscsiRevoke(each.id))
    for key in (ROOT, SECOND):
        appliance.remove(key)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a machine mounts its root."""
    mounted = tmp_path / "mounted"
    yield mounted
    bench.unmount(mounted)


def nfs(on: Bench, key: str = ID, volume: str = ROOT, address: str = WEB, read_only: bool = False) -> NfsGrant:
    return NfsGrant(key, on.group, volume, address, SERVER, read_only)


def iscsi(on: Bench, key: str = ID, volume: str = ROOT, secret: str = SECRET, read_only: bool = False) -> IscsiGrant:
    return IscsiGrant(key, on.group, volume, target_name(DOMAIN, key), INITIATOR, SERVER, key, secret, read_only)


def write_through(descriptor: int, data: bytes) -> None:
    """To the server, and no less."""
    os.write(descriptor, data)
    os.fsync(descriptor)


def in_use(on: Bench, volume: str) -> bool:
    """Whether anything in the kernel has it open."""
    row = run("dmsetup", "info", "--columns", "--noheadings", "--options", "open", f"{bench.GROUP}-v--{volume}")
    return row.strip() != "0"


def test_a_machine_has_its_root_and_nobody_else_has_anything(volumes: Bench, place: Path, tmp_path: Path) -> None:
    assert ask(nfs(volumes)) == Granted(SERVER, f"/{ID}")
    ask(nfs(volumes, OTHER, SECOND, FOREIGN))
    mounted = bench.mount("web", f"/{ID}", place)
    assert mounted.returncode == 0, mounted.stderr
    (place / "etc").mkdir()
    os.chown(place / "etc", 12345, 12345)
    assert (place.stat().st_uid, (place / "etc").stat().st_uid) == (0, 12345)
    assert "vers=4.2" in run("findmnt", "--noheadings", "--output", "OPTIONS", str(place))
    for machine, what in (("foreign", f"/{ID}"), ("web", f"/{OTHER}"), ("web", "/run"), ("foreign", "/../etc")):
        refused = bench.mount(machine, what, tmp_path / "refused")
        assert refused.returncode != 0, f"{machine} mounts {what}"
    for options in ("vers=3,nolock,retry=0", "vers=4.1,retry=0", "vers=4.0,retry=0"):
        assert bench.mount("web", f"/{ID}", tmp_path / "old", options).returncode != 0, options
    assert {each.client for each in listed().values()} == {WEB, FOREIGN}
    assert listed()[ID].connected
    assert not listed()[OTHER].connected


def test_above_its_export_a_machine_sees_nothing_of_others(volumes: Bench, place: Path) -> None:
    ask(nfs(volumes))
    ask(nfs(volumes, OTHER, SECOND, FOREIGN))
    mounted = bench.mount("web", "/", place)
    assert mounted.returncode == 0, mounted.stderr
    assert [each.name for each in place.iterdir()] == [ID]
    assert (place / ID / "lost+found").is_dir()
    with pytest.raises(OSError, match=r"Read-only|Permission"):
        (place / "mine").mkdir()
    ask(NfsRevoke(ID))
    with pytest.raises(OSError, match=r"."):
        list((place / ID).iterdir())


def test_a_root_is_taken_away_while_a_file_is_open(volumes: Bench, place: Path) -> None:
    ask(nfs(volumes))
    assert bench.mount("web", f"/{ID}", place).returncode == 0
    held = os.open(place / "held", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        write_through(held, b"before")
        begun = time.monotonic()
        assert ask(NfsRevoke(ID)) == Revoked()
        print(f"revoked with a file open: {time.monotonic() - begun:.2f} s")
        assert left(ID) == []
        assert not in_use(volumes, ROOT)
        with pytest.raises(OSError, match=r"."):
            write_through(held, b"after")
    finally:
        with suppress(OSError):  # once more: what was written is lost
            os.close(held)
    with pytest.raises(OSError, match=r"."):
        (place / "new").write_bytes(b"new")
    bench.unmount(place)
    assert bench.mount("web", f"/{ID}", place).returncode != 0
    assert ask(nfs(volumes)) == Granted(SERVER, f"/{ID}")
    assert bench.mount("web", f"/{ID}", place).returncode == 0
    assert (place / "held").read_bytes() == b"before"


def test_who_shares_a_root_keeps_it_when_another_loses_it(volumes: Bench, place: Path, tmp_path: Path) -> None:
    run("lvchange", "--permission", "r", f"{bench.GROUP}/v-{ROOT}")
    with pytest.raises(Conflict) as caught:
        ask(nfs(volumes))
    assert caught.value.code == "volume-read-only"
    ask(nfs(volumes, ID, address=WEB, read_only=True))
    ask(nfs(volumes, OTHER, address=FOREIGN, read_only=True))
    other = tmp_path / "other"
    try:
        assert bench.mount("web", f"/{ID}", place).returncode == 0
        assert bench.mount("foreign", f"/{OTHER}", other).returncode == 0
        with pytest.raises(OSError, match="Read-only"):
            (other / "x").write_bytes(b"x")
        descriptor = os.open(other / "lost+found", os.O_RDONLY)
        ask(NfsRevoke(ID))
        assert left(ID) == []
        with pytest.raises(OSError, match=r"."):
            list(place.iterdir())
        assert list(other.iterdir())
        os.close(descriptor)
    finally:
        bench.unmount(other)


def test_a_grant_survives_the_helper_and_a_restart_of_the_server(volumes: Bench, place: Path) -> None:
    ask(nfs(volumes))
    assert bench.mount("web", f"/{ID}", place, "vers=4.2").returncode == 0
    (place / "kept").write_bytes(b"kept")
    run("systemctl", "kill", "--signal=KILL", "appliance-helper.service")
    run("systemctl", "restart", "nfs-server.service")
    assert (place / "kept").read_bytes() == b"kept"
    assert listed()[ID].whole


def test_a_server_that_runs_listens_at_another_address_too(volumes: Bench, place: Path) -> None:
    """Whoever has files open goes on."""
    ask(nfs(volumes))
    assert bench.mount("web", f"/{ID}", place).returncode == 0
    second = "192.0.2.2"
    run("ip", "address", "add", f"{second}/24", "dev", "eth0")
    try:
        held = os.open(place / "held", os.O_WRONLY | os.O_CREAT, 0o600)
        granted = ask(NfsGrant(OTHER, volumes.group, SECOND, FOREIGN, second))
        write_through(held, b"goes on")
        os.close(held)
        assert granted == Granted(second, f"/{OTHER}")
        run("systemctl", "restart", "nfs-server.service")
        assert {SERVER, second} <= set(run("nfsdctl", "listener").replace("tcp:", "").replace(":2049", "").split())
    finally:
        run("ip", "address", "delete", f"{second}/24", "dev", "eth0")


def test_who_knows_the_secret_gets_the_disk_and_nobody_else(volumes: Bench) -> None:
    granted = ask(iscsi(volumes))
    target = granted.place
    try:
        assert target not in bench.discovered(STRANGER), "who is not admitted is told that there is something"
        assert target in bench.discovered(INITIATOR)
        assert not bench.log_in(target, STRANGER, ID, SECRET)
        bench.log_out(target)
        assert not bench.log_in(target, INITIATOR, ID, WRONG)
        bench.log_out(target)
        assert not bench.log_in(target, INITIATOR, "somebody", SECRET)
        bench.log_out(target)
        assert bench.log_in(target, INITIATOR, ID, SECRET)
        disk = bench.disk(target)
        assert int(run("blockdev", "--getsize64", str(disk))) == 128 << 20
        run("mkfs.ext4", "-q", str(disk))
        run("blkdiscard", "--force", str(disk))
        assert listed()[ID].connected
        assert EXT4 not in run("lvs", "--noheadings", "--options", "lv_tags", f"{bench.GROUP}/v-{ROOT}")
    finally:
        bench.log_out(target)


def test_a_session_ends_with_the_export(volumes: Bench) -> None:
    target = ask(iscsi(volumes)).place
    try:
        assert bench.log_in(target, INITIATOR, ID, SECRET)
        disk = bench.disk(target)
        read = ["dd", f"if={disk}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct"]
        run(*read)
        assert in_use(volumes, ROOT)
        begun = time.monotonic()
        assert ask(IscsiRevoke(ID)) == Revoked()
        print(f"revoked with a session: {time.monotonic() - begun:.2f} s")
        assert left(ID) == []
        assert not in_use(volumes, ROOT)
        assert subprocess.run(read, check=False, capture_output=True, timeout=300).returncode != 0
    finally:
        bench.log_out(target)
    assert not bench.log_in(target, INITIATOR, ID, SECRET)
    bench.log_out(target)


def test_a_disk_survives_the_helper_and_takes_a_new_secret(volumes: Bench) -> None:
    target = ask(iscsi(volumes)).place
    try:
        assert bench.log_in(target, INITIATOR, ID, SECRET)
        disk = bench.disk(target)
        run("systemctl", "kill", "--signal=KILL", "appliance-helper.service")
        run("dd", f"if={disk}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct")
        ask(iscsi(volumes, secret=WRONG))
        run("dd", f"if={disk}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct", "skip=1")
        assert listed()[ID].connected, "the session goes on"
        bench.log_out(target)
        assert not bench.log_in(target, INITIATOR, ID, SECRET)
        bench.log_out(target)
        assert bench.log_in(target, INITIATOR, ID, WRONG)
    finally:
        bench.log_out(target)


def test_nobody_writes_to_a_disk_that_is_read_only(volumes: Bench) -> None:
    target = ask(iscsi(volumes, read_only=True)).place
    try:
        assert bench.log_in(target, INITIATOR, ID, SECRET)
        write = ["dd", "if=/dev/zero", f"of={bench.disk(target)}", "bs=4096", "count=1", "oflag=direct"]
        assert subprocess.run(write, check=False, capture_output=True, timeout=300).returncode != 0
        assert EXT4 in run("lvs", "--noheadings", "--options", "lv_tags", f"{bench.GROUP}/v-{ROOT}")
    finally:
        bench.log_out(target)


def test_a_volume_is_one_machine_s(volumes: Bench) -> None:
    ask(nfs(volumes))
    for verb in (iscsi(volumes, OTHER, read_only=True), nfs(volumes, OTHER, address=FOREIGN)):
        with pytest.raises(Conflict) as caught:
            ask(verb)
        assert caught.value.code == "volume-in-use"
    ask(NfsRevoke(ID))
    ask(iscsi(volumes))
    with pytest.raises(Conflict) as caught:
        ask(nfs(volumes, OTHER))
    assert caught.value.code in ("volume-in-use", "volume-not-filled")
    with pytest.raises(RuntimeError, match=r"in use"):
        volumes.remove(ROOT)


def test_what_others_export_is_shown_and_stays(volumes: Bench, tmp_path: Path) -> None:
    ask(nfs(volumes))
    run("exportfs", "-i", "-o", "ro,fsid=77,no_subtree_check", f"{FOREIGN}:/run/systemd")
    theirs = [each for each in ask(List()).found if not each.ours]
    assert [(each.place, each.client) for each in theirs] == [("/run/systemd", FOREIGN)]
    ask(NfsRevoke(ID))
    assert [each.place for each in ask(List()).found] == ["/run/systemd"]
    run("exportfs", "-u", f"{FOREIGN}:/run/systemd")


def until_it_ends(verb: Verb[object], check: Callable[[int], None]) -> int:
    """Kill the helper after each of its changes, one after the other; how many there are."""
    steps = 0
    while True:
        steps += 1
        ended = bench.dying(verb, steps)
        check(steps)
        if ended == 0:
            return steps
        assert steps < 200


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["nfs", "iscsi"])
def test_a_grant_that_is_killed_after_any_change_is_finished_or_taken_back(
    volumes: Bench, place: Path, kind: str
) -> None:
    grant, revoke = (nfs(volumes), NfsRevoke(ID)) if kind == "nfs" else (iscsi(volumes), IscsiRevoke(ID))

    def check(step: int) -> None:
        assert set(listed()) <= {ID}
        if step % 2:
            ask(grant)
            assert listed()[ID].whole
            if kind == "nfs":
                assert bench.mount("web", f"/{ID}", place).returncode == 0
                bench.unmount(place)
        ask(revoke)
        assert left(ID) == []
        assert not in_use(volumes, ROOT)

    assert until_it_ends(grant, check) > 4
    assert len(bench.stale_ground()) <= 1, "one is used again by the next"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["nfs", "iscsi"])
def test_a_revocation_that_is_killed_after_any_change_is_finished(volumes: Bench, kind: str) -> None:
    grant, revoke = (nfs(volumes), NfsRevoke(ID)) if kind == "nfs" else (iscsi(volumes), IscsiRevoke(ID))

    def check(step: int) -> None:
        ask(revoke)
        assert left(ID) == []
        assert listed() == {}
        assert not in_use(volumes, ROOT)
        ask(grant)

    ask(grant)
    assert until_it_ends(revoke, check) > 3


@pytest.mark.timeout(5400)
def test_many_are_granted_and_revoked(appliance: Bench) -> None:
    """Side by side with what the programs alone take; run with -rP to see it."""
    keys = [f"{number:016x}" for number in range(0x1000, 0x1000 + MANY)]
    for key in keys:
        appliance.clone(key, EXT4)
    try:
        for kind in ("nfs", "iscsi"):
            grants: list[Verb[Granted]] = [
                nfs(appliance, key, key, f"192.0.2.{20 + number}") if kind == "nfs" else iscsi(appliance, key, key)
                for number, key in enumerate(keys)
            ]
            revokes: list[Verb[Revoked]] = [NfsRevoke(key) if kind == "nfs" else IscsiRevoke(key) for key in keys]
            granted = [timed(verb) for verb in grants]
            assert {key for key, each in listed().items() if each.whole} == set(keys)
            looked = timed(List())
            revoked = [timed(verb) for verb in revokes]
            assert listed() == {}
            assert [each for key in keys for each in left(key)] == []
            print(
                f"{kind}: {MANY} granted in {sum(granted):.1f} s (first {granted[0]:.2f}, last {granted[-1]:.2f}), "
                f"listed in {looked:.2f} s, revoked in {sum(revoked):.1f} s"
            )
    finally:
        for key in keys:
            appliance.remove(key)


def timed(verb: Verb[object]) -> float:
    """Seconds."""
    begun = time.monotonic()
    ask(verb)
    return time.monotonic() - begun

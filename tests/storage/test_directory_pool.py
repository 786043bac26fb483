"""Pools in a directory: what is believed of files, what is refused, and what is on the disk at each moment."""

import asyncio
import contextlib
import json
import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.storage import content, directory
from appliance.storage.directory import DirectoryPool, prepare
from appliance.volume import GRAIN, Filling, Format, NewVolume, VolumeId
from tests.contract.storage_deeds import DEEDS

REPOSITORY = Path(__file__).parents[2]
GOLDEN = NewVolume(VolumeId("0" * 15 + "1"), "golden", GRAIN, True)
WEB = NewVolume(VolumeId("0" * 15 + "2"), "web1", GRAIN)
SHOP = NewVolume(VolumeId("0" * 15 + "3"), "shop", GRAIN)


@pytest.fixture
def place(tmp_path):
    prepare(tmp_path)
    return tmp_path


@pytest.fixture
def pool(place):
    return roomy(place)


def roomy(place, **more):
    return DirectoryPool(place, lambda: 1e9, lambda _: Filling(1 << 30, 0), **more)


@pytest.fixture
def no_sharing(monkeypatch):
    """As on a file system whose files cannot share blocks."""
    monkeypatch.setattr(content, "share", lambda source, target: False)


def volumes(place):
    return place / "volumes"


def file_of(place, new, ending="raw"):
    return volumes(place) / f"{new.id}.{ending}"


async def refused(call):
    with pytest.raises(ApplianceError) as caught:
        await call
    assert caught.value.hint
    return caught.value.code


async def trouble(pool, new):
    return (await pool.look()).volume(new.id).trouble


async def test_a_volume_is_a_sparse_file_and_a_record(pool, place):
    await pool.create(WEB)
    seen = await pool.look()
    assert sorted(os.listdir(volumes(place))) == [f"{WEB.id}.json", f"{WEB.id}.raw"]
    assert seen.volumes[0].path == str(file_of(place, WEB))
    assert seen.volumes[0].used == 0
    assert seen.members == (str(place),)
    file_of(place, WEB).write_bytes(b"x" * 8192 + bytes(GRAIN - 8192))
    assert (await pool.look()).volumes[0].used >= 8192
    record = json.loads(file_of(place, WEB, "json").read_text())
    assert record == {
        "qrm": "volume",
        "name": "web1",
        "size": GRAIN,
        "read_only": False,
        "created": 1e9,
        "origin": None,
        "format": "raw",
        "needs": None,
    }
    assert {each.stat().st_mode & 0o777 for each in volumes(place).iterdir()} == {0o600}
    assert volumes(place).stat().st_mode & 0o777 == 0o700


async def test_a_clone_of_what_nobody_writes_is_an_overlay_where_blocks_cannot_be_shared(pool, place, no_sharing):
    await pool.create(GOLDEN)
    await pool.copy(GOLDEN.id, WEB)
    made = (await pool.look()).volume(WEB.id)
    assert (made.format, made.trouble) == (Format.QCOW2, "")
    told = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", made.path]))
    assert told["backing-filename"] == f"{GOLDEN.id}.raw", "it goes where its directory goes"
    assert told["backing-filename-format"] == "raw", "QEMU does not guess what is in it"
    assert file_of(place, GOLDEN).stat().st_mode & 0o222 == 0
    os.rename(volumes(place), place / "elsewhere")
    (place / "moved").mkdir()
    os.rename(place / "elsewhere", volumes(place / "moved"))
    assert await trouble(roomy(place / "moved"), WEB) == ""


async def test_a_copy_keeps_holes_and_is_not_made_of_what_is_written_meanwhile(pool, place, no_sharing, monkeypatch):
    await pool.create(WEB)
    with open(file_of(place, WEB), "r+b") as file:
        file.seek(GRAIN // 2)
        file.write(b"middle")
    await pool.copy(WEB.id, SHOP)
    assert file_of(place, SHOP).read_bytes() == file_of(place, WEB).read_bytes()
    assert (await pool.look()).volume(SHOP.id).used <= 64 << 10

    def writing(source, target, go_on, real=content.copy):
        real(source, target, go_on)
        with open(file_of(place, WEB), "r+b") as file:
            file.write(b"now")

    monkeypatch.setattr(content, "copy", writing)
    assert await refused(pool.copy(WEB.id, GOLDEN)) == "volume-in-use"
    assert (await pool.look()).volume(GOLDEN.id) is None
    assert len(os.listdir(volumes(place))) == 4


async def test_it_is_told_how_far_a_copy_is(pool, place, no_sharing, monkeypatch):
    monkeypatch.setattr(content, "AT_ONCE", GRAIN // 4)
    told = []
    await pool.create(WEB)
    file_of(place, WEB).write_bytes(b"x" * GRAIN)
    await roomy(place, hears=lambda *words: told.append(words)).copy(WEB.id, SHOP)
    assert told == [(part / 4, "copying web1") for part in range(4)]


@pytest.mark.parametrize("how", ["rb", "r+b"])
async def test_whoever_has_a_file_open_is_seen_in_another_process_too(pool, place, how):
    await pool.create(WEB)
    program = f"import sys; file = open({str(file_of(place, WEB))!r}, {how!r}); print(1, flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as other:
        other.stdout.readline()
        assert (await pool.look()).volumes[0].in_use
        assert await refused(pool.delete(WEB.id)) == "volume-in-use"
        other.stdin.close()
    assert not (await pool.look()).volumes[0].in_use


async def test_what_is_mapped_into_memory_is_in_use(pool, place):
    await pool.create(WEB)
    with open(file_of(place, WEB), "r+b") as file:
        mapped = mmap.mmap(file.fileno(), 4096)
    assert (await pool.look()).volumes[0].in_use
    mapped.close()
    assert not (await pool.look()).volumes[0].in_use


async def test_many_who_look_are_not_in_the_way_of_each_other(pool):
    await pool.create(WEB)
    for seen in await asyncio.gather(*(pool.look() for _ in range(50))):
        assert not seen.volumes[0].in_use


LIES = {
    "outside": ["create", "-q", "-f", "qcow2", "-b", "/etc/hostname", "-F", "raw"],
    "other": ["create", "-q", "-f", "qcow2", "-b", "notes.raw", "-F", "raw"],
    "nothing under it": ["create", "-q", "-f", "qcow2"],
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_image_that_takes_content_from_elsewhere_is_not_used(pool, place, no_sharing, lie):
    await pool.create(GOLDEN)
    await pool.copy(GOLDEN.id, WEB)
    image = file_of(place, WEB, "qcow2")
    image.unlink()
    (volumes(place) / "notes.raw").write_bytes(bytes(GRAIN))
    subprocess.run(["qemu-img", *LIES[lie], str(image), str(GRAIN)], check=True)
    assert "takes content from" in await trouble(pool, WEB)
    assert await refused(pool.copy(WEB.id, SHOP)) == "volume-troubled"
    assert await refused(pool.grow(WEB.id, 2 * GRAIN)) == "volume-troubled"


async def test_an_image_that_is_none_or_says_another_size(pool, place, no_sharing):
    await pool.create(GOLDEN)
    await pool.copy(GOLDEN.id, WEB)
    image = file_of(place, WEB, "qcow2")
    good = image.read_bytes()
    image.write_bytes(good[:24] + (512).to_bytes(8) + good[32:])
    assert "512 bytes" in await trouble(pool, WEB)
    for bad in (b"", good[:40], b"\0" * len(good), good[:79] + b"\x04" + good[80:], good[:35] + b"\1" + good[36:]):
        image.write_bytes(bad)
        assert await trouble(pool, WEB)
    image.write_bytes(good)
    assert await trouble(pool, WEB) == ""


async def test_a_file_that_lost_its_end_or_is_gone(pool, place):
    await pool.create(WEB)
    os.truncate(file_of(place, WEB), GRAIN - 1)
    assert "holds 4194303 bytes" in await trouble(pool, WEB)
    assert await refused(pool.create(WEB)) == "volume-id-taken"
    assert file_of(place, WEB).stat().st_size == GRAIN - 1, "it may hold all that is left"
    file_of(place, WEB).unlink()
    assert await trouble(pool, WEB) == "its file is not there"
    await pool.create(SHOP)
    assert await pool.mend() == (), "nothing is thrown away for that"
    for call in (pool.create(WEB), pool.copy(SHOP.id, WEB)):
        assert await refused(call) == "volume-id-taken"
    assert file_of(place, WEB, "json").exists()
    await pool.delete(SHOP.id)
    await pool.delete(WEB.id)
    assert os.listdir(volumes(place)) == []


@pytest.mark.parametrize("kind", ["link", "hanging", "directory", "pipe"])
async def test_what_stands_in_the_place_of_a_file_is_not_followed(pool, place, kind):
    await pool.create(WEB)
    secret, at = place / "secret", file_of(place, WEB)
    secret.write_bytes(b"s" * GRAIN)
    at.unlink()
    make = {
        "link": lambda: at.symlink_to(secret),
        "hanging": lambda: at.symlink_to(place / "new"),
        "directory": at.mkdir,
        "pipe": lambda: os.mkfifo(at),
    }
    make[kind]()
    assert await trouble(pool, WEB) == "its file is not there"
    for call in (pool.grow(WEB.id, 2 * GRAIN), pool.copy(WEB.id, SHOP), pool.rename(WEB.id, "other")):
        assert await refused(call) == "volume-troubled"
    await pool.mend()
    if kind != "directory":
        await pool.delete(WEB.id)
        assert os.listdir(volumes(place)) == []
    assert secret.read_bytes() == b"s" * GRAIN
    assert not (place / "new").exists()


async def test_a_record_that_is_a_link_is_none(pool, place):
    await pool.create(WEB)
    record = file_of(place, WEB, "json")
    record.rename(place / "record")
    record.symlink_to(place / "record")
    seen = await pool.look()
    assert seen.volumes == ()
    assert {(each.name, each.what) for each in seen.foreign} == {(record.name, "a link"), (f"{WEB.id}.raw", "a file")}
    assert await refused(pool.create(WEB)) == "volume-id-taken"
    assert file_of(place, WEB).exists()


@pytest.mark.parametrize("how", ["link", "file", "nothing"])
async def test_a_directory_that_is_none(tmp_path, how):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    if how == "link":
        volumes(tmp_path).symlink_to(tmp_path / "elsewhere")
    elif how == "file":
        volumes(tmp_path).write_text("")
    assert await refused(DirectoryPool(tmp_path).look()) == "pool-missing"


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
async def test_a_directory_that_others_may_write_to_is_refused(pool, place, mode):
    volumes(place).chmod(mode)
    assert await refused(pool.look()) == "pool-shared"
    assert await refused(pool.create(WEB)) == "pool-shared"


async def test_a_file_system_that_cannot_tell_who_has_a_file_open_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "is_open", lambda descriptor: True)
    with pytest.raises(ApplianceError) as caught:
        prepare(tmp_path)
    assert caught.value.code == "pool-unsuited"
    assert os.listdir(volumes(tmp_path)) == []


async def test_preparing_is_done_once(pool, place):
    await pool.create(WEB)
    prepare(place)
    assert len((await pool.look()).volumes) == 1
    with pytest.raises(ApplianceError) as caught:
        prepare(place / "not" / "there")
    assert caught.value.code == "storage-failed"


async def test_names_that_are_no_text_are_shown_as_well_as_can_be(pool, place):
    with open(os.fsencode(volumes(place)) + b"/\xff\n<b>", "wb"):
        """A name that no UTF-8 is."""
    (found,) = (await pool.look()).foreign
    assert found.name == "\ufffd\n<b>"
    json.dumps(found.name).encode()


async def test_a_record_that_was_not_written_to_its_end_goes_and_no_other(pool, place):
    await pool.create(WEB)
    for ending in ("json.part", "making.part"):
        file_of(place, SHOP, ending).write_bytes(b'{"qr')
    file_of(place, GOLDEN, "json.part").write_bytes(b"{else")
    file_of(place, WEB, "coming").write_bytes(b"half")
    file_of(place, WEB, "making").write_bytes(b"of somebody else")
    assert len(await pool.mend()) == 3
    left = {f"{WEB.id}.json", f"{WEB.id}.raw", f"{GOLDEN.id}.json.part", f"{WEB.id}.making"}
    assert set(os.listdir(volumes(place))) == left
    assert {each.name for each in (await pool.look()).foreign} == {f"{GOLDEN.id}.json.part", f"{WEB.id}.making"}


async def test_a_disk_that_fails_is_told_and_leaves_nothing_half_made(pool, place, monkeypatch):
    def fails(*_):
        raise OSError(5, "Input/output error")

    await pool.create(WEB)
    before = set(os.listdir(volumes(place)))
    with monkeypatch.context() as broken:
        broken.setattr(content, "copy", fails)
        broken.setattr(content, "share", lambda source, target: False)
        assert await refused(pool.copy(WEB.id, SHOP)) == "storage-failed"
    with monkeypatch.context() as broken:
        broken.setattr(os, "ftruncate", fails)
        assert await refused(pool.create(SHOP)) == "storage-failed"
        assert await refused(pool.grow(WEB.id, 2 * GRAIN)) == "storage-failed"
    assert set(os.listdir(volumes(place))) == before
    assert await pool.mend() == ()


async def test_without_qemu_img_it_is_said_what_is_missing(pool, place, no_sharing, monkeypatch):
    await pool.create(GOLDEN)
    monkeypatch.setenv("PATH", str(place))
    assert await refused(pool.copy(GOLDEN.id, WEB)) == "program-missing"
    assert [each.id for each in (await pool.look()).volumes] == [GOLDEN.id]


async def test_what_qemu_img_says_is_told(pool, no_sharing, monkeypatch, tmp_path):
    await pool.create(GOLDEN)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "qemu-img"
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    for words, code in (("Input/output error", "storage-failed"), ("No space left on device", "pool-too-small")):
        program.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
        program.chmod(0o755)
        assert await refused(pool.copy(GOLDEN.id, WEB)) == code
    assert [each.id for each in (await pool.look()).volumes] == [GOLDEN.id]


async def test_who_is_cancelled_waits_until_nothing_goes_on_behind_our_back(place, no_sharing):
    """A lock on the pool is given back only then."""
    begun, go_on, steps = threading.Event(), threading.Event(), []

    def step():
        steps.append(len(steps))
        if len(steps) == 5:
            begun.set()
            go_on.wait(60)

    await roomy(place).create(WEB)
    pool = roomy(place, step=step)
    async with asyncio.TaskGroup() as tasks:
        copying = tasks.create_task(pool.copy(WEB.id, SHOP))
        await asyncio.to_thread(begun.wait, 60)
        for _ in range(2):
            copying.cancel()
            await asyncio.sleep(0)
        assert not copying.done()
        go_on.set()
        with contextlib.suppress(asyncio.CancelledError):
            await copying
    assert sorted(os.listdir(volumes(place))) == [f"{WEB.id}.json", f"{WEB.id}.raw"]


@pytest.mark.parametrize("sharing", [True, False])
async def test_no_file_has_its_name_before_it_is_on_the_disk(place, sharing, monkeypatch):
    """What a power cut leaves is old or new: content is there before the name that says so."""
    synced, told, sync, rename = set(), [], os.fsync, os.rename

    def syncing(descriptor):
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def renaming(old, new, *, src_dir_fd, dst_dir_fd):
        found = os.stat(old, dir_fd=src_dir_fd)
        beside = os.stat(new.split(".")[0] + ".raw", dir_fd=src_dir_fd) if new.endswith(".json") else found
        told.append((new.partition(".")[2], {found.st_ino, beside.st_ino} <= synced))
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        synced.discard(os.fstat(src_dir_fd).st_ino)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    if not sharing:
        monkeypatch.setattr(content, "share", lambda source, target: False)
    pool = roomy(place)
    await pool.create(WEB)
    kept = NewVolume(GOLDEN.id, "kept", GRAIN, True)
    await pool.copy(WEB.id, kept)
    await pool.roll_back(WEB.id, kept.id)
    await pool.grow(WEB.id, 2 * GRAIN)
    await pool.rename(WEB.id, "shop")
    await pool.delete(WEB.id)
    assert [name for name, _ in told] == ["making", "json", "making", "json", "raw", "json", "json", "removing"]
    assert all(good for _, good in told)
    assert volumes(place).stat().st_ino in synced, "names, too"


async def test_a_directory_with_many_volumes(pool, place):
    await pool.create(WEB)
    record = file_of(place, WEB, "json").read_text()
    for number in range(100, 400):
        new = NewVolume(VolumeId(f"{number:016x}"), f"many{number}", GRAIN)
        file_of(place, new, "json").write_text(record.replace("web1", new.name))
        with open(file_of(place, new), "wb") as file:
            file.truncate(GRAIN)
    seen = await pool.look()
    assert len(seen.volumes) == 301
    assert not any(each.trouble or each.in_use for each in seen.volumes)
    assert seen.promised == 301 * GRAIN


async def test_the_room_of_the_file_system_is_the_room_of_the_pool(place):
    seen, said = await DirectoryPool(place).look(), os.statvfs(place)
    assert seen.data.total == said.f_blocks * said.f_frsize
    assert 0 < seen.data.used <= seen.data.total
    assert seen.largest % GRAIN == 0
    assert seen.largest <= seen.data.total


def on_a_full_file_system(tmp_path, names):
    argv = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "tests.storage.full_file_system"]
    done = subprocess.run([*argv, tmp_path, *names], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout == "whole\n", done.stderr


def test_what_does_not_fit_leaves_nothing_behind(tmp_path):
    on_a_full_file_system(tmp_path, ["snapshot"])


@pytest.mark.slow
def test_nothing_that_does_not_fit_leaves_anything_behind(tmp_path):
    on_a_full_file_system(tmp_path, [each.name for each in DEEDS])


def churn(what, place):
    argv = [sys.executable, "-m", "tests.storage.volume_churn", what, str(place)]
    return subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_who_is_killed_leaves_what_can_be_mended(tmp_path):
    assert churn("begin", tmp_path).wait() == 0
    with churn("go-on", tmp_path) as busy:
        for _ in range(2):
            assert busy.stdout.readline(), busy.stderr.read()
        busy.kill()
    out, words = churn("check", tmp_path).communicate()
    assert out == "whole\n", words

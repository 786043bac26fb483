"""Root file systems that are made of images: all that a root needs is in them, and no more of a stranger than that."""

import asyncio
import gzip
import hashlib
import io
import lzma
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import command
from appliance.errors import ApplianceError
from appliance.filesystem import ext4, make, stored
from appliance.filesystem.make import Order
from appliance.filesystem.stored import Stored
from appliance.imageformat import tar as archives
from tests.filesystem.read_back import asked, content, device, head, inode, names, sound, target
from tests.imageformat.image_files import entry, system, tar

UUID = ext4.uuid_for("000000000000001a")
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
Content = tuple[tarfile.TarInfo, bytes]


def owned(name: str, user: int, group: int, mode: int, data: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> Content:
    found = entry(name, kind, data if kind == tarfile.REGTYPE else b"")
    found.uid, found.gid, found.mode, found.mtime = user, group, mode, 1_600_000_000
    return found, data if kind == tarfile.REGTYPE else b""


def special(name: str, kind: bytes, major: int, minor: int) -> Content:
    found = entry(name, kind)
    found.devmajor, found.devminor, found.mode = major, minor, 0o666
    return found, b""


def linked(name: str, to: str, mode: int) -> Content:
    """As programs write it: with what is true of the other name, too."""
    found = entry(name, tarfile.LNKTYPE, target=to)
    found.mode = mode
    return found, b""


def capable(name: str) -> Content:
    found = entry(name, content=b"ping")
    found.pax_headers = {"SCHILY.xattr.security.capability": CAPABILITY.decode("utf-8", "surrogateescape")}
    return found, b"ping"


def everything() -> bytes:
    """A root with one of each."""
    return system(
        owned("./etc", 0, 0, 0o755, kind=tarfile.DIRTYPE),
        owned("./home", 0, 0, 0o711, kind=tarfile.DIRTYPE),
        owned("./home/ada", 1000, 1001, 0o750, kind=tarfile.DIRTYPE),
        owned("./home/ada/notes and 'quotes'", 1000, 1001, 0o640, b"mine"),
        owned("./usr/bin/sudo", 0, 0, 0o4755, b"root"),
        owned("./usr/share/" + "long" * 60, 0, 0, 0o644, b"far"),
        linked("./usr/bin/other", "./usr/bin/sudo", 0o4755),
        (entry("./usr/far", tarfile.SYMTYPE, target="t" * 100), b""),
        owned("./dev", 0, 0, 0o755, kind=tarfile.DIRTYPE),
        special("./dev/null", tarfile.CHRTYPE, 1, 3),
        special("./dev/sda", tarfile.BLKTYPE, 8, 0),
        special("./dev/initctl", tarfile.FIFOTYPE, 0, 0),
        capable("./usr/bin/ping"),
        owned("./usr/zeros", 0, 0, 0o600, bytes(9 << 20)),
        owned("./usr/large", 70_000, 80_000, 0o600, os.urandom(3 << 20) + bytes(1 << 20) + b"end"),
        owned("./lost+found", 0, 0, 0o700, kind=tarfile.DIRTYPE),
        owned("./usr/lib", 0, 0, 0o755, kind=tarfile.DIRTYPE),
    )


def laid_out(data: bytes) -> bytes:
    """Directories before what is in them, as mke2fs wants it and programs pack it."""
    with tarfile.open(fileobj=io.BytesIO(data)) as given:
        entries = [(each, given.extractfile(each) if each.isreg() else None) for each in given.getmembers()]
        there = {each.name for each, _ in entries}
        missing = {f"./{name}" for name in ("usr", "usr/bin", "usr/lib", "usr/share", "etc")} - there
        entries += [(owned(name, 0, 0, 0o755, kind=tarfile.DIRTYPE)[0], None) for name in missing]
        ordered = sorted(entries, key=lambda each: (not each[0].isdir(), each[0].name.count("/")))
        return tar(*[(each, file.read() if file else b"") for each, file in ordered])


def order(directory: Path, data: bytes, form: str = "tar", least: int = 0) -> Order:
    path = directory / "image"
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return Order(Stored(path, form, len(data)), digest, directory / "000000000000001a", UUID, least)


def any_room(_: Path, __: int) -> None:
    """There is."""


async def made(given: Order) -> Path:
    size = await make.make(given, any_room, lambda _, __: None)
    assert given.target.stat().st_size == size
    assert sound(given.target)
    return given.target


async def test_all_that_a_root_needs_is_in_it(tmp_path: Path) -> None:
    root = await made(order(tmp_path, laid_out(everything())))
    notes = inode(root, "/home/ada/notes and 'quotes'")
    assert (notes.mode, notes.user, notes.group, notes.size) == (0o640, 1000, 1001, 4)
    assert content(root, "/home/ada/notes and 'quotes'") == b"mine"
    assert inode(root, "/home/ada").mode == 0o750
    sudo, other = inode(root, "/usr/bin/sudo"), inode(root, "/usr/bin/other")
    assert (sudo.mode, sudo.links, sudo.number) == (0o4755, 2, other.number)
    assert content(root, "/usr/share/" + "long" * 60) == b"far"
    assert target(root, "/usr/far") == "t" * 100
    assert target(root, "/bin") == "usr/bin"
    assert (inode(root, "/dev/null").kind, device(root, "/dev/null")) == ("character special", (1, 3))
    assert (inode(root, "/dev/sda").kind, device(root, "/dev/sda")) == ("block special", (8, 0))
    assert inode(root, "/dev/initctl").kind == "FIFO"
    assert CAPABILITY.hex(" ") in asked(root, "ea_list /usr/bin/ping")
    large = inode(root, "/usr/large")
    assert (large.user, large.group) == (70_000, 80_000)
    assert content(root, "/usr/large").endswith(bytes(1 << 20) + b"end")
    assert inode(root, "/").user == 0


async def test_what_it_is_made_of_is_what_kernels_of_years_ago_mount(tmp_path: Path) -> None:
    said = head(await made(order(tmp_path, laid_out(system()))))
    assert said["Filesystem UUID"] == UUID
    assert set(said["Filesystem features"].split()) == set(ext4.FEATURES.split(",")) - {"none"}
    assert said["Filesystem state"] == "clean"
    assert int(said["Free blocks"]) * 4096 >= ext4.SPARE * 0.9


async def test_zeros_take_no_room(tmp_path: Path) -> None:
    root = await made(order(tmp_path, laid_out(everything()), least=8 << 30))
    assert root.stat().st_size == 8 << 30
    assert root.stat().st_blocks * 512 < 24 << 20


async def test_it_is_the_same_size_however_often_it_is_made(tmp_path: Path) -> None:
    given = order(tmp_path, laid_out(everything()))
    first = (await made(given)).stat().st_size
    assert (await made(given)).stat().st_size == first


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, "zstd"], ids=["gzip", "xz", "zstd"])
async def test_it_is_read_however_it_is_packed(tmp_path: Path, pack: Callable[[bytes], bytes] | str) -> None:
    data = laid_out(everything())
    if callable(pack):
        packed = pack(data)
    else:
        packed = subprocess.run([pack, "-q", "-c"], input=data, capture_output=True, check=True).stdout
    root = await made(order(tmp_path, packed))
    assert content(root, "/usr/bin/sudo") == b"root"
    assert names(root) >= {"usr", "etc", "home", "dev", "bin"}


async def test_a_squashfs_is_made_one_too(tmp_path: Path) -> None:
    squashed = tmp_path / "squashed"
    data = laid_out(everything())
    subprocess.run(["tar2sqfs", "--quiet", squashed], input=data, check=True)
    root = await made(order(tmp_path, squashed.read_bytes(), "squashfs"))
    sudo = inode(root, "/usr/bin/sudo")
    assert (sudo.mode, sudo.links) == (0o4755, 2)
    assert device(root, "/dev/null") == (1, 3)
    assert CAPABILITY.hex(" ") in asked(root, "ea_list /usr/bin/ping")
    assert content(root, "/home/ada/notes and 'quotes'") == b"mine"
    assert inode(root, "/home/ada").user == 1000


@pytest.mark.parametrize(
    ("hostile", "code"),
    [
        ([entry("../etc/cron.d/mine")], "image-escapes"),
        ([entry("/etc/passwd")], "image-escapes"),
        ([entry("./usr/sda", tarfile.BLKTYPE)], "image-escapes"),
        ([entry("./tmp", tarfile.SYMTYPE, target="/"), entry("./tmp/passwd")], "image-escapes"),
        ([entry("./x", tarfile.LNKTYPE, target="../../etc/shadow")], "image-escapes"),
        ([entry("./x", tarfile.LNKTYPE, target="./nothing")], "filesystem-failed"),
        ([entry("./usr/bin/sh/x", content=b"")], "filesystem-failed"),
        ([entry("./nowhere/x", content=b"")], "filesystem-failed"),
    ],
)
async def test_tricks_make_nothing(tmp_path: Path, hostile: list[tarfile.TarInfo], code: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(laid_out(system()))) as given:
        good = [(each, given.extractfile(each) if each.isreg() else None) for each in given.getmembers()]
        data = tar(*[(each, file.read() if file else b"") for each, file in good], *[(each, b"") for each in hostile])
    wanted = order(tmp_path, data)
    with pytest.raises(ApplianceError) as caught:
        await make.make(wanted, any_room, lambda _, __: None)
    assert caught.value.code == code, caught.value.message
    assert caught.value.hint
    assert not wanted.target.exists()


async def test_links_that_lead_elsewhere_stay_links(tmp_path: Path) -> None:
    """Who mounts it follows them in its own root."""
    links = [(entry(name, tarfile.SYMTYPE, target=to), b"") for name, to in (("./a", "/etc/shadow"), ("./b", "../.."))]
    root = await made(order(tmp_path, laid_out(system(*links))))
    assert (target(root, "/a"), target(root, "/b")) == ("/etc/shadow", "../..")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
async def test_what_is_cut_off_makes_nothing(tmp_path: Path, cut: float) -> None:
    data = gzip.compress(laid_out(everything()))
    wanted = order(tmp_path, data[: int(len(data) * cut)])
    with pytest.raises(ApplianceError):
        await make.make(wanted, any_room, lambda _, __: None)
    assert not wanted.target.exists()


async def test_a_stored_file_that_has_changed_by_itself_is_told_of(tmp_path: Path) -> None:
    wanted = order(tmp_path, laid_out(system()))
    wanted.image.path.write_bytes(wanted.image.path.read_bytes().replace(b"Debian", b"Debiam"))
    with pytest.raises(ApplianceError) as caught:
        await make.make(wanted, any_room, lambda _, __: None)
    assert caught.value.code == "image-damaged"


async def test_a_disk_is_none(tmp_path: Path) -> None:
    with pytest.raises(ApplianceError) as caught:
        await make.make(order(tmp_path, bytes(1 << 20), "raw"), any_room, lambda _, __: None)
    assert caught.value.code == "image-not-deployable"


def squashed(directory: Path, data: bytes) -> bytes:
    """A squashfs of an archive."""
    path = directory / "squashed"
    subprocess.run(["tar2sqfs", "--quiet", path], input=data, check=True)
    return path.read_bytes()


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstd, "squashfs"])
async def test_a_bomb_is_defused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes] | str
) -> None:
    monkeypatch.setattr("appliance.imageformat.unpacking.GRACE", 1 << 20)
    zeros = system(owned("./usr/zeros", 0, 0, 0o600, bytes(64 << 20)))
    given = order(tmp_path, squashed(tmp_path, zeros), pack) if isinstance(pack, str) else order(tmp_path, pack(zeros))
    with pytest.raises(ApplianceError) as caught:
        await make.make(given, any_room, lambda _, __: None)
    assert caught.value.code == "image-bomb"
    assert not given.target.exists()


async def test_a_disk_of_the_appliance_in_a_squashfs_makes_nothing(tmp_path: Path) -> None:
    """By NFS, whoever could open it there would have the appliance's own disk; below /dev it is hidden by a mount."""
    hostile = laid_out(system(special("./usr/sda", tarfile.BLKTYPE, 8, 0)))
    given = order(tmp_path, squashed(tmp_path, hostile), "squashfs")
    with pytest.raises(ApplianceError) as caught:
        await make.make(given, any_room, lambda _, __: None)
    assert caught.value.code == "image-escapes"
    assert not given.target.exists()


@pytest.mark.parametrize("place", [0, 48, 64, 72])
async def test_a_squashfs_whose_tables_lie_makes_nothing_and_ends(tmp_path: Path, place: int) -> None:
    """Its header says where the tables of users, inodes and directories begin. How long it is was looked at before."""
    data = bytearray(squashed(tmp_path, laid_out(everything())))
    data[place : place + 8] = b"\xff" * 8
    given = order(tmp_path, bytes(data), "squashfs")
    with pytest.raises(ApplianceError):
        await make.make(given, any_room, lambda _, __: None)
    assert not given.target.exists()


async def test_an_estimate_that_was_too_small_is_made_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ext4, "SPARE", -(40 << 20))
    many = [owned(f"./usr/share/file{number}", 0, 0, 0o644, os.urandom(50_000)) for number in range(400)]
    given = order(tmp_path, laid_out(system(owned("./usr/share", 0, 0, 0o755, kind=tarfile.DIRTYPE), *many)))
    real = ext4.size_for
    monkeypatch.setattr(ext4, "size_for", lambda needs, least=0: max(40 << 20, least) if least < (40 << 20) else least)
    root = await made(given)
    monkeypatch.setattr(ext4, "size_for", real)
    assert len(names(root, "/usr/share")) == 400


async def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    heard: list[tuple[float, str]] = []
    await make.make(order(tmp_path, laid_out(everything())), any_room, lambda at, words: heard.append((at, words)))
    shares = [at for at, _ in heard]
    assert shares == sorted(shares)
    assert len({words for _, words in heard}) == 4


async def test_room_is_asked_for_before_anything_is_written(tmp_path: Path) -> None:
    def none(_: Path, needed: int) -> None:
        assert 4 << 20 < needed < 64 << 20
        raise ApplianceError("upload-failed", "there is no room", "make some")

    wanted = order(tmp_path, laid_out(everything()))
    with pytest.raises(ApplianceError, match="no room"):
        await make.make(wanted, none, lambda _, __: None)
    assert not wanted.target.exists()


@pytest.mark.parametrize("words", ["checking the image", "counting", "filling"])
async def test_who_is_cancelled_leaves_nothing(tmp_path: Path, words: str) -> None:
    wanted, reached = order(tmp_path, laid_out(everything())), asyncio.Event()
    loop = asyncio.get_running_loop()

    def told(_: float, said: str) -> None:
        if said == words:
            loop.call_soon_threadsafe(reached.set)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(make.make(wanted, any_room, told))
        await reached.wait()
        task.cancel()
    assert task.cancelled()
    assert not wanted.target.exists()


async def test_programs_that_are_too_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def old(*_: object) -> str:
        return "mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0"

    monkeypatch.setattr(command, "heard", old)
    with pytest.raises(ApplianceError) as caught:
        await make.check_programs("tar")
    assert caught.value.code == "mke2fs-old"
    assert "1.47.0" in caught.value.message


def test_what_is_needed_is_counted(tmp_path: Path) -> None:
    given = order(tmp_path, everything()).image
    with stored.archive(given) as content_of:
        needs = archives.needs_of(content_of)
    assert needs.inodes == 21
    assert 9 << 20 < needs.blocks * 4096 < 16 << 20
    assert ext4.size_for(needs) % (4 << 20) == 0
    assert ext4.size_for(needs, 1 << 40) == 1 << 40

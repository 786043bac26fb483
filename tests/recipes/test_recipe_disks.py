"""Whole disks by recipes: what mmdebstrap is told, and the disk that comes of its tree, as other tools see it."""

import io
import json
import os
import selectors
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from builder import disk as image_builder

from appliance.bootdisk import layout, loaders
from appliance.bootdisk.gpt import SECTOR
from appliance.imageformat.found import Found
from appliance.recipes import bootable, building, disk
from appliance.recipes.bootable import Identity
from appliance.recipes.building import FAILED, ORDER, SAID, make
from appliance.recipes.order import IMAGE, TREE, Order, bootstrap
from appliance.recipes.recipe import parsed
from appliance.recipes.shelf import OURS
from appliance.reconcile.recognising import looked_at
from tests.programs_of_debian_13 import first_in_path

RECIPE = parsed((OURS / "debian-13.toml").read_text())
IDENTITY = Identity(uuid.UUID("0f2b6c1e-0000-4000-8000-00000000abcd"))
ROOT = f"?offset={layout.ROOT_AT * SECTOR}"
OF_PAPER = """
import sys
from pathlib import Path
tree = Path(sys.argv[-2])
for name in ("core.img", "bootx64.efi", "grubx64.efi"):
    (tree.parent / name).write_bytes(name.encode() * 100)
(tree.parent / "boot.img").write_bytes(bytes(512))
tree.write_bytes(Path({packed!r}).read_bytes())
print("I: creating tarball...", file=sys.stderr)
"""
"""In the place of mmdebstrap."""


def said(*words: object) -> str:
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout


def order(place: Path, *packages: str) -> None:
    (place / ORDER).write_bytes(msgspec.json.encode(Order(RECIPE, packages, disk=True)))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With an order for a disk, on a computer that has everything; of mmdebstrap only what is above."""
    first_in_path(monkeypatch, tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "mmdebstrap").write_text(f"#!{sys.executable}\n{OF_PAPER.format(packed=str(tree(tmp_path)))}")
    (programs / "mmdebstrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin")
    monkeypatch.setattr(building, "missing", lambda keyring, *, whole_disk: "")
    where = tmp_path / "place"
    where.mkdir()
    order(where)
    return where


def tree(directory: Path) -> Path:
    """An archive as mmdebstrap leaves one."""
    packed = directory / "packed.tar"
    with tarfile.open(packed, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("./", "./etc/", "./boot/", "./dev/"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, owner, content in (("./etc/os-release", 0, b'ID="paper"\n'), ("./etc/users", 1234, b"u" * 200_000)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid = len(content), owner
            archive.addfile(entry, io.BytesIO(content))
    return packed


def unpacked(place: Path) -> Path:
    raw = place / "image.raw"
    said("zstd", "-q", "-d", "--sparse", place / IMAGE, "-o", raw)
    return raw


# -- what mmdebstrap is told


def test_mmdebstrap_is_told_of_kernel_and_boot_loaders_only_for_a_disk(tmp_path: Path) -> None:
    words = bootstrap(Order(RECIPE, ("nginx",), disk=True), tmp_path / "a place")
    (include,) = [each.partition("=")[2].split(",") for each in words if each.startswith("--include=")]
    assert {"linux-image-amd64", "initramfs-tools", "nginx", *loaders.PACKAGES} <= set(include)
    assert f"--essential-hook=upload '{tmp_path}/a place/kernel-img.conf' /etc/kernel-img.conf" in words
    assert f"--customize-hook=download {loaders.BOOT_SECTOR} '{tmp_path}/a place/boot.img'" in words
    assert "--skip=output/dev" not in words, "a root that starts by itself needs its /dev"
    alone = " ".join(bootstrap(Order(RECIPE), tmp_path))
    assert "--skip=output/dev" in alone
    assert "linux-image" not in alone
    assert "grub" not in alone


def test_grub_reads_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "grub.cfg"
    config.write_text(bootable.grub_config(IDENTITY))
    said("grub-script-check", config)
    assert config.read_text().count(f"root=UUID={IDENTITY.key}") == 2


def test_the_disk_s_fstab_names_its_own_file_systems() -> None:
    root, esp = bootable.fstab(IDENTITY).splitlines()
    assert root == f"UUID={IDENTITY.key} / ext4 errors=remount-ro 0 1"
    assert esp.startswith(f"UUID={IDENTITY.esp[:4]}-{IDENTITY.esp[4:]} /boot/efi vfat ")


# -- the disk that comes of a tree


def test_a_disk_is_made_that_has_no_fault(place: Path) -> None:
    assert make(place) == 0, (place / FAILED).read_text()
    found: Found = looked_at(place / IMAGE, "raw.zst", bool)
    assert (found.holds, found.architecture, found.sector_size) == ("gpt", "amd64", 512)
    assert "uefi" in found.firmware
    raw = unpacked(place)
    assert "No errors detected" in said("sfdisk", "--verify", raw)
    said("e2fsck", "-f", "-n", f"{raw}{ROOT}")
    assert said("debugfs", "-R", "cat /etc/os-release", f"{raw}{ROOT}") == 'ID="paper"\n'
    assert "User:  1234" in said("debugfs", "-R", "stat /etc/users", f"{raw}{ROOT}")
    key = (place / "fstab").read_text().partition(" ")[0].removeprefix("UUID=")
    assert f"Filesystem UUID:          {key}" in said("dumpe2fs", "-h", f"{raw}{ROOT}")
    esp = f"{raw}@@{layout.ESP_AT * SECTOR}"
    assert said("mtype", "-i", esp, "::/EFI/debian/grub.cfg") == loaders.UEFI_CONFIG
    serial = (place / "fstab").read_text().splitlines()[1].partition(" ")[0].removeprefix("UUID=")
    assert serial in said("mdir", "-i", esp, "::/")
    assert "DOS/MBR boot sector" in said("file", raw)
    assert not [name for name in (TREE, disk.ROOT) if (place / name).exists()], "what is as large as the disk is gone"
    shares = [json.loads(line)["share"] for line in (place / SAID).read_text().splitlines()]
    assert shares == sorted(shares)
    assert 0.95 < shares[-1] <= 1.0


def test_no_two_disks_have_the_same_identifiers(place: Path) -> None:
    assert make(place) == 0
    first = (place / "fstab").read_text()
    order(place)
    assert make(place) == 0
    assert (place / "fstab").read_text() != first


def test_where_there_is_no_room_for_the_file_system_none_is_begun(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room enough for packages, and not for what becomes of them."""
    monkeypatch.setattr(building.Building, "_free", staticmethod(lambda _: building.RESERVE + 1000))
    assert make(place) == 1
    assert json.loads((place / FAILED).read_bytes())["code"] == "recipe-no-room"
    assert not [name for name in (TREE, IMAGE, disk.ROOT) if (place / name).exists()]


def test_an_old_mke2fs_is_told_before_packages_are_fetched(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = place.parent / "programs" / "mke2fs"
    old.write_text('#!/bin/sh\necho "mke2fs 1.47.0 (5-Feb-2023)" >&2\n')
    old.chmod(0o755)
    assert make(place) == 1
    assert json.loads((place / FAILED).read_bytes())["code"] == "mke2fs-old"
    assert not (place / "core.img").exists()


def test_what_is_packed_is_what_image_builder_would_write(tmp_path: Path) -> None:
    for name, size in (("boot.img", 512), ("core.img", 3000), (disk.ESP, layout.ESP_SIZE * SECTOR)):
        (tmp_path / name).write_bytes(name.encode().ljust(size, b"\0"))
    (tmp_path / disk.ROOT).write_bytes(b"root" * 400_000)
    parts, size = disk.laid_out(tmp_path, IDENTITY)
    written = tmp_path / "written.raw"
    contents = {"esp": tmp_path / disk.ESP, "root": tmp_path / disk.ROOT}
    planned = layout.server((tmp_path / disk.ROOT).stat().st_size, IDENTITY.of)
    image_builder.write(planned, tmp_path, contents, written)
    assert b"".join(disk.pieces(parts, size)) == written.read_bytes()


def test_a_recipe_without_a_kernel_makes_a_root_file_system_still() -> None:
    text = (OURS / "debian-13.toml").read_text()
    begin = text.index("disk = [")
    assert parsed(text[:begin] + text[text.index("]", begin) + 1 :]).disk == ()


# -- all of it


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of real packages: those of this computer's mirror, with Debian's kernel for virtual machines."""
    where = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        first_in_path(patch, where)
        small = {
            "packages": ["systemd-sysv", "udev", "openssh-server", "python3"],
            "enable": ["ssh.service"],
            "mask": [],
        }
        small |= {"disk": ["linux-image-cloud-amd64", "initramfs-tools"]}
        told = msgspec.to_builtins(RECIPE)
        recipe = msgspec.convert(told | small | {"sources": told["sources"][:1]}, type(RECIPE))
        place = where / "place"
        place.mkdir(mode=0o755)
        (place / ORDER).write_bytes(msgspec.json.encode(Order(recipe, disk=True)))
        assert make(place) == 0, (place / FAILED).read_text()
        yield unpacked(place)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_small_debian_is_made_by_the_real_programs(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_in_path(monkeypatch, tmp_path)
    assert "No errors detected" in said("sfdisk", "--verify", real)
    said("e2fsck", "-f", "-n", f"{real}{ROOT}")
    for name in ("/dev", "/proc", "/sys", "/boot/efi", "/usr/sbin/sshd", "/usr/bin/python3"):
        assert "Inode:" in said("debugfs", "-R", f"stat {name}", f"{real}{ROOT}"), name
    assert "link_in_boot = yes" in said("debugfs", "-R", "cat /etc/kernel-img.conf", f"{real}{ROOT}")
    assert 'Fast link dest: "vmlinuz-' in said("debugfs", "-R", "stat /boot/vmlinuz", f"{real}{ROOT}")
    assert not [name for name in said("debugfs", "-R", "ls -p /boot", f"{real}{ROOT}").split("/") if name == "core.img"]
    loader = tmp_path / "shim"
    said("mcopy", "-i", f"{real}@@{layout.ESP_AT * SECTOR}", "::/EFI/BOOT/BOOTX64.EFI", loader)
    assert "PE32+ executable" in said("file", loader)


OVMF = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd")


@pytest.mark.vm
@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_it_starts_from_its_disk_to_a_prompt(firmware: str, real: Path, tmp_path: Path) -> None:
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-m", "1024", "-nic", "none"]
    command += ["-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-device", "virtio-rng-pci"]
    command += ["-drive", f"file={real},format=raw,if=virtio,snapshot=on"]
    if firmware == "uefi":
        variables = tmp_path / "variables.fd"
        variables.write_bytes(Path(OVMF[1]).read_bytes())
        command += ["-machine", "q35", "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF[0]}"]
        command += ["-drive", f"if=pflash,unit=1,format=raw,file={variables}"]
    assert b"localhost login:" in until(command, b"login:", 600.0)


def until(command: list[str], words: bytes, seconds: float) -> bytes:
    """What the machine said up to these words, or until time was up."""
    end, heard = time.monotonic() + seconds, b""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        assert machine.stdout
        try:
            with selectors.DefaultSelector() as ready:
                ready.register(machine.stdout, selectors.EVENT_READ)
                while words not in heard and ready.select(max(0.0, end - time.monotonic())):
                    if not (piece := os.read(machine.stdout.fileno(), 65536)):
                        break
                    heard += piece
        finally:
            machine.kill()
    return heard

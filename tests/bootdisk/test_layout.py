"""A whole disk, put together as image-builder does it, as independent readers see it: sfdisk, mtools, file."""

import subprocess
import uuid
from pathlib import Path

import pytest
from builder import disk

from appliance.bootdisk import fat, gpt, layout, loaders

SECTOR = gpt.SECTOR


def said(program: str, *words: str) -> str:
    where = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    return subprocess.run([program, *words], capture_output=True, text=True, check=True, env=where).stdout


def identify(part: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, part)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With stand-ins for boot loaders and root."""
    scratch = tmp_path_factory.mktemp("disk")
    for name in loaders.SIGNED:
        (scratch / name).write_bytes(name.encode() * 200)
    (scratch / "boot.img").write_bytes(bytes(512))
    (scratch / "core.img").write_bytes(b"core" * 5000)
    (scratch / "root.ext4").write_bytes(b"root" + bytes(5 << 20) + b"the end")
    return disk.server(scratch, identify, "1234ABCD", scratch / "root.ext4", scratch)


def test_its_table_has_no_fault(made: Path) -> None:
    assert "No errors detected" in said("sfdisk", "--verify", str(made))
    assert "No problems found" in said("sgdisk", "-v", str(made))
    for number, name in enumerate(("bios", "esp", "root"), 1):
        assert f"Partition name: '{name}'" in said("sgdisk", "-i", str(number), str(made))


def test_the_root_is_the_partition_that_grub_is_told(made: Path) -> None:
    listed = said("sgdisk", "-i", str(loaders.ROOT_NUMBER), str(made))
    assert str(gpt.LINUX_ROOT_X86_64).upper() in listed
    with made.open("rb") as file:
        file.seek(layout.ROOT_AT * SECTOR)
        assert file.read(4) == b"root"
        file.seek(layout.ROOT_AT * SECTOR + 4 + (5 << 20))
        assert file.read(7) == b"the end"


def test_firmware_finds_shim_and_the_signed_grub_its_configuration(made: Path) -> None:
    esp = f"{made}@@{layout.ESP_AT * SECTOR}"
    assert said("mtype", "-i", esp, "::/EFI/BOOT/BOOTX64.EFI").startswith("bootx64.efi")
    assert said("mtype", "-i", esp, "::/EFI/BOOT/grubx64.efi").startswith("grubx64.efi")
    assert said("mtype", "-i", esp, "::/EFI/debian/grub.cfg") == loaders.UEFI_CONFIG
    assert "1234-ABCD" in said("minfo", "-i", esp, "::") or "1234ABCD" in said("minfo", "-i", esp, "::")


def test_grub_for_bios_stands_where_the_boot_sector_looks(made: Path) -> None:
    with made.open("rb") as file:
        boot = file.read(SECTOR)
        file.seek(int.from_bytes(boot[0x5C:0x64], "little") * SECTOR)
        assert file.read(8) == b"corecore"
    assert boot.endswith(b"\x55\xaa")


def test_what_is_empty_is_a_hole(made: Path) -> None:
    assert made.stat().st_blocks * 512 < 3 << 20


def test_a_core_that_is_too_large_is_no_disk() -> None:
    with pytest.raises(ValueError, match="needs 4096 sectors"):
        layout.parts(layout.server(1 << 20, identify), bytes(512), bytes(2 << 20), {})


@pytest.mark.parametrize(("size", "wide"), [(16 << 20, False), (48 << 20, True)])
def test_a_fat32_only_where_it_has_the_clusters(size: int, wide: bool) -> None:
    first, *rest = fat.filled("f", size, "SEED", "00000001", {})
    assert ("-F" in first) is wide
    assert rest == []

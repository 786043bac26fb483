"""The appliance's disk as independent readers (sgdisk, mtools) see it, and what first boot adds to it."""

import configparser
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from builder import appliance_base, appliance_disk
from builder.appliance_ours import RECIPE

PATH = "/usr/sbin:/sbin:/usr/bin"
IDENTITY = appliance_disk.Identity(lambda part: uuid.uuid5(uuid.NAMESPACE_DNS, part))
ESP = f"@@{appliance_disk.ESP_AT * 512}"
SEED = f"@@{appliance_disk.SEED_AT * 512}"


def said(program: str, *words: str) -> str:
    found = shutil.which(program, path=PATH)
    assert found, f"{program} is not installed"
    return subprocess.run([found, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with stand-ins for boot loaders and root."""
    scratch = tmp_path_factory.mktemp("disk")
    for part in appliance_base.LOADERS:
        (scratch / part).write_bytes(part.encode() * 200)
    (scratch / "boot.img").write_bytes(bytes(512))
    root = scratch / "root.ext4"
    root.write_bytes(b"root" * 2048)
    raw = scratch / "disk.raw"
    appliance_disk.write(scratch, IDENTITY, root, scratch, RECIPE / "esp", raw)
    return raw


def test_partitions_are_as_the_rest_of_the_appliance_expects(disk: Path) -> None:
    assert "No problems found" in said("sgdisk", "-v", str(disk))
    for number, name in enumerate(("bios", "esp", "seed", "root-a"), 1):
        assert f"Partition name: '{name}'" in said("sgdisk", "-i", str(number), str(disk))
    for number, flags in (("2", "8"), ("3", "0"), ("4", "8")):
        assert f"Attribute flags: {flags}000000000000000" in said("sgdisk", "-i", number, str(disk))


def test_root_lies_where_it_is_said_to(disk: Path) -> None:
    with disk.open("rb") as file:
        file.seek(appliance_disk.ROOT_AT * 512)
        assert file.read(8) == b"rootroot"


def test_firmware_and_grub_find_their_files_on_the_esp(disk: Path) -> None:
    image = str(disk) + ESP
    for path, part in (("EFI/BOOT/BOOTX64.EFI", "shimx64.efi"), ("EFI/BOOT/grubx64.efi", "grubx64.efi")):
        assert said("mtype", "-i", image, f"::/{path}").startswith(part)
    assert said("mtype", "-i", image, "::/EFI/debian/grub.cfg") == (RECIPE / "esp" / "efi-grub.cfg").read_text()
    assert said("mtype", "-i", image, "::/qrm/grub.cfg") == (RECIPE / "esp" / "grub.cfg").read_text()


def test_grub_starts_with_slot_a_and_none_other(disk: Path) -> None:
    block = said("mtype", "-i", str(disk) + ESP, "::/qrm/grubenv")
    assert len(block) == 1024
    assert block.startswith("# GRUB Environment Block\nORDER=A B\nA_OK=1\nA_TRY=0\nB_OK=0\nB_TRY=0\n#")


def test_names_on_the_esp_are_short(disk: Path) -> None:
    """A long name is a second entry in the directory: renewing a loader could not be one write any more."""
    for folder in ("EFI/BOOT", "EFI/DEBIAN", "QRM"):
        for line in said("mdir", "-i", str(disk) + ESP, f"::/{folder}").splitlines():
            # After size, date and time mdir shows the long name, where there is one.
            assert "bytes" in line or not line[42:].strip(), line


def test_the_seed_partition_is_empty_and_named(disk: Path) -> None:
    assert "SEED" in said("mdir", "-a", "-i", str(disk) + SEED, "::/")


def test_first_boot_knows_the_slots_by_the_type_that_the_image_gives() -> None:
    for name in ("10-root-a", "20-root-b"):
        parser = configparser.ConfigParser()
        parser.read(RECIPE / "root" / "usr/lib/repart.d" / f"{name}.conf")
        assert uuid.UUID(parser["Partition"]["Type"]) == appliance_disk.ROOT_KIND
        assert parser["Partition"]["SizeMaxBytes"] == "4G"
    assert appliance_disk.ROOT_SIZE * 512 == 4 << 30


def test_grub_configurations_parse() -> None:
    for name in ("grub.cfg", "efi-grub.cfg"):
        said("grub-script-check", str(RECIPE / "esp" / name))

"""Modules for the hand-over initrd: of any directory as depmod leaves it, with what they need and their firmware."""

import lzma
import subprocess
from pathlib import Path

import pytest
from builder import kernel_modules

from appliance.kernel_modules import choosing

HAND_OVER = (kernel_modules.SHARED / "hand-over.list").read_text()
RULES = "+ drivers/net/*\n+ fs/nfs/*\n"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A kernel with a card that needs a helper and firmware, and a sound card that nobody wants."""
    modules = tmp_path / "modules" / "6.1.0-test"
    contents = {
        "kernel/drivers/net/card.ko.xz": lzma.compress(b"\x7fELF\0license=GPL\0firmware=card/*.bin\0"),
        "kernel/lib/needed.ko": b"\x7fELF",
        "kernel/sound/loud.ko": b"\x7fELF\0firmware=loud.bin\0",
        "modules.dep": b"kernel/drivers/net/card.ko.xz: kernel/lib/needed.ko\nkernel/lib/needed.ko:\n"
        b"kernel/sound/loud.ko:\n",
        "modules.dep.bin": b"index",
        "modules.symbols": b"not looked up",
    }
    firmware = {"firmware/card/one.bin": b"1", "firmware/loud.bin": b"2"}
    for path, content in (
        {f"modules/{modules.name}/{name}": each for name, each in contents.items()} | firmware
    ).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return modules


def names(archive: bytes) -> list[str]:
    said = subprocess.run(["cpio", "-t", "--quiet"], input=archive, capture_output=True, check=True)
    return said.stdout.decode().split()


def test_chosen_modules_come_with_all_that_they_need(kernel):
    held = names(kernel_modules.archive(kernel, RULES, kernel.parents[1] / "firmware"))
    base = "usr/lib/modules/6.1.0-test"
    assert [name for name in held if "." in Path(name).name and not name.endswith("6.1.0-test")] == [
        f"{base}/kernel/drivers/net/card.ko.xz",
        f"{base}/kernel/lib/needed.ko",
        f"{base}/modules.dep.bin",
        "usr/lib/firmware/card/one.bin",
    ]


def test_directories_come_before_what_is_in_them(kernel):
    held = names(kernel_modules.archive(kernel, RULES))
    for name in held:
        parent = str(Path(name).parent)
        assert parent == "." or held.index(parent) < held.index(name)


def test_without_firmware_there_is_none(kernel):
    assert not any("firmware" in name for name in names(kernel_modules.archive(kernel, RULES)))


def test_equal_kernels_give_equal_archives(kernel):
    assert kernel_modules.archive(kernel, RULES) == kernel_modules.archive(kernel, RULES)


def test_a_kernel_without_indexes_is_refused(kernel):
    (kernel / "modules.dep.bin").unlink()
    with pytest.raises(FileNotFoundError):
        kernel_modules.archive(kernel, RULES)


@pytest.mark.parametrize(
    "module",
    [
        "drivers/net/ethernet/intel/igb/igb",
        "fs/nfs/nfsv4",
        "drivers/scsi/iscsi_tcp",
        "fs/squashfs/squashfs",
        "fs/xfs/xfs",
    ],
)
def test_the_recipe_keeps_what_roots_need(module):
    assert choosing.chosen(module, choosing.parse_rules(HAND_OVER))


@pytest.mark.parametrize(
    "module", ["drivers/net/wireless/ath/ath", "drivers/ata/ahci", "drivers/scsi/megaraid/megaraid_sas"]
)
def test_the_recipe_leaves_out_what_they_do_not(module):
    assert not choosing.chosen(module, choosing.parse_rules(HAND_OVER))

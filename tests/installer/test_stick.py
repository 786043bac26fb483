"""The installer's stick is told from the disk that the appliance stays on."""

import pytest

from appliance.installer.stick import is_installer


@pytest.mark.parametrize(
    ("removable", "bus", "words", "wanted"),
    [
        (1, "pci0/ata1", "quiet", True),
        (0, "pci0/usb1", "quiet", True),
        (0, "pci0/ata1", "quiet", False),
        (0, "pci0/ata1", "quiet qrm.install=1", True),
        (0, "pci0/ata1", "quiet qrm.install=10", False),
    ],
)
def test_a_stick_is_told_from_a_disk(tmp_path, removable, bus, words, wanted):
    disk = tmp_path / "sys/devices" / bus / "block/sdb"
    (disk / "sdb4").mkdir(parents=True)
    (disk / "removable").write_text(f"{removable}\n")
    for place in ("sys/class/block", "disks", "dev"):
        (tmp_path / place).mkdir(parents=True)
    for name, place in (("sdb", disk), ("sdb4", disk / "sdb4")):
        (tmp_path / "sys/class/block" / name).symlink_to(place)
    (tmp_path / "dev/sdb4").touch()
    (tmp_path / "disks/root-a").symlink_to(tmp_path / "dev/sdb4")
    (tmp_path / "cmdline").write_text(f"{words}\n")
    assert is_installer(tmp_path / "cmdline", tmp_path / "disks", tmp_path / "sys") is wanted


def test_a_computer_that_was_not_flashed_is_no_stick(tmp_path):
    assert not is_installer(tmp_path / "cmdline", tmp_path / "disks", tmp_path / "sys")

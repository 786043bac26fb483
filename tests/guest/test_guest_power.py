"""The guest as tests on the host drive it: its power, its disks, its cables."""

import pytest

from tests.guest.outside.guest import Guest, GuestDied, GuestFailed

DISK = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_scratch0"


@pytest.mark.timeout(300)
def test_only_disks_survive_a_power_cut(guest: Guest) -> None:
    guest.run(
        f"mkfs.ext4 -q {DISK} && mount {DISK} /mnt && echo kept >/mnt/file && sync /mnt/file && echo gone >/root/file"
    )
    waiting = guest.start("sleep 1000")
    guest.power_cut()
    assert guest.run(f"test ! -e /root/file && mount {DISK} /mnt && cat /mnt/file").stdout == "kept\n"
    assert waiting.status is None
    with pytest.raises(GuestFailed, match="no such thing"):
        guest.run("echo no such thing >&2; exit 3")


def test_what_is_killed_in_it_is_gone_with_all_that_it_started(guest: Guest) -> None:
    job = guest.start("echo here; sleep 1000 & sleep 1000")
    assert job.line(60) == "here"
    job.kill()
    assert job.wait().status == -9
    assert guest.run("pgrep -c sleep", check=False).stdout == "0\n"


def test_a_guest_that_goes_off_says_what_was_on_its_screen(guest: Guest) -> None:
    guest.run("echo the last words >/dev/console")
    guest.start("sleep 0.1; echo o >/proc/sysrq-trigger")
    with pytest.raises(GuestDied, match="the last words"):
        guest.run("sleep 1000", seconds=100)


def test_a_cable_is_pulled(guest: Guest) -> None:
    guest.run("ip link set eth0 up && until ip -br link show eth0 | grep -q LOWER_UP; do sleep 0.1; done")
    guest.qmp("set_link", {"name": "net0", "up": False})
    guest.run("while ip -br link show eth0 | grep -q LOWER_UP; do sleep 0.1; done")
    guest.qmp("set_link", {"name": "net0", "up": True})

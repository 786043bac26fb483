"""Where files of the installed system go, and which links switch units on."""

from builder import appliance, appliance_ours
from builder.appliance_ours import RECIPE
from builder.appliance_places import Places, installed, target

PLACES = Places(links=("etc/qrm", "etc/hostname", "etc/lvm/backup"), drop=("var/log/*.log", "usr/lib/grub/*"))


def test_what_is_only_read_stays_where_it_is() -> None:
    for path in ("usr/bin/bash", "etc/fstab", "etc/lvm/lvm.conf", "etc/qrmish", "var"):
        assert PLACES.of(path) == path


def test_what_changes_fills_a_fresh_state_partition() -> None:
    assert PLACES.of("var/lib/chrony") == "usr/share/factory/state/var/lib/chrony"
    assert PLACES.of("etc/hostname") == "usr/share/factory/state/etc/hostname"
    assert PLACES.of("etc/lvm/backup/vg0") == "usr/share/factory/state/etc/lvm/backup/vg0"
    assert target("etc/hostname") == "/state/etc/hostname"


def test_what_only_the_build_needs_stays_out() -> None:
    assert PLACES.of("var/log/dpkg.log") is None
    assert PLACES.of("usr/lib/grub/i386-pc/boot.img") is None


def test_units_are_switched_on_as_systemctl_would() -> None:
    text = (
        "[Unit]\nWantedBy=not-here\n[Install]\n# WantedBy=comment\nWantedBy=a.target b.service\nAlias=other.service\n"
    )
    unit = "/usr/lib/systemd/system/x.service"
    assert installed("x.service", text) == {
        "etc/systemd/system/a.target.wants/x.service": unit,
        "etc/systemd/system/b.service.wants/x.service": unit,
        "etc/systemd/system/other.service": unit,
    }


def test_a_template_is_switched_on_for_its_default_instance_only() -> None:
    text = "[Install]\nRequiredBy=a.target\n"
    assert installed("x@.service", text) == {}
    assert installed("x@.service", text + "DefaultInstance=tty1\n") == {
        "etc/systemd/system/a.target.requires/x@tty1.service": "/usr/lib/systemd/system/x@.service"
    }


def test_files_of_ours_are_laid_out_as_those_of_packages() -> None:
    """A file below a link would otherwise take the link's place, or be hidden by it."""
    places = appliance.places()
    overlay = [appliance_ours.place(path) for path in appliance_ours.sources() if path.is_relative_to(RECIPE / "root")]
    assert "etc/lvm/devices/system.devices" in overlay
    assert places.of("etc/lvm/devices/system.devices") == "usr/share/factory/state/etc/lvm/devices/system.devices"
    assert all(places.of(path) for path in overlay), "drop.list drops a file of ours"


def test_scripts_of_the_appliance_are_executable_and_units_name_them() -> None:
    scripts = set((RECIPE / "root" / "usr/lib/qrm").iterdir())
    assert all(path.stat().st_mode & 0o111 == 0o111 for path in scripts)
    rest = [path for path in (RECIPE / "root").rglob("*") if path.is_file() and path not in scripts]
    used = "".join(path.read_text() for path in rest)
    assert {path.name for path in scripts if f"/usr/lib/qrm/{path.name}" not in used} == set()

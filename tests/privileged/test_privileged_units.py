"""The units of the privileged helper, the network and the firewall, as systemd reads them."""

import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
OURS = sorted(
    each.name for kind in ("appliance-helper.*", "appliance-network-revert*", "appliance-firewall.*")
    for each in UNITS.glob(kind)
)  # fmt: skip


def test_all_of_them_are_there():
    assert len(OURS) == 6


@pytest.mark.parametrize("unit", OURS)
def test_systemd_understands_every_line(unit, tmp_path):
    """With a program in the place of ours, and all of them in one directory: they name each other."""
    for name in OURS:
        (tmp_path / name).write_text((UNITS / name).read_text().replace("/opt/qrm/bin/qrm", "/bin/true"))
    argv = ["systemd-analyze", "verify", "--man=no", tmp_path / unit]
    path = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    found = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=path)
    assert [line for line in found.stderr.splitlines() if "appliance" in line] == []


def test_the_network_is_taken_back_before_networkd_reads_anything():
    text = (UNITS / "appliance-network-revert.service").read_text()
    (before,) = [line for line in text.splitlines() if line.startswith("Before=")]
    assert "systemd-networkd.service" in before.split("=")[1].split()


def test_only_root_and_the_daemon_s_group_reach_the_helper():
    lines = (UNITS / "appliance-helper.socket").read_text().splitlines()
    assert {"SocketUser=root", "SocketGroup=appliance", "SocketMode=0660"} <= set(lines)


def test_no_limit_closes_the_helper_for_good():
    """systemd.unit(5), systemd.socket(5): each of both would take the socket along, and with it the console's hands."""
    assert "StartLimitIntervalSec=0" in (UNITS / "appliance-helper.service").read_text().splitlines()
    assert "TriggerLimitIntervalSec=0" in (UNITS / "appliance-helper.socket").read_text().splitlines()

"""The unit and its user: what README.md installs, and what the daemon is promised and denied."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from appliance.config import SiteSection

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "systemd" / "appliance.service"
SYSUSERS = ROOT / "systemd" / "appliance.sysusers.conf"
NEEDED = {"CAP_NET_BIND_SERVICE", "CAP_NET_RAW"}


def read(text):
    """{section: {key: [values in order]}} of a unit file (systemd.syntax(7)); no continued lines are used."""
    sections, current = {}, {}
    for line in filter(None, map(str.strip, text.splitlines())):
        assert not line.endswith("\\"), "this reader knows no continued lines"
        if line.startswith(("#", ";")):
            continue
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), {})
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        current.setdefault(key, []).append(value)
    return sections


@cache
def unit():
    return read(UNIT.read_text())


def only(key):
    """The one value of a key of [Service]."""
    (value,) = unit()["Service"][key]
    return value


def users():
    """The fields of each user line of sysusers.d(5)."""
    lines = [line for line in SYSUSERS.read_text().splitlines() if line and not line.startswith("#")]
    fields = [re.findall(r'"[^"]*"|\S+', line) for line in lines]
    return {each[1]: each for each in fields if each[0] == "u"}


def test_the_service_manager_hears_when_it_is_ready_and_that_it_lives():
    assert only("Type") == "notify"
    assert int(only("TimeoutStartSec")) >= 300, "a slow computer reads Python for minutes before it can ask for more"
    assert only("WatchdogSec") == "30"
    assert only("Restart") == "on-failure"
    assert unit()["Install"]["WantedBy"] == ["multi-user.target"]


def test_it_has_two_capabilities_and_can_get_no_other():
    assert set(only("AmbientCapabilities").split()) == NEEDED
    assert set(only("CapabilityBoundingSet").split()) == NEEDED
    assert only("NoNewPrivileges") == "yes"
    assert only("RestrictSUIDSGID") == "yes"


def test_its_user_is_its_own_and_not_root():
    assert only("User") not in ("root", "0", "nobody")
    assert "DynamicUser" not in unit()["Service"], "the state belongs to a user that stays the same"
    kind, name, number, _, home = users()[only("User")]
    assert (kind, name) == ("u", "appliance")
    assert number == "-", "the computer chooses the number"
    assert home == str(SiteSection().state_dir)
    assert not re.search(r"^Exec\w*=[-@:]*[+!]", UNIT.read_text(), re.MULTILINE), "nothing runs with full rights"


def test_it_may_write_its_state_and_nothing_else():
    assert Path("/var/lib", only("StateDirectory")) == SiteSection().state_dir
    assert only("StateDirectoryMode") == "0700"
    assert only("ProtectSystem") == "strict"
    assert only("ProtectHome") == "yes"
    assert only("UMask") == "0077"
    assert "ReadWritePaths" not in unit()["Service"]


def test_it_starts_what_the_readme_installs():
    program, *arguments = only("ExecStart").split()
    assert (program, arguments) == ("/opt/qrm/bin/qrm", ["serve", "--config", "/etc/qrm/appliance.toml"])
    readme = (ROOT / "README.md").read_text()
    for said in ("/opt/qrm", "/etc/qrm/appliance.toml", *(f"systemd/{each.name}" for each in UNIT.parent.iterdir())):
        assert said in readme


def test_the_kernel_has_room_for_ten_thousand_machines():
    """It holds the address of each on a cable, and the daemon a connection from each."""
    lines = [line for line in (ROOT / "systemd" / "appliance.sysctl.conf").read_text().splitlines() if "=" in line]
    room = {key.strip(): int(value) for key, _, value in (line.partition("=") for line in lines if line[0] != "#")}
    assert min(room[f"net.ipv4.neigh.default.gc_thresh{number}"] for number in (2, 3)) > 10_000
    assert int(only("LimitNOFILE")) > 20_000


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"])
def test_it_has_the_sockets_that_it_opens(family):
    """DHCP and the console; router answers; notify and the databases; iproute2; raw unicast DHCP replies."""
    assert family in only("RestrictAddressFamilies").split()


def test_the_programs_that_it_starts_may_call_what_they_call():
    """The kernel kills a program for a call that is not on the list. Order matters: later lines change earlier ones.

    `ip`, which tells the daemon its addresses, gives its capabilities up first when it is not root: without capset
    the daemon would never start. `virsh` comes with libnuma, which sets its memory policy before anything else.
    """
    calls = ["@system-service", "~@privileged @resources", "capset", "get_mempolicy set_mempolicy"]
    assert unit()["Service"]["SystemCallFilter"] == calls
    assert only("MemoryDenyWriteExecute") == "yes"


MOST_EXPOSED = 3.0
"""On the scale of ``systemd-analyze security``, from 0 to 10: what is left is the network, which is what it is for."""
DROP_INS = ROOT / "image-builder" / "appliance" / "root" / "usr/lib/systemd/system" / "appliance.service.d"


def exposure(directory, *drop_ins):
    """What systemd says of the unit with these drop-ins: the figure, and the lines that make it."""
    (directory / "appliance.service.d").mkdir()
    shutil.copy(UNIT, directory)
    for each in drop_ins:
        shutil.copy(each, directory / "appliance.service.d")
    call = ["systemd-analyze", "security", "--offline=true", "--no-pager", directory / "appliance.service"]
    said = subprocess.run(call, capture_output=True, text=True, timeout=60, check=True).stdout
    figure = re.search(r"Overall exposure level for appliance.service: ([0-9.]+)", said)
    return float(figure[1]), [line for line in said.splitlines() if not line.startswith("✓")]


def test_little_is_left_to_whoever_takes_the_daemon_over(tmp_path):
    """On any computer, and in the image, whose drop-ins could take back what the unit denies."""
    drop_ins = sorted(DROP_INS.iterdir())
    assert [each.suffix for each in drop_ins] == [".conf"] * len(drop_ins) != []
    for where, added in (("alone", []), ("image", drop_ins)):
        (tmp_path / where).mkdir()
        figure, why = exposure(tmp_path / where, *added)
        assert figure <= MOST_EXPOSED, "\n".join([where, *why])


def test_a_drop_in_that_takes_back_what_the_unit_denies_is_seen(tmp_path):
    loose = tmp_path / "99-loose.conf"
    loose.write_text("[Service]\nUser=root\nPrivateDevices=no\nRestrictAddressFamilies=\nSystemCallFilter=\n")
    figure, _ = exposure(tmp_path, loose)
    assert figure > MOST_EXPOSED


def test_systemd_understands_every_line(tmp_path):
    """With a program in the place of ours, which need not be installed here."""
    copy = tmp_path / "appliance.service"
    copy.write_text(UNIT.read_text().replace("/opt/qrm/bin/qrm", "/bin/true"))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, timeout=60, check=False
    )
    about_us = [line for line in found.stderr.splitlines() if "appliance.service" in line]
    assert (about_us, found.returncode) == ([], 0), found.stderr

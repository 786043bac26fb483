"""Under the rules of its systemd unit the daemon serves, and every program that it starts does its work."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "systemd" / "appliance.service"
pytestmark = pytest.mark.root


def under(unit, *writable):
    """What a program is started by, so that it may do what the unit lets it do, and write below ``writable``."""
    return [sys.executable, str(Path(__file__).with_name("confined.py")), str(unit), *map(str, writable), "--"]


def confined(*argv, unit=UNIT):
    """What became of a program of nobody in particular, in a network of its own."""
    alone = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--keep-caps", "--net", "--mount"]
    command = [*alone, *under(unit), *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


IMPORTS = "import appliance.daemon, appliance.netboot.batch, appliance.power.build"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(["ip", "-json", "address", "show"], '"ifname":"lo"', id="ip"),
        pytest.param(["ipmitool", "-V"], "ipmitool version", id="ipmitool"),
        pytest.param(["virsh", "--quiet", "--connect", "test:///default", "domstate", "test"], "running", id="virsh"),
        pytest.param(
            ["prlimit", "--as=2147483648", "--core=0", "--nofile=64", "--", "qemu-img", "--version"],
            "qemu-img version",
            id="qemu-img",
        ),
        pytest.param(["zstd", "--version"], "Zstandard", id="zstd"),
        pytest.param(
            [sys.executable, "-c", f"{IMPORTS}; print('imported')"], "imported", id="imports, ctypes among them"
        ),
    ],
)
def test_a_program_that_the_daemon_starts_does_its_work(argv, said):
    """Nothing kills it for a call, and none of its libraries needs memory that is written and then run."""
    found = confined(*argv)
    assert (found.returncode, said in found.stdout) == (0, True), found


def test_ssh_reaches_out_for_virsh():
    """Its key would be in the state directory, the home of the daemon's user; nobody listens here."""
    found = confined("ssh", "-o", "BatchMode=yes", "-p", "9", "127.0.0.1", "true")
    assert "Network is unreachable" in found.stderr


@pytest.mark.parametrize(
    ("argv", "without"),
    [
        (["ip", "-json", "address", "show"], "SystemCallFilter=capset\n"),
        (
            ["virsh", "--quiet", "--connect", "test:///default", "list"],
            "SystemCallFilter=get_mempolicy set_mempolicy\n",
        ),
    ],
)
def test_a_line_that_a_program_needs_is_missed(argv, without, tmp_path):
    """So what runs above runs for what the unit says."""
    copy = tmp_path / "appliance.service"
    copy.write_text(UNIT.read_text().replace(without, ""))
    assert copy.read_text() != UNIT.read_text()
    assert confined(*argv, unit=copy).returncode == -signal.SIGSYS


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("open('/etc/written', 'w')", "Read-only file system"),
        ("import os; os.listdir('/run/user')", "Permission denied"),
        ("open('/dev/kmsg')", "No such file"),
        ("import mmap; mmap.mmap(-1, 4096, prot=7)", "Operation not permitted"),
        ("import socket; socket.socket(socket.AF_VSOCK)", "not supported"),
    ],
)
def test_what_is_denied_is_denied_here(code, error):
    """As the unit has it; else nothing above would mean anything."""
    assert error in confined(sys.executable, "-c", code).stderr


def test_the_daemon_serves_under_its_unit(daemon):
    daemon.under = under(UNIT, daemon.path)
    daemon.start()
    assert all(daemon.boot())
    assert daemon.end(signal.SIGTERM) == 0

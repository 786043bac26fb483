"""The agent in the built maintenance stack opens a root by iSCSI, from a target that is not our own (tgt)."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import test_builder_stack_boots
from builder import cpio
from handover_appliance import SEEN_AS
from test_builder_stack_boots import built_stack, line_of
from test_handover_iscsi_boots import disk, port  # noqa: F401 - fixtures
from test_handover_network_roots import INITIATOR, SECRET, TARGET, UUID

AGENT = Path(__file__).parents[2] / "appliance" / "agent"
GROWN = 128 << 20
OPENS = """
import json, os, signal, subprocess, sys, time
sys.path.insert(0, "/usr/lib/qrm")
from pathlib import Path
from agent.disk.listing import read_disks
from agent.errors import StepFailed
from agent.exported.given import IscsiRoot
from agent.exported.iscsi import Initiator
from agent.exported.mounting import is_mounted
from agent.exported.opening import opened
from agent.network import bring_up
from agent.screen import Screen

ROOT = IscsiRoot({portal!r}, {target!r}, {initiator!r}, "web1", {secret!r}, {uuid!r})
POINT = Path("/run/qrm/exported")
told = {{}}


def is_left():
    argv = ["grep", "-rl", {secret!r}, "/etc", "/var", "/run", "/tmp", "/dev/shm"]
    files = subprocess.run(argv, capture_output=True, text=True).stdout.split()
    daemons = subprocess.run(["pidof", "iscsid"], capture_output=True, text=True).stdout.split()
    return [len(Initiator(time.sleep).sessions()), is_mounted(POINT), files, daemons]


def use(name):
    with opened(ROOT, "", POINT, time.sleep) as root:
        root.write(f"/etc/{{name}}", name)
        size = os.statvfs(root.point)
        argv = " ".join(open(f"/proc/{{each}}/cmdline").read() for each in os.listdir("/proc") if each.isdigit())
        told[name] = [size.f_blocks * size.f_frsize, {secret!r} in argv, [disk.name for disk in read_disks()]]


bring_up(None, Screen([]), time.sleep)
use("first")
told["left"] = is_left()
killed = os.fork()
if not killed:
    with opened(ROOT, "", POINT, time.sleep):
        os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(killed, 0)
told["killed"] = is_left()[:2]
use("second")
told["left again"] = is_left()
other = IscsiRoot(ROOT.portal, ROOT.target, ROOT.initiator, "web1", "another-secret16", ROOT.uuid)
try:
    with opened(other, "", POINT, time.sleep):
        pass
except StepFailed as error:
    told["refused"] = [error.code, error.message]
told["left at last"] = is_left()
print("AGENT " + json.dumps(told), flush=True)
os.system("poweroff -f")
"""


@pytest.mark.vm
@pytest.mark.slow
@pytest.mark.root
@pytest.mark.timeout(1200)
def test_the_agent_opens_a_root_by_iscsi(
    tmp_path: Path,
    disk: Path,  # noqa: F811
    port: int,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(test_builder_stack_boots, "LIMIT_SECONDS", 900)
    told = json.loads(booted(tmp_path, f"{SEEN_AS}:{port}").partition("AGENT ")[2])
    nothing = [0, False, [], []]
    assert [told[name] for name in ("left", "left again", "left at last")] == [nothing] * 3
    assert told["killed"] == [1, True]
    for name in ("first", "second"):
        size, secret_is_an_argument, disks = told[name]
        assert size > GROWN * 0.8
        assert not secret_is_an_argument
        assert disks == [], "the appliance's disk is none of the machine's own"
        assert read(disk, f"/etc/{name}") == name
    assert told["refused"][0] == "root-unreachable"
    assert "another-secret16" not in told["refused"][1]


@pytest.fixture(autouse=True)
def room_to_grow(disk: Path) -> None:  # noqa: F811
    """The volume is larger than the file system that was made for it."""
    with disk.open("r+b") as file:
        file.truncate(GROWN)


def read(image: Path, name: str) -> str:
    debugfs = shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin") or "debugfs"
    return subprocess.run([debugfs, "-R", f"cat {name}", image], capture_output=True, text=True, check=True).stdout


def booted(directory: Path, portal: str) -> str:
    """What the agent said of the target."""
    stack, entries = built_stack(), [cpio.directory("qrm"), cpio.directory("qrm/agent")]
    main = OPENS.format(portal=portal, target=TARGET, initiator=INITIATOR, secret=SECRET, uuid=UUID).encode()
    for path in sorted(AGENT.rglob("*")):
        inside = f"qrm/agent/{path.relative_to(AGENT)}"
        if path.is_dir() and not path.name.startswith(("__", ".")):
            entries.append(cpio.directory(inside))
        elif path.suffix == ".py":
            entries.append(cpio.plain(inside, main if path == AGENT / "__main__.py" else path.read_bytes()))
    initrd = directory / "initrd-with-agent"
    initrd.write_bytes((stack / "initrd").read_bytes() + cpio.archive(entries))
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "768", "-display", "none", "-serial", "stdio"]
    command += ["-monitor", "none", "-no-reboot", "-nic", "user,model=virtio-net-pci"]
    command += ["-kernel", str(stack / "vmlinuz"), "-initrd", str(initrd)]
    command += ["-append", "console=ttyS0,115200n8 panic=1 quiet"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        try:
            return line_of(machine, b"AGENT ")
        finally:
            machine.kill()

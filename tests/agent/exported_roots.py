"""A computer of files that logs in by iSCSI: its disk is an ext4 file system in a file, mounted by the real kernel."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from agent_bench import MIB, REPOSITORY

from appliance.agent.exported.given import IscsiRoot
from appliance.agent.exported.iscsi import LISTENS

UUID = "33333333-0000-4000-8000-000000000001"
SECRET = "a-secret-of-16ch"
ROOT = IscsiRoot("10.77.0.1:3260", "iqn.2026-11.test.lab:web1", "iqn.2026-11.test.lab:machine-1", "web1", SECRET, UUID)
GROWN = 48 * MIB

ISCSID = f"""#!/bin/sh
echo "ffff: 00000002 {LISTENS}" >"$QRM_AT/proc/net/unix"
echo $$ >"$QRM_AT/daemon"
exec sleep 300
"""
ISCSIADM = """#!/bin/sh
printf '%s' "iscsiadm" >>"$QRM_AT/told"
for each in "$@"; do printf ' %s' "$each" >>"$QRM_AT/told"; done
echo >>"$QRM_AT/told"
cd "$QRM_AT" || exit 1
real=sys/devices/platform/host2/session1
line=sys/class/iscsi_connection/connection1:0
case "$*" in
    *killiscsid*) : >proc/net/unix; kill "$(cat daemon)" ;;
    *--op*) mkdir -p var/lib/iscsi/nodes/x; stat -c %a etc/iscsi/iscsid.conf >mode
        cat etc/iscsi/iscsid.conf >var/lib/iscsi/nodes/x/default
        cat etc/iscsi/iscsid.conf >sent ;;
    *--login*)
        [ ! -e refuses ] || { cat refuses >&2; exit 24; }
        mkdir -p sys/class/iscsi_session "$real/iscsi_session/session1" "$line"
        mkdir -p "$real/target2:0:0/2:0:0:1/block/sda"
        echo "$4" >"$real/iscsi_session/session1/targetname"
        for each in persistent_ ""; do
            echo "${6%:*}" >"$line/${each}address"
            echo "${6#*:}" >"$line/${each}port"
        done
        [ ! -e leads ] || cat leads >"$line/address"
        echo $(($(stat -L -c %s dev/sda) / 512)) >"$real/target2:0:0/2:0:0:1/block/sda/size"
        ln -s "$PWD/$real" "$real/iscsi_session/session1/device"
        ln -s "$PWD/$real/iscsi_session/session1" sys/class/iscsi_session/session1 ;;
    *--logout*) [ ! -e keeps ] || exit 1; rm -r "$real" "$line" sys/class/iscsi_session/session1 ;;
esac
"""


@dataclass
class Computer:
    """Its files are below `at`; what its programs were told is in `told`."""

    at: Path

    @property
    def disk(self) -> Path:
        """What the target has."""
        return self.at / "dev/sda"

    @property
    def point(self) -> Path:
        """Where the root is mounted."""
        return self.at / "run/exported"

    @property
    def told(self) -> list[str]:
        """The commands of iscsiadm."""
        return (self.at / "told").read_text().splitlines()

    def put(self, name: str, content: str = "") -> Path:
        """A file."""
        path = self.at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def disk_of(self, name: str, tree: Path, uuid: str = UUID) -> None:
        """A disk with more room than the file system on it takes."""
        path = self.put(name)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-U", uuid, "-d", str(tree), str(path), "16M"], check=True)
        os.truncate(path, GROWN)

    def holding(self, text: str) -> list[str]:
        """Files with this text in them, but for the one in which a program has noted what it was sent."""
        files = [path for path in self.at.rglob("*") if path.is_file() and path.name not in ("sent", "sda", "sdb")]
        return [str(path.relative_to(self.at)) for path in files if text in path.read_text(errors="replace")]

    def read(self, name: str) -> str:
        """A file of the root, from the disk itself."""
        argv = ["debugfs", "-R", f"cat {name}", str(self.disk)]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def check_nothing_is_left(self) -> None:
        """No mount, no session, no daemon, no secret."""
        assert str(self.point) not in Path("/proc/self/mounts").read_text()
        assert list(self.at.glob("sys/class/iscsi_session/*")) == []
        assert LISTENS not in (self.at / "proc/net/unix").read_text()
        assert self.holding(SECRET) == []


def made(at: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    """One whose programs are found before this computer's own."""
    computer = Computer(at)
    computer.put("proc/net/unix")
    computer.put("told")
    for name, content in (("iscsid", ISCSID), ("iscsiadm", ISCSIADM)):
        computer.put(f"programs/{name}", content).chmod(0o755)
    computer.disk_of("dev/sda", tree)
    monkeypatch.setenv("PATH", f"{at}/programs:{os.environ['PATH']}:/usr/sbin:/sbin")
    monkeypatch.setenv("QRM_AT", str(at))
    return computer


KILLED = """
import sys, time
from pathlib import Path
from exported_roots import ROOT
from appliance.agent.exported.opening import opened
at = Path(sys.argv[1])
with opened(ROOT, "", at / "run/exported", time.sleep, at) as root:
    root.write("/etc/half", "written")
    print("open", flush=True)
    time.sleep(300)
"""


def killed_in_the_middle(computer: Computer) -> None:
    """An agent that has the root open, and dies of SIGKILL."""
    path = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])
    argv = [sys.executable, "-c", KILLED, str(computer.at)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as agent:
        assert agent.stdout
        assert agent.stdout.readline() == b"open\n"
        agent.kill()


def pause(seconds: float) -> None:
    """Shorter than the agent's."""
    time.sleep(seconds / 20)

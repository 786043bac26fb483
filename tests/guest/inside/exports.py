"""An appliance that exports volumes, in the guest: LVM, the helper in its own unit, machines in network namespaces.

As a program (``python3 -m tests.guest.inside.exports STEPS``): carries out the verb on standard input as the helper
does, and kills itself with SIGKILL after so many changes of the kernel's, or of a program's.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from appliance.privileged import lio
from appliance.privileged.client import Privileged
from appliance.privileged.computer import Computer
from appliance.privileged.table import TABLE
from appliance.privileged.verb import Verb
from appliance.privileged.verbs.exports import Exported, List
from tests.guest.inside.disks import Disks
from tests.guest.inside.own_network import PROGRAM, SOURCE, UNITS
from tests.guest.inside.programs import run

IMAGE = Path("/qrm/image-builder/appliance/root/etc")
HELPER = ("appliance-helper.socket", "appliance-helper.service")
GROUP = "guestexports"
SERVER, WEB, FOREIGN = "192.0.2.1", "192.0.2.17", "192.0.2.18"
MACHINES = {"web": ("eth1", WEB), "foreign": ("eth2", FOREIGN)}
BASE = "00000000000000ba"
READING = ("lvs", "ip")
"""Programs that change nothing."""
SOFT = "vers=4.2,soft,timeo=600,retrans=1,retry=0"
"""A machine waits for ever; a test does not."""


def ask(verb: Verb[Any]) -> Any:
    """Of the helper, through its socket."""
    return asyncio.run(Privileged().call(verb))


def listed() -> dict[str, Exported]:
    """What there is of ours, by id."""
    return {each.id: each for each in ask(List()).found if each.ours}


class Bench:
    """All of it, from ``begin`` to ``end``."""

    def __init__(self) -> None:
        self.disks = Disks()
        self.group = ""

    def begin(self) -> None:
        """One thin pool with a small root file system, from which others are cloned."""
        self.disks.clear()
        run("vgcreate", "--addtag", "qrm.pool", GROUP, *map(str, self.disks.scsi[:2]))
        run("lvcreate", "--type", "thin-pool", "--size", "4G", "--name", "pool", GROUP)
        self.group = run("vgs", "--noheadings", "--options", "vg_uuid", GROUP).strip()
        run("lvcreate", "--thin", "--virtualsize", "128M", "--name", f"v-{BASE}", "--addtag", f"qrm.id={BASE}",
            "--addtag", "qrm.filesystem=ext4", f"{GROUP}/pool")  # fmt: skip
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0", f"/dev/{GROUP}/v-{BASE}")
        install()
        connect()

    def clone(self, key: str, *tags: str) -> str:
        """A volume of ours, at once."""
        marks = [word for tag in (f"qrm.id={key}", *tags) for word in ("--addtag", tag)]
        run("lvcreate", "--snapshot", "--setactivationskip", "n", "--name", f"v-{key}", *marks, f"{GROUP}/v-{BASE}")
        return key

    def remove(self, key: str) -> None:
        """LVM refuses where anybody has it open."""
        run("lvremove", "--yes", f"{GROUP}/v-{key}")

    def end(self) -> None:
        """The guest as it was."""
        for name in (*HELPER, "nfs-server.service", "iscsid.service"):
            subprocess.run(["systemctl", "stop", name], check=False)
        uninstall()
        disconnect()
        subprocess.run(["vgremove", "--yes", "--force", GROUP], check=False)
        self.disks.clear()


def install() -> None:
    """Units and configuration as the appliance has them, with the source tree as the installed program."""
    program = Path("/run/qrm-program")
    program.write_text(PROGRAM)
    program.chmod(0o755)
    UNITS.mkdir(parents=True, exist_ok=True)
    for name in HELPER:
        (UNITS / name).write_text((SOURCE / name).read_text().replace("/opt/qrm/bin/qrm", str(program)))
    Path("/etc/nfs.conf.d").mkdir(exist_ok=True)
    shutil.copy(IMAGE / "nfs.conf.d" / "10-appliance.conf", "/etc/nfs.conf.d/")
    for path in (IMAGE / "systemd" / "system").iterdir():
        if path.name != "rescue.service" and path.name != "emergency.service":
            _put(path, UNITS)
    if subprocess.run(["getent", "passwd", "appliance"], check=False, capture_output=True).returncode:
        run("useradd", "--system", "appliance")
    run("systemctl", "daemon-reload")
    for name in ("nfs-server.service", "nfs-mountd.service", "rpcbind.socket", "rpcbind.service"):
        subprocess.run(["systemctl", "stop", name], check=False, capture_output=True)  # of a test before this one
    run("systemctl", "start", HELPER[0])


def _put(path: Path, into: Path) -> None:
    """In the place of what is there; a link (to /dev/null, for a unit that is masked) stays a link."""
    (into / path.name).unlink(missing_ok=True)
    shutil.copy(path, into, follow_symlinks=False)


def uninstall() -> None:
    """Debian's own units and configuration again."""
    for path in (IMAGE / "systemd" / "system").iterdir():
        (UNITS / path.name).unlink(missing_ok=True)
    for name in HELPER:
        (UNITS / name).unlink(missing_ok=True)
    Path("/etc/nfs.conf.d/10-appliance.conf").unlink(missing_ok=True)
    run("systemctl", "daemon-reload")


def connect() -> None:
    """The server on one NIC, machines in namespaces with the others: the cable is a hub."""
    run("ip", "address", "replace", f"{SERVER}/24", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    for name, (nic, address) in MACHINES.items():
        run("ip", "netns", "add", name)
        run("ip", "link", "set", nic, "netns", name)
        run("ip", "-n", name, "address", "add", f"{address}/24", "dev", nic)
        run("ip", "-n", name, "link", "set", nic, "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
    until(lambda: all(_reaches(name) for name in MACHINES), "machines reach the server")


def disconnect() -> None:
    """NICs where they were."""
    for name, (nic, _) in MACHINES.items():
        subprocess.run(["ip", "-n", name, "link", "set", nic, "netns", "1"], check=False)
        subprocess.run(["ip", "netns", "delete", name], check=False)
    run("ip", "address", "flush", "dev", "eth0")
    run("ip", "link", "set", "eth0", "down")


def _reaches(name: str) -> bool:
    argv = ["ip", "netns", "exec", name, "ping", "-c", "1", "-w", "2", SERVER]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def until(holds: Callable[[], object], what: str, seconds: float = 180.0) -> None:
    """Wait for a state."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:.0f} seconds: {what}"
        time.sleep(0.2)


# -- machines


def mount(machine: str, place: str, where: Path, options: str = SOFT) -> subprocess.CompletedProcess[str]:
    """By NFS from within a machine, under its own name: the server knows machines apart by it (RFC 8881, 2.4)."""
    where.mkdir(parents=True, exist_ok=True)
    named = f"echo {machine} >/proc/sys/kernel/hostname"
    inside = f'{named} && exec mount -t nfs -o {options} {SERVER}:{place} "{where}"'
    argv = ["nsenter", f"--net=/run/netns/{machine}", "unshare", "--uts", "sh", "-c", inside]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=400)


def unmount(where: Path) -> None:
    """Whatever the server says."""
    subprocess.run(["umount", "--force", "--lazy", str(where)], check=False, capture_output=True)


def log_in(target: str, initiator: str, user: str, secret: str) -> bool:
    """As an initiator of this name."""
    _call_itself(initiator)
    node = ["iscsiadm", "--mode", "node", "--targetname", target, "--portal", f"{SERVER}:3260"]
    run(*node, "--op", "new")
    values = {"session.auth.authmethod": "CHAP", "session.auth.username": user, "session.auth.password": secret,
              "session.initial_login_retry_max": "1", "session.timeo.replacement_timeout": "1",
              "conn[0].timeo.noop_out_interval": "1", "conn[0].timeo.noop_out_timeout": "2"}  # fmt: skip
    for name, value in values.items():
        run(*node, "--op", "update", "--name", f"node.{name}", "--value", value)
    done = subprocess.run([*node, "--login"], check=False, capture_output=True, text=True, timeout=400)
    return done.returncode == 0


def _call_itself(initiator: str) -> None:
    Path("/etc/iscsi/initiatorname.iscsi").write_text(f"InitiatorName={initiator}\n")
    run("systemctl", "restart", "iscsid")


def log_out(target: str) -> None:
    """And forget it, whatever has become of the session."""
    node = ["iscsiadm", "--mode", "node", "--targetname", target]
    subprocess.run([*node, "--logout"], check=False, capture_output=True)
    subprocess.run([*node, "--op", "delete"], check=False, capture_output=True)


def disk(target: str) -> Path:
    """What a logged-in initiator has of it."""
    path = Path(f"/dev/disk/by-path/ip-{SERVER}:3260-iscsi-{target}-lun-0")
    until(path.exists, f"{path} is there")
    return path


def discovered(initiator: str) -> str:
    """What the portal tells one who only asks."""
    _call_itself(initiator)
    argv = ["iscsiadm", "--mode", "discovery", "--type", "sendtargets", "--portal", f"{SERVER}:3260"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=400)
    subprocess.run(["iscsiadm", "--mode", "node", "--op", "delete"], check=False, capture_output=True)
    return done.stdout


# -- what is left


def left(key: str) -> list[str]:
    """Everything in the kernel, in /run and in the table that has to do with an export; nothing once it is revoked."""
    table = Path("/run/appliance/nfs/etab")
    found = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if key in line.split(" ")[4]]
    found += [line for line in (table.read_text().splitlines() if table.exists() else []) if key in line]
    found += [str(path) for path in Path("/run/appliance/exports").glob(f"*/{key}*")]
    found += [str(path) for path in lio.HOME.glob(f"*/*{key}*")] + [
        str(path) for path in lio.HOME.glob(f"core/*/*{key}*")
    ]
    return found


def stale_ground() -> list[str]:
    """Stores that were begun and have no name yet."""
    return [str(path) for path in lio.HOME.glob("core/iblock_*") if not any(each.is_dir() for each in path.iterdir())]


# -- a helper that is killed


def dying(verb: Verb[Any], steps: int) -> int:
    """Exit code of a process that carries the verb out and is killed after so many changes; 0: it came to its end."""
    argv = [sys.executable, "-m", "tests.guest.inside.exports", str(steps)]
    given = json.dumps({"verb": verb.name, "args": msgspec.to_builtins(verb)})
    done = subprocess.run(argv, input=given, text=True, check=False, capture_output=True, cwd="/qrm", timeout=400)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def _deadly(steps: int) -> Callable[[], None]:
    left = steps

    def after_a_change() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    return after_a_change


def patched(changed: Callable[[], None]) -> Computer:
    """Programs, and what rtslib does in configfs: directories, links, and what it writes."""
    from rtslib_fb import node, target, tcm, utils

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            found = real(*args, **kwargs)
            changed()
            return found

        return call

    for name in ("mkdir", "rmdir", "symlink", "unlink"):
        setattr(os, name, counting(getattr(os, name)))
    for module in (node, target, tcm, utils):
        if hasattr(module, "fwrite"):
            module.fwrite = counting(module.fwrite)
    plain = Computer()

    async def says(argv: Sequence[str], /, seconds: float = 30.0) -> str:
        said = await plain.run(argv, seconds)
        if argv[0] not in READING:
            changed()
        return said

    return Computer(run=says)


def main() -> None:
    """For ``dying``."""
    os.umask(0o077)
    asked = json.load(sys.stdin)
    row = TABLE[asked["verb"]]
    verb = msgspec.convert(asked["args"], row.verb)

    async def act() -> None:
        await row.act(verb, patched(_deadly(int(sys.argv[1]))), lambda *_: None)

    asyncio.run(act())


if __name__ == "__main__":
    main()

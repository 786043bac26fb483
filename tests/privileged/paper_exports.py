"""A computer of paper that exports: LVM with volumes of ours, mounts, an NFS server, and an iSCSI target.

Each does what the real one does, and refuses what that refuses; a test may have it die before or after any step.
"""

import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from appliance.errors import ApplianceError, Conflict
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.targets import PORT, Admitted, Store, Target

GROUP = "aBcDeF-aaaa-bbbb-cccc-dddd-eeee-fffff1"


class KilledError(BaseException):
    """The helper was killed."""


@dataclass
class Steps:
    """Counts what is changed, and kills the helper before or after one of them."""

    at: int = -1
    after: bool = False
    done: int = 0

    def __call__(self, change: Callable[[], Any]) -> Any:
        """Carry one out."""
        self.done += 1
        if self.done == self.at and not self.after:
            raise KilledError
        found = change()
        if self.done == self.at:
            raise KilledError
        return found


@dataclass
class PaperVolumes:
    """What LVM tells."""

    tags: dict[str, list[str]] = field(default_factory=dict)
    read_only: set[str] = field(default_factory=set)
    inactive: set[str] = field(default_factory=set)
    group_tags: str = "qrm.pool"

    def add(self, key: str, *tags: str) -> str:
        """A whole volume."""
        self.tags[key] = [f"qrm.id={key}", f"qrm.name=n{key[:4]}", *tags]
        return key

    def told(self) -> str:
        """As lvs reports, whatever was asked for: who asks has to look closely."""
        rows = [
            {
                "vg_name": "qrm",
                "vg_uuid": GROUP,
                "vg_tags": self.group_tags,
                "lv_name": f"v-{key}",
                "lv_tags": ",".join(tags),
                "lv_dm_path": f"/dev/mapper/qrm-v--{key}",
                "lv_active": "" if key in self.inactive else "active",
                "lv_permissions": "read-only" if key in self.read_only else "writeable",
            }
            for key, tags in self.tags.items()
        ]
        return json.dumps({"report": [{"lv": rows}]})

    def selected(self, argv: Sequence[str]) -> str:
        """Only what was selected."""
        wanted = argv[argv.index("--select") + 1]
        kept = {key: tags for key, tags in self.tags.items() if f'lv_name="v-{key}"' in wanted and GROUP in wanted}
        return replace(self, tags=kept).told()

    def change(self, argv: Sequence[str]) -> str:
        """lvchange."""
        key = argv[-1].removeprefix("qrm/v-")
        if "--deltag" in argv:
            self.tags[key].remove(argv[argv.index("--deltag") + 1])
        else:
            self.inactive.discard(key)
        return ""


class PaperNfs:
    """mount, exportfs, the server; what clients hold open keeps a file system from being unmounted."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots
        self.kernel = roots.proc / "fs" / "nfsd"
        (self.kernel / "clients").mkdir(parents=True)
        (roots.proc / "self").mkdir()
        (roots.proc / "net").mkdir()
        self.mounts: dict[str, tuple[str, bool]] = {}
        self.grown: set[str] = set()
        """Devices whose file systems fill them."""
        self.listeners: list[str] = []
        self.held: dict[str, int] = {}
        """By place: how many attempts to unmount fail, whatever is done."""
        self.open: set[str] = set()
        """Places in which clients have files open."""
        self.starts = 0
        self.write()

    def write(self) -> None:
        """What the kernel tells."""
        lines = [f"36 1 0:1 / {where} {'ro' if ro else 'rw'},nosuid shared:5 - ext4 {device} rw\n"
                 for where, (device, ro) in self.mounts.items()]  # fmt: skip
        (self.roots.proc / "self" / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/root rw\n" + "".join(lines))
        (self.kernel / "threads").write_text(f"{8 if self.listeners else 0}\n")
        self._tell_sockets()

    def _tell_sockets(self) -> None:
        """Those that listen, beside one for HTTPS and one of a client that is connected."""
        others = ["   0: 00000000:01BB 00000000:0000 0A ", "   1: 010200C0:0801 070200C0:0351 01 "]
        ours = [
            f"   {number}: {IPv4Address(each).packed[::-1].hex().upper()}:0801 00000000:0000 0A "
            for number, each in enumerate(self.listeners, 2)
        ]
        head = "  sl  local_address rem_address   st tx_queue rx_queue\n"
        (self.roots.proc / "net" / "tcp").write_text(head + "".join(f"{each}00000000:0000\n" for each in others + ours))

    @property
    def etab(self) -> Path:
        return self.roots.run / "appliance" / "nfs" / "etab"

    def lines(self) -> list[str]:
        return self.etab.read_text().splitlines() if self.etab.exists() else []

    def mount(self, argv: Sequence[str]) -> str:
        """mount."""
        options = argv[argv.index("--options") + 1].split(",")
        assert Path(argv[-1]).is_dir()
        assert argv[-1] not in self.mounts, "mounted twice"
        self.mounts[argv[-1]] = (argv[-2], "ro" in options)
        self.write()
        return ""

    def grow(self, argv: Sequence[str]) -> str:
        """resize2fs, of what is mounted."""
        assert any(device == argv[-1] for device, _ in self.mounts.values())
        self.grown.add(argv[-1])
        return ""

    def unmount(self, argv: Sequence[str]) -> str:
        """umount: refused while a client has something open there, or the kernel is at it."""
        place = argv[-1]
        if (self.kernel / "unlock_filesystem").is_file():
            self.open.discard((self.kernel / "unlock_filesystem").read_text().strip())
        if any((each / "ctl").exists() for each in (self.kernel / "clients").iterdir()):
            self.open.discard(place)
        self.held[place] = self.held.get(place, 0) - 1
        if place in self.open or self.held[place] >= 0 or any(f"{place}\t" in line for line in self.lines()):
            raise ApplianceError("program-failed", f"{place}: target is busy")
        return self.lazy(argv)

    def lazy(self, argv: Sequence[str]) -> str:
        """umount --lazy."""
        del self.mounts[argv[-1]]
        self.write()
        return ""

    def export(self, argv: Sequence[str]) -> str:
        """exportfs: add, remove, flush; one line for each directory and client."""
        if argv[1] == "-f":
            return ""
        if not self.etab.exists():
            raise ApplianceError("program-failed", f"exportfs: can't open {self.etab} for reading")
        client, _, directory = argv[-1].partition(":")
        kept = [line for line in self.lines() if not line.startswith(f"{directory}\t{client}(")]
        if argv[1] == "-u":
            if kept == self.lines():
                raise ApplianceError("program-failed", f"Could not find '{argv[-1]}' to unexport.")
        else:
            kept.append(f"{directory}\t{client}({argv[3]},anonuid=65534,anongid=65534)")
        self.etab.write_text("".join(f"{line}\n" for line in kept))
        return ""

    def start(self, argv: Sequence[str]) -> str:
        """The unit: it listens where its configuration says, and nowhere without."""
        hosts = (self.etab.parent / "nfsd.conf").read_text().split("host=")[1].strip().split(",")
        self.listeners, self.starts = hosts, self.starts + 1
        self.write()
        return ""

    def listen(self, address: str, port: int) -> socket.socket:
        """For the kernel."""
        assert port == 2049
        self.listeners.append(address)
        self.write()
        return socket.socket()

    def client(self, number: int, address: str, place: str) -> Path:
        """A client with a file open; the directory that tells of it."""
        told = self.kernel / "clients" / str(number)
        told.mkdir()
        (told / "info").write_text(f'clientid: 0x1\naddress: "{address}:849"\nstatus: confirmed\n')
        self.open.add(place)
        return told


class PaperTargets:
    """LIO, refusing what configfs refuses."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.stores: dict[str, Store] = {}
        self.targets: dict[str, Target] = {}
        self.secrets: dict[tuple[str, str], tuple[str, str]] = {}
        self.serials: dict[str, str] = {}
        self.discards: set[str] = set()

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(sorted(self.targets)), tuple(sorted(self.stores))

    def target(self, name: str) -> Target | None:
        return self.targets.get(name)

    def store(self, name: str) -> Store | None:
        return self.stores.get(name)

    def make_store(self, name: str, device: str, serial: str, read_only: bool) -> None:
        assert name not in self.stores
        if any(each.device == device for each in self.stores.values()):
            raise Conflict("volume-in-use", f"{device} is already in use")
        self.steps(lambda: self.stores.update({name: Store(name, "", False, False)}))
        self.serials[name] = serial
        self.steps(lambda: self.stores.update({name: Store(name, device, read_only, True)}))

    def offer_discards(self, name: str) -> None:
        assert self.stores[name].ready
        self.steps(lambda: self.discards.add(name))

    def make_target(self, name: str) -> None:
        self.steps(lambda: self.targets.setdefault(name, Target(name, False, False, (), (), ())))

    def _change(self, name: str, **changes: Any) -> None:
        self.steps(lambda: self.targets.update({name: replace(self.targets[name], **changes)}))

    def guard(self, name: str) -> None:
        self._change(name, guarded=True)

    def give(self, name: str, store: str) -> None:
        assert self.stores[store].ready
        self._change(name, stores=(store,))

    def admit(self, name: str, initiator: str) -> None:
        self._change(name, admitted=(Admitted(initiator, False, False, False),))

    def _of(self, name: str, initiator: str) -> Admitted:
        (found,) = [each for each in self.targets[name].admitted if each.name == initiator]
        return found

    def set_secret(self, name: str, initiator: str, user: str, secret: str) -> None:
        self._of(name, initiator)
        self.steps(lambda: self.secrets.update({(name, initiator): (user, secret)}))

    def show(self, name: str, initiator: str, read_only: bool) -> None:
        found = self._of(name, initiator)
        assert self.targets[name].stores
        self._change(name, admitted=(replace(found, unit=True, read_only=read_only),))

    def listen(self, name: str, address: str) -> None:
        self._change(name, portals=(f"{address}:{PORT}",))

    def open(self, name: str) -> None:
        self._change(name, is_open=True)

    def shut(self, name: str) -> None:
        gone = tuple(replace(each, connected=False) for each in self.targets[name].admitted)
        self._change(name, is_open=False, admitted=gone)

    def remove_target(self, name: str) -> None:
        assert not self.targets[name].is_open
        self.steps(lambda: self.targets.pop(name))
        self.secrets = {key: each for key, each in self.secrets.items() if key[0] != name}

    def remove_store(self, name: str) -> None:
        assert not any(name in each.stores for each in self.targets.values()), "in use"
        self.steps(lambda: self.stores.pop(name))

    def log_in(self, name: str, initiator: str, user: str, secret: str) -> str:
        """The device that an initiator gets; empty where it is refused, as the kernel does."""
        target = self.targets.get(name)
        if not target or not target.is_open or not target.portals:
            return ""
        if not target.guarded:
            return "anybody"
        found = next((each for each in target.admitted if each.name == initiator and each.unit), None)
        if not found or self.secrets.get((name, initiator)) != (user, secret):
            return ""
        self.targets[name] = replace(target, admitted=(replace(found, connected=True),))
        return self.stores[target.stores[0]].device


class PaperExporter:
    """All of it, and the computer that the helper sees."""

    def __init__(self, directory: Path) -> None:
        self.roots = Roots.below(directory)
        self.steps = Steps()
        self.volumes, self.nfs = PaperVolumes(), PaperNfs(self.roots)
        self.targets = PaperTargets(self.steps)
        self.addresses = ["192.0.2.1", "198.51.100.1"]
        self.ran: list[list[str]] = []
        self.on = Computer(self.roots, self._run, listen=self._listen, targets=self.targets)
        (self.roots.dev / "mapper").mkdir()

    def volume(self, key: str, *tags: str) -> str:
        """One that LVM and the kernel have."""
        (self.roots.dev / "mapper" / f"qrm-v--{key}").touch()
        return self.volumes.add(key, *tags)

    async def _run(self, argv: Sequence[str], /, seconds: float = 30.0) -> str:
        self.ran.append(list(argv))
        match list(argv):
            case ["lvs", *_]:
                return self.volumes.selected(argv)
            case ["ip", *_]:
                return self._links()
            case ["systemctl", "start", *_]:
                return str(self.steps(lambda: (self.roots.sys / "kernel/config/target/iscsi").mkdir(parents=True)))
            case ["nsenter", "--mount=/proc/1/ns/mnt", "--", *inside]:
                argv = inside
        if "resize2fs" in argv:
            return "" if argv[-1] in self.nfs.grown else str(self.steps(lambda: self.nfs.grow(argv)))
        acts: dict[str, Callable[[Sequence[str]], str]] = {
            "lvchange": self.volumes.change,
            "mount": self.nfs.mount,
            "umount": self.nfs.lazy if "--lazy" in argv else self.nfs.unmount,
            "exportfs": self.nfs.export,
            "systemctl": self.nfs.start,
        }
        return str(self.steps(lambda: acts[argv[0]](argv)))

    def _listen(self, address: str, port: int) -> socket.socket:
        made: socket.socket = self.steps(lambda: self.nfs.listen(address, port))
        return made

    def _links(self) -> str:
        told = [{"local": each, "prefixlen": 24, "scope": "global"} for each in self.addresses]
        link = {"ifname": "nic0", "link_type": "ether", "address": "52:54:00:00:00:01", "addr_info": told}
        return json.dumps([link])

    def restart(self) -> None:
        """The appliance restarts: /run and the kernel are empty, the state and LVM are as they were."""
        self.nfs.mounts.clear()
        self.nfs.listeners.clear()
        self.nfs.write()
        for path in sorted(self.roots.run.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.targets.stores.clear()
        self.targets.targets.clear()

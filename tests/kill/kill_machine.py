"""A machine: firmware that asks for a boot script and obeys it, the real agent, and the real resident.

``tend`` lets it go on by one turn and never waits long; whoever waits for something calls it again and again. Firmware
whose request nobody will answer gives it up at once, and asks anew in a later turn.
"""

import http.client
import json
import os
import re
import select
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from kill_daemon import REPOSITORY, until
from kill_disk import MIB, DiskFile
from kill_network import GUARDED, Network, ip

SERVER = "10.77.0.1"
PATIENCE_SECONDS = 20.0
"""How long firmware waits for an answer."""
MOMENT = 0.01
"""Seconds between two looks at whether it waits in vain."""
NAMESPACES = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child"]
LEASE_SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/$mask" dev "$interface"
echo "$ip" >>"$LEASES"
"""
SHUT_DOWN = """#!/bin/sh
echo "{\\"action\\": \\"$1\\"}" >>"$ACTIONS"
"""
SYSTEM = """
mount --bind "$1/boot_id" /proc/sys/kernel/random/boot_id
mount --bind "$1/etc/ssh" /etc/ssh
hostname "$(cat "$1/etc/hostname")"
PATH="$3" exec "$2" "$1/usr/lib/qrm/resident" "$1/etc/qrm"
"""
"""The only program that the resident can find is the one that writes down what it was told to do."""
LEAVING = ("kexec", "reboot", "leave-rescue")
"""What an agent or a system does last."""


class Phase(Enum):
    """What runs on the machine."""

    OFF = "off"
    FIRMWARE = "firmware"
    STACK = "maintenance stack"
    SYSTEM = "deployed system"


class PlayedMachine:
    """One machine with a network interface of its own on the appliance's bridge."""

    def __init__(
        self,
        directory: Path,
        number: int,
        bridge: Network,
        firmware: str = "bios",
        in_vain: Callable[[], bool] = lambda: False,
    ) -> None:
        """``in_vain`` says whether nobody answers a request of its firmware before something else is done."""
        self._in_vain = in_vain
        self.directory = directory
        directory.mkdir()
        self.mac = f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"
        self.uuid = f"00000000-0000-4000-8000-{number:012x}"
        self.firmware = firmware
        self.settings: dict[str, Any] = {
            "firmware": firmware,
            "uuid": self.uuid,
            "macs": [self.mac],
            "pause_scale": 0.05,
            "disks": [],
        }
        self.before_agent = ":"
        """Shell commands in the agent's own mount namespace, before it starts; ``$1`` is the directory."""
        self.phase = Phase.OFF
        self.boots = 0
        self.scripts: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._actions_seen = 0
        self._network = Network()
        self._plug_in(number, bridge)
        self._tools()

    def _plug_in(self, number: int, bridge: Network) -> None:
        with bridge.inside():
            ip(f"link add p{number} type veth peer name eth0 address {self.mac} netns {self._network.pid}")
            ip(f"link set p{number} master br0 up")
        with self._network.inside():
            ip("link set eth0 up")

    def _tools(self) -> None:
        tools = self.directory / "tools"
        tools.mkdir()
        for name, text in (("lease", LEASE_SCRIPT), ("systemctl", SHUT_DOWN)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)

    def add_disk(self, size: int = 48 * MIB, content: bytes = b"", **settings: Any) -> DiskFile:
        """A disk; its serial is ``S<number of the machine>-<number of the disk>``."""
        disks = self.settings["disks"]
        path = self.directory / f"disk{len(disks)}.img"
        path.write_bytes(content)
        os.truncate(path, size)
        disks.append({"file": path.name, "serial": f"S{self.mac[-5:].replace(':', '')}-{len(disks)}", **settings})
        return DiskFile(path)

    @property
    def disk(self) -> DiskFile:
        """The first disk."""
        return DiskFile(self.directory / "disk0.img")

    @property
    def serial(self) -> str:
        """Of the first disk."""
        return str(self.settings["disks"][0]["serial"])

    @property
    def leases(self) -> list[str]:
        """Addresses in the order in which they were given."""
        path = self.directory / "leases"
        return path.read_text().split() if path.exists() else []

    @property
    def actions(self) -> list[dict[str, Any]]:
        """What agent and system did to the machine, in order."""
        path = self.directory / "actions"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def steps_done(self) -> int:
        """How many steps the agent of this boot has finished, reported or not."""
        return len(list((self.directory / "run/steps").glob("*.json")))

    @property
    def screen(self) -> str:
        """Everything that the agent ever showed."""
        path = self.directory / "screen"
        return path.read_text() if path.exists() else ""

    def power_on(self) -> None:
        """Press the button."""
        assert self.phase is Phase.OFF
        self.phase = Phase.FIRMWARE

    def power_cut(self) -> None:
        """Everything that runs is gone at once, and with it whatever was in memory."""
        self._kill()
        shutil.rmtree(self.directory / "run", ignore_errors=True)
        self.phase = Phase.OFF

    def power_cycle(self) -> None:
        """Off and on."""
        self.power_cut()
        self.power_on()

    def hold(self) -> None:
        """Time stands still for whatever runs on it."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After ``hold``."""
        self._signal(signal.SIGCONT)

    @property
    def is_on(self) -> bool:
        """Whether an agent or a system runs."""
        return self._process is not None

    def _signal(self, number: int) -> None:
        if self._process is None:
            return  # its power was cut while time stood still
        for child in _children(self._process.pid):
            os.kill(child, number)

    def tend(self) -> None:
        """One turn."""
        if self.phase is Phase.FIRMWARE:
            self._boot()
        elif self._process is not None:
            self._look()

    def close(self) -> None:
        """Gone for good."""
        self._kill()
        self._network.close()

    def fetch(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and text of a plain HTTP request from this machine; status 0 when nobody answers."""
        connection = http.client.HTTPConnection(SERVER, timeout=PATIENCE_SECONDS)
        try:
            with self._network.inside():
                connection.request("GET", path, headers=headers or {})
            if not self._is_answered(connection):
                return 0, ""
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def _is_answered(self, connection: http.client.HTTPConnection) -> bool:
        """Wait for the first byte of the answer."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not select.select([connection.sock], [], [], MOMENT)[0]:
            if self._in_vain() or time.monotonic() > end:
                return False
        return True

    def control(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, dict[str, Any]]:
        """Status and answer of a call to the agent control, from this machine, with whatever token."""
        context = ssl.create_default_context(cadata=self.fetch("/ca.pem")[1])
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with self._network.inside():
            connection = http.client.HTTPSConnection(SERVER, timeout=PATIENCE_SECONDS, context=context)
            try:
                connection.request(method, f"/control/v1/{path}", json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read() or b"{}")
            finally:
                connection.close()

    @property
    def token(self) -> str:
        """The machine token of the agent that runs."""
        return str(json.loads((self.directory / "run/session.json").read_text())["token"])

    def argument(self, name: str) -> str:
        """A word of the kernel command line of the present boot."""
        return argument_of((self.directory / "cmdline").read_text(), name)

    def script_path(self, **changes: str) -> str:
        """The request of this machine's iPXE."""
        platform = "efi" if self.firmware == "uefi" else "pcbios"
        said = {"mac": self.mac.replace(":", "-"), "uuid": self.uuid, "platform": platform, "product": "Bench"}
        return "/boot/script?" + "&".join(f"{key}={value}" for key, value in {**said, **changes}.items())

    def run(self, argv: list[str]) -> "subprocess.CompletedProcess[str]":
        """A program on this machine's network."""
        environment = {**os.environ, "LEASES": str(self.directory / "leases")}
        with self._network.inside():
            return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=60)

    def _boot(self) -> None:
        lease = ["udhcpc", "-i", "eth0", "-s", str(self.directory / "tools/lease"), "-n", "-q", "-t", "3", "-T", "1"]
        if self.run(["busybox", *lease]).returncode != 0:
            return
        status, script = self.fetch(self.script_path())
        if status == 200:
            self.boots += 1
            self.scripts.append(script)
            self._obey(script)

    def _obey(self, script: str) -> None:
        stack = re.search(r"kernel \S+/vmlinuz (.*) && initrd", script)
        if stack:
            self._start_stack(stack[1])
        elif "goto efi" in script:
            self._boot_disk(script)
        else:
            raise AssertionError(f"the machine falls out of the network: {script}")

    def _boot_disk(self, script: str) -> None:
        if self.firmware == "uefi":
            wanted = re.search(r"set esp (\S+)", script)
            assert wanted, script
            disk = self._only(lambda disk: disk.esp_partuuid == wanted[1])
        else:
            assert "grub-i386-pc.pxe" in script, script
            loader = self.run(["curl", "-sS", "--max-time", "10", f"tftp://{SERVER}/grub/{self.mac}.cfg"])
            assert loader.returncode == 0, loader.stderr
            disk = self._only(lambda disk: disk.root_fsuuid != "" and disk.root_fsuuid in loader.stdout)
        assert disk.first_sector[510:] == b"\x55\xaa", "sent to a disk that firmware cannot boot"
        self._start_system(disk)

    def _only(self, fits: Any) -> DiskFile:
        disks = [DiskFile(self.directory / entry["file"]) for entry in self.settings["disks"]]
        found = [disk for disk in disks if fits(disk)]
        assert len(found) == 1, "the disk that the script names is not here"
        return found[0]

    def _start_stack(self, command_line: str) -> None:
        (self.directory / "platform.json").write_text(json.dumps(self.settings))
        (self.directory / "cmdline").write_text(command_line)
        shutil.rmtree(self.directory / "run", ignore_errors=True)
        self.phase = Phase.STACK
        self._start_agent()

    def _start_agent(self) -> None:
        shell = f'{self.before_agent}; exec "$2" -m appliance.agent --test-platform "$1"'
        self._start(["sh", "-ec", shell, "sh", str(self.directory), sys.executable])

    def _start_system(self, disk: DiskFile) -> None:
        """The system on ``disk``, as far as we care: its resident, with its own settings, host name and keys."""
        system = self.directory / "system"
        shutil.rmtree(system, ignore_errors=True)
        for name in ("/usr/lib/qrm", "/etc"):
            (system / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            disk.extract(name, (system / name.lstrip("/")).parent)
        shutil.copyfile("/proc/sys/kernel/random/uuid", system / "boot_id")
        self.boots += 1
        self.phase = Phase.SYSTEM
        tools = str(self.directory / "tools")
        self._start(["sh", "-ec", SYSTEM, "sh", str(system), sys.executable, tools])

    def _start(self, argv: list[str]) -> None:
        environment = {**os.environ, "ACTIONS": str(self.directory / "actions")}
        with self._network.inside(), (self.directory / "console").open("ab") as log:
            self._process = subprocess.Popen(
                [*GUARDED, *NAMESPACES, *argv], cwd=REPOSITORY, env=environment, stdout=log, stderr=log
            )

    def _look(self) -> None:
        new = self.actions[self._actions_seen :]
        leaving = next((each["action"] for each in new if each["action"] in LEAVING), None)
        assert self._process is not None
        if self.phase is Phase.STACK and self._process.poll() is None:
            return
        if leaving:
            self._leave(str(leaving))
        elif self._process.poll() is not None:
            assert self.phase is Phase.STACK, f"the deployed system died: {self.console[-2000:]}"
            self._start_agent()

    def _leave(self, action: str) -> None:
        self._actions_seen = len(self.actions)
        self.power_cut()
        if action == "kexec":
            self._start_system(self.disk)
        elif action in LEAVING:
            self.phase = Phase.FIRMWARE

    @property
    def console(self) -> str:
        """What agent and system wrote to their standard output and error."""
        return (self.directory / "console").read_text(errors="replace")

    def _kill(self) -> None:
        """The first process of the process-id namespace takes all others with it; then nothing holds the disks."""
        if self._process is None:
            return
        self._actions_seen = len(self.actions)
        process = self._process
        until(lambda: process.poll() is not None or _children(process.pid), "unshare starts nothing")
        for child in _children(process.pid):
            os.kill(child, signal.SIGKILL)
        process.wait(20)
        self._process = None


def argument_of(text: str, name: str) -> str:
    """The value of ``qrm.<name>=`` in a boot script or command line."""
    found = re.search(rf"qrm\.{name}=(\S+)", text)
    assert found, text
    return found[1]


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []

"""Record what real firmware and clients say to the daemon, as the files beside this one.

Usage: python -m tests.captures.record CLIENT..., as root. A client is one of ``CLIENTS``. Each gets an appliance and a
network of its own; its file is written anew, with a comment on each field (``annotate``).
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.captures.annotate import OURS, annotated
from tests.captures.frames import Frame, parse_frame

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
MAC = "52:54:00:aa:bb:01"
UUID = "12345678-9abc-def0-1122-334455667788"
PATIENCE = 400
"""Seconds until the last packet of a client must have come; UEFI tries IPv6 in between."""
NETWORK = (
    "link set lo up",
    f"link add br0 address {OURS} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
    "address add 10.77.0.1/24 dev br0",
    "link set br0 up",
)
CONFIGURATION = """
[site]
state_dir = "{path}/state"
domain = "lab.test"
[[subnet]]
interface = "br0"
ranges = ["10.77.0.50-10.77.0.99"]
other_servers = "ignore"
lease_seconds = 3600
gateway = "10.77.0.1"
[boot]
stack = "{path}/stack"
programs = "{path}/programs"
[web]
listen = ["127.0.0.1:8443"]
"""
LEASE_SCRIPT = """#!/bin/sh
case "$1$reason" in
  bound|BOUND|REBOOT) ip address flush dev eth0; ip address add "${ip:-$new_ip_address}/24" dev eth0 ;;
esac
"""
MACHINE = (
    *("qemu-system-x86_64", "-accel", "tcg", "-m", "512", "-display", "none", "-nodefaults", "-no-user-config"),
    *("-uuid", UUID, "-smbios", "type=1,serial=SN 1,product=Box,manufacturer=Acme"),
    *("-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no"),
)
OVMF = Path("/usr/share/OVMF")
IN_CLIENT = ("nsenter", "--net=/run/client")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class Recorder:
    """Everything that crosses the appliance's bridge."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind(("br0", 0))
        self.frames: list[Frame] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            frame = parse_frame(self._socket.recv(65536))
            if frame is not None:
                self.frames.append(frame)

    def wait(self, right: Callable[[Frame], bool]) -> None:
        """Until a packet came that is ``right``."""
        end = time.monotonic() + PATIENCE
        while not any(map(right, list(self.frames))):
            if time.monotonic() > end:
                raise TimeoutError(f"{len(self.frames)} packets, and not that one")
            time.sleep(0.1)


def _daemon(path: Path) -> subprocess.Popen[bytes]:
    for room, files in (("stack", ("vmlinuz", "initrd")), ("programs", ("undionly.kpxe", "snponly.efi"))):
        (path / room).mkdir()
        for file in files:
            (path / room / file).write_bytes(file.encode() * 500)
    config = path / "qrm.toml"
    config.write_text(CONFIGURATION.format(path=path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, (path / "log").open("wb") as log:
        ready.bind(str(path / "notify"))
        ready.settimeout(60)
        environment = {**os.environ, "NOTIFY_SOCKET": str(path / "notify")}
        argv = [sys.executable, "-m", "appliance", "serve", "--config", str(config)]
        process = subprocess.Popen(argv, env=environment, cwd=REPOSITORY, stdout=log, stderr=log)
        while b"READY=1" not in ready.recv(4096):
            continue
    return process


def _machine(*arguments: str) -> subprocess.Popen[bytes]:
    ip("tuntap", "add", "tap0", "mode", "tap")
    ip("link", "set", "tap0", "master", "br0", "up")
    return subprocess.Popen([*MACHINE, *arguments])


def seabios_ipxe(recorder: Recorder, path: Path) -> None:
    """QEMU's own iPXE ROM under SeaBIOS."""
    _machine("-boot", "n", "-device", f"virtio-net-pci,netdev=net,mac={MAC}")
    recorder.wait(lambda frame: b"GET /boot/script" in frame.payload)


def _ovmf(path: Path, *settings: str) -> None:
    shutil.copy(OVMF / "OVMF_VARS_4M.fd", path / "variables.fd")
    _machine(
        *("-machine", "q35", "-device", "virtio-rng-pci"),
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.fd'}"),
        *("-drive", f"if=pflash,unit=1,format=raw,file={path / 'variables.fd'}"),
        *("-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile=,bootindex=1"),
        *settings,
    )


def ovmf_pxe(recorder: Recorder, path: Path) -> None:
    """OVMF's own PXE client, until it has its boot program whole."""
    _ovmf(path)
    recorder.wait(lambda frame: frame.source_port != 69 and frame.payload[:4] == b"\0\4\0\4")


def ovmf_http(recorder: Recorder, path: Path) -> None:
    """OVMF's HTTP boot, with PXE switched off."""
    off = (("-fw_cfg", f"name=opt/org.tianocore/IPv{version}PXESupport,string=no") for version in "46")
    _ovmf(path, *(word for each in off for word in each))
    recorder.wait(lambda frame: b"GET /boot/snponly.efi" in frame.payload)


def _card(path: Path) -> None:
    """A network namespace with one card, kept in /run/client."""
    Path("/run/client").touch()
    subprocess.run(["unshare", "--net=/run/client", "true"], check=True)
    ip("link", "add", "port1", "type", "veth", "peer", "name", "eth0")
    subprocess.run(["ip", "link", "set", "eth0", "netns", "/run/client"], check=True)
    ip("link", "set", "port1", "master", "br0", "up")
    inside(*("ip", "link", "set", "eth0", "address", MAC, "up"))
    (path / "script").write_text(LEASE_SCRIPT)
    (path / "script").chmod(0o755)


def inside(*argv: str) -> None:
    """Run a program beside the card."""
    subprocess.run([*IN_CLIENT, *argv], check=True)


def _kinds(recorder: Recorder) -> list[int]:
    """The kinds of DHCP messages that the client has sent."""
    sent = [frame.payload for frame in recorder.frames if frame.source_port == 68]
    return [payload[payload.index(b"\x35\x01", 240) + 2] for payload in sent]


def udhcpc(recorder: Recorder, path: Path) -> None:
    """busybox: takes an address, renews it, gives it back."""
    _card(path)
    client = subprocess.Popen([*IN_CLIENT, "busybox", "udhcpc", "-i", "eth0", "-f", "-R", "-s", str(path / "script")])
    recorder.wait(lambda frame: _kinds(recorder)[-1:] == [3] and frame.source_port == 67 and _acknowledges(frame))
    time.sleep(1)
    before = len(recorder.frames)
    client.send_signal(signal.SIGUSR1)
    recorder.wait(lambda _: any(_acknowledges(frame) for frame in recorder.frames[before:]))
    client.terminate()
    recorder.wait(lambda _: _kinds(recorder)[-1:] == [7])


def _acknowledges(frame: Frame) -> bool:
    return frame.source_port == 67 and b"\x35\x01\x05" in frame.payload[240:]


def dhclient(recorder: Recorder, path: Path) -> None:
    """ISC's client: takes an address, asks for it again as after a restart, gives it back."""
    _card(path)
    files = ["-lf", str(path / "leases"), "-pf", str(path / "pid"), "-cf", "/dev/null", "-sf", str(path / "script")]
    for _ in range(2):
        inside("dhclient", "-1", *files, "eth0")
        os.kill(int((path / "pid").read_text()), signal.SIGKILL)
    inside("dhclient", "-r", *files, "eth0")
    recorder.wait(lambda _: _kinds(recorder)[-1:] == [7])


def networkd(recorder: Recorder, path: Path) -> None:
    """systemd-networkd, as on the images that we deploy."""
    _card(path)
    for room in ("/run/systemd/network", "/run/systemd/netif", "/etc/systemd/network"):
        subprocess.run(["mkdir", "-p", room], check=True)
    subprocess.run(["chown", "-R", "systemd-network:", "/run/systemd/netif"], check=True)
    rules = "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    Path("/run/systemd/network/10-eth0.network").write_text(rules)
    # Where /sys can be written it waits for udev, which is not there.
    read_only = "mount -t sysfs -o ro sysfs /sys && exec /lib/systemd/systemd-networkd"
    subprocess.Popen([*IN_CLIENT, "unshare", "--mount", "--uts", "sh", "-c", f"hostname n1 && {read_only}"])
    recorder.wait(_acknowledges)


CLIENTS: dict[str, Callable[[Recorder, Path], None]] = {
    each.__name__: each for each in (seabios_ipxe, ovmf_pxe, ovmf_http, udhcpc, dhclient, networkd)
}


def record(client: str) -> None:
    """Inside namespaces of our own: play, and write the file."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for words in NETWORK:
        ip(*words.split())
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        _daemon(path)
        recorder = Recorder()
        CLIENTS[client](recorder, path)
        time.sleep(1)
        text = json.dumps(annotated(client, CLIENTS[client].__doc__ or "", recorder.frames), indent=1)
    (HERE / f"{client}.json").write_text(text + "\n")
    os._exit(0)  # the namespace ends with us, and all that still runs in it


def main(clients: Sequence[str]) -> None:
    """Each client in a world of its own, one after the other."""
    for client in clients:
        world = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        argv = [sys.executable, "-m", "tests.captures.record", "--inside", client]
        subprocess.run([*world, *argv], check=True, cwd=REPOSITORY, timeout=PATIENCE + 60)
        print(f"{client}: recorded", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        record(sys.argv[2])
    main(sys.argv[1:])

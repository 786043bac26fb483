"""A machine for controllers to switch: a QEMU process without a disk, or only the note of one (``pretend``).

A program too: what ``ipmi_sim`` calls to control its chassis. The directory holds all there is to know.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

DISCOVER = b"PXEClient"
"""In every DHCP request of network-booting firmware (option 60)."""


class BenchMachine:
    """One machine, whoever looks at it: state is on disk only."""

    program = Path(__file__)
    """What controls it for ``ipmi_sim``."""

    def __init__(self, directory, pretend=True):
        self.directory = Path(directory)
        self.pid, self.boot, self.starts = (self.directory / name for name in ("pid", "boot", "starts"))
        self.real = self.directory / "real"
        if not pretend:
            self.real.touch()

    @property
    def capture(self):
        """What its network card sent and got, as tcpdump writes it."""
        return self.directory / "capture.pcap"

    def is_on(self):
        if not self.pid.exists():
            return False
        return not self.real.exists() or alive(int(self.pid.read_text()))

    def on(self):
        if self.is_on():
            return
        device = taken(self.boot, self.starts)
        if self.real.exists():
            subprocess.run(self.command(device), check=True, stdin=subprocess.DEVNULL)
        else:
            self.pid.write_text("0")

    def off(self):
        if self.real.exists() and self.is_on():
            number = int(self.pid.read_text())
            os.kill(number, signal.SIGKILL)
            while alive(number):
                time.sleep(0.02)
        self.pid.unlink(missing_ok=True)

    def command(self, device):
        """From the network, or from nothing at all: its card has no ROM then."""
        how = "bootindex=1" if device == "pxe" else "romfile="
        return [
            "qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-display", "none", "-boot", "strict=on",
            "-nodefaults", "-serial", "none", "-monitor", "none", "-daemonize", "-pidfile", str(self.pid),
            "-netdev", "user,id=net", "-device", f"virtio-net-pci,netdev=net,{how}",
            "-object", f"filter-dump,id=dump,netdev=net,file={self.capture}",
        ]  # fmt: skip

    def started(self):
        """One word for each start: what it was to boot from."""
        return self.starts.read_text().split() if self.starts.exists() else []

    def asked_for_network(self):
        """Whether its firmware has sent a DHCP request."""
        return self.capture.exists() and DISCOVER in self.capture.read_bytes()


def taken(boot, starts):
    """What the coming start boots from: as ``boot`` says, for one start only; noted in ``starts``."""
    device = boot.read_text() if boot.exists() else "default"
    boot.unlink(missing_ok=True)
    with starts.open("a") as log:
        log.write(device + "\n")
    return device


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def control(machine, verb, words):
    """The protocol of ``chassis_control`` (ipmi_lan(5), ipmi_sim's own source of truth)."""
    if verb == "check":
        return
    while words:
        what = words.pop(0)
        if verb == "get":
            answers = {
                "power": str(int(machine.is_on())),
                "boot": machine.boot.read_text() if machine.boot.exists() else "default",
            }
            print(f"{what}:{answers[what]}")
            continue
        value = words.pop(0)
        if what == "power":
            machine.on() if value == "1" else machine.off()
        elif what == "boot":
            machine.boot.write_text(value)
        elif what == "reset":
            machine.off()
            machine.on()
        elif what == "shutdown":
            machine.off()


if __name__ == "__main__":
    control(BenchMachine(sys.argv[1]), sys.argv[3], sys.argv[4:])

"""The built maintenance stack, started by QEMU, runs an agent that was appended to its initrd."""

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builder import cache, cpio

AGENT = b"""
import ssl, json, http.client, urllib.request, hashlib, subprocess, uuid, ctypes, tempfile
names = ["sgdisk", "mkfs.xfs", "btrfs", "lvm", "mdadm", "kexec", "smartctl", "nvme", "ipmitool", "sshd", "ip"]
names += ["iscsid", "iscsiadm", "mount.nfs4"]
found = [name for name in names if subprocess.run(["which", name], capture_output=True).returncode == 0]
nics = [line.split()[1] for line in subprocess.run(["ip", "-br", "link"], capture_output=True, text=True)
        .stdout.splitlines() if not line.startswith("lo")]
print("AGENT " + json.dumps({"missing": sorted(set(names) - set(found)), "nics": nics}), flush=True)
subprocess.run(["poweroff", "-f"])
"""
LIMIT_SECONDS = 100


@pytest.mark.vm
def test_agent_starts_in_768_megabytes(tmp_path: Path) -> None:
    stack = built_stack()
    assert sum((stack / part).stat().st_size for part in ("vmlinuz", "initrd")) <= 96_000_000
    initrd = tmp_path / "initrd"
    agent = [cpio.directory("qrm"), cpio.directory("qrm/agent"), cpio.plain("qrm/agent/__main__.py", AGENT)]
    initrd.write_bytes((stack / "initrd").read_bytes() + cpio.archive(agent))
    said = boot(stack / "vmlinuz", initrd)
    facts = json.loads(said.partition("AGENT ")[2])
    assert facts["missing"] == []
    assert facts["nics"] == ["UP"] or facts["nics"] == ["DOWN"]


def built_stack() -> Path:
    made = subprocess.run([sys.executable, cache.SOURCE / "build", "stack"], stdout=subprocess.PIPE, check=True)
    return Path(json.loads(made.stdout)["stack"])


def boot(kernel: Path, initrd: Path) -> str:
    """Start it; the agent's line from the serial console, or what was there when time was up."""
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "768", "-display", "none", "-serial", "stdio"]
    command += ["-monitor", "none", "-no-reboot", "-nic", "user,model=virtio-net-pci"]
    command += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", "console=ttyS0,115200n8 panic=1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        try:
            return line_of(machine, b"AGENT ")
        finally:
            machine.kill()


def line_of(machine: subprocess.Popen[bytes], marker: bytes) -> str:
    assert machine.stdout
    deadline, said = time.monotonic() + LIMIT_SECONDS, b""
    with selectors.DefaultSelector() as ready:
        ready.register(machine.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline and ready.select(deadline - time.monotonic()):
            chunk = os.read(machine.stdout.fileno(), 65536)
            said += chunk
            complete = [line for line in said.split(b"\n")[:-1] if line.startswith(marker)]
            if complete or not chunk:
                return complete[0].decode() if complete else pytest.fail(said[-2000:].decode(errors="replace"))
    return pytest.fail("no agent in time:\n" + said[-2000:].decode(errors="replace"))

"""The built hand-over initrd in a machine: from the boot token, over HTTPS, to a root in memory."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from builder import cpio
from handover_appliance import DOWNLOAD, NONCE, TOKEN, Served, serving
from test_builder_stack_boots import built_stack, line_of

INIT = b"""#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
left=$(grep -rlE "$(cat /etc/secrets)" /run /dev/shm /tmp 2>/dev/null)
echo "ROOT $(cat /proc/sys/kernel/hostname) $(cat /etc/hostname) left=[$left] mode=$(stat -c %a /root/secret)"
poweroff -f
"""
MAC = "52:54:00:4c:01:01"


@pytest.mark.vm
@pytest.mark.timeout(600)
def test_a_boot_token_leads_to_a_root_in_memory(tmp_path: Path) -> None:
    stack = built_stack()
    image = squashed(tmp_path, stack)
    with serving(tmp_path, image) as appliance:
        appliance.document = document(appliance)
        said = boot(stack, tmp_path, f"{appliance.words()} BOOTIF=01-{MAC.replace(':', '-')}")
    assert said == "ROOT web1 web1 left=[] mode=600"
    (redeemed,) = appliance.redeemed
    assert (redeemed["nonce"], redeemed["mac"], redeemed["firmware"]) == (NONCE, MAC, "bios")
    assert appliance.asked == ["/ca.pem", "/time", "/control/v1/root", "/images/1/content"]


def document(appliance: Served) -> dict[str, object]:
    secret = f"{DOWNLOAD}|{TOKEN}"
    return {
        "version": 1,
        "delivery": "ram",
        "hostname": "web1",
        "nic": {"mac": MAC},
        "ram": {
            "url": f"{appliance.base}/images/1/content",
            "token": DOWNLOAD,
            "bytes": len(appliance.image),
            "sha256": hashlib.sha256(appliance.image).hexdigest(),
        },
        "files": [
            {"path": "/etc/hostname", "mode": 0o644, "content": "web1\n"},
            {"path": "/etc/secrets", "mode": 0o644, "content": secret},
            {"path": "/root/secret", "mode": 0o600, "content": "$(reboot)"},
        ],
    }


def squashed(directory: Path, stack: Path) -> bytes:
    """A root of busybox alone, which says what it finds, packed."""
    packed = directory / "root.squashfs"
    root = busybox_root(directory, stack, INIT)
    subprocess.run(["mksquashfs", root, packed, "-quiet", "-no-progress", "-all-root"], check=True)
    return packed.read_bytes()


def busybox_root(directory: Path, stack: Path, init: bytes) -> Path:
    """The same as a directory."""
    root = directory / "root"
    for name in ("bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp", "root"):
        (root / name).mkdir(parents=True)
    with (stack / "initrd").open("rb") as initrd:
        subprocess.run(["cpio", "-i", "--quiet", "busybox"], stdin=initrd, cwd=root / "bin", check=True)
    for name in ("sh", "mount", "grep", "cat", "stat", "poweroff", "ps", "tr", "sync"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "sbin/init").write_bytes(init)
    (root / "sbin/init").chmod(0o755)
    (root / "etc/hostname").write_text("image\n")
    (root / "etc/os-release").write_text("ID=test\n")
    return root


def boot(stack: Path, directory: Path, words: str, extra: bytes = b"") -> str:
    """What the root said."""
    initrd = directory / "initrd"
    parts = [
        (stack / part).read_bytes() for part in json.loads((stack / "stack.json").read_text())["handover"]["initrd"]
    ]
    initrd.write_bytes(b"".join(part + bytes(-len(part) % cpio.ALIGNMENT) for part in [*parts, extra]))
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "768", "-display", "none", "-serial", "stdio"]
    command += ["-monitor", "none", "-no-reboot", "-nic", f"user,model=virtio-net-pci,mac={MAC}"]
    command += ["-kernel", str(stack / "vmlinuz"), "-initrd", str(initrd)]
    command += ["-append", f"console=ttyS0,115200n8 panic=1 loglevel=4 {words}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        try:
            return line_of(machine, b"ROOT ").strip()
        finally:
            machine.kill()

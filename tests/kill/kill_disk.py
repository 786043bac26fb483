"""Disks that are files, the image that goes onto them, and a look at them from outside, as on another computer."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
ROOT_UUID = "11111111-2222-3333-4444-555555555555"
ROOT_START = 2 * MIB
IMAGE_SIZE = 28 * MIB
GRUB_CFG = f"""
set default="0"
menuentry 'Demo' {{
    search --no-floppy --fs-uuid --set=root {ROOT_UUID}
    linux /boot/vmlinuz-6.12 root=UUID={ROOT_UUID} ro quiet
    initrd /boot/initrd.img-6.12
}}
"""
TREE: dict[str, str | bytes] = {
    "etc/os-release": "ID=debian\nPRETTY_NAME='Debian GNU/Linux 13 (trixie)'\n",
    "etc/hostname": "golden\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 golden\n",
    "etc/ssh/sshd_config": "",
    "etc/systemd/system/.keep": "",
    "boot/grub/grub.cfg": GRUB_CFG,
    "boot/vmlinuz-6.12": "a kernel",
    "boot/initrd.img-6.12": "an initrd",
    "usr/lib/systemd/systemd": "",
    "usr/lib/systemd/systemd-networkd": "",
    "usr/bin/python3": "",
    "root/.bashrc": "",
}
FILLER = "usr/share/filler"
"""What cannot be compressed, so that writing the image takes more than one packet."""


def build_image(directory: Path) -> Path:
    """A disk image as users bring it: GPT, an EFI system partition, a root in ext4."""
    tree, path, root = directory / "tree", directory / "image.raw", directory / "root.ext4"
    for name, content in {**TREE, FILLER: os.urandom(16 * MIB)}.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    argv = ["mke2fs", "-q", "-t", "ext4", "-U", ROOT_UUID, "-L", "root", "-d", str(tree), str(root), "24M"]
    subprocess.run(argv, check=True)
    path.touch()
    os.truncate(path, IMAGE_SIZE)
    script = "label: gpt\nstart=2048, size=2048, type=uefi\nstart=4096, size=49152, type=linux\n"
    subprocess.run(["sfdisk", "--quiet", str(path)], input=script, text=True, check=True)
    with path.open("r+b") as file:
        file.seek(ROOT_START)
        file.write(root.read_bytes())
    return path


@dataclass(frozen=True)
class DiskFile:
    """One disk of a machine that is off, or at rest."""

    path: Path

    @property
    def first_sector(self) -> bytes:
        """What firmware reads."""
        with self.path.open("rb") as file:
            return file.read(512)

    @property
    def esp_partuuid(self) -> str:
        """Of the first partition of the GPT; empty where there is none."""
        done = subprocess.run(["sfdisk", "--json", str(self.path)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return ""
        return str(json.loads(done.stdout)["partitiontable"]["partitions"][0]["uuid"]).lower()

    @property
    def root_fsuuid(self) -> str:
        """Of the file system where the image has its root."""
        argv = ["blkid", "--probe", "--offset", str(ROOT_START), "--match-tag", "UUID", "--output", "value"]
        return subprocess.run([*argv, str(self.path)], capture_output=True, text=True, check=False).stdout.strip()

    def put(self, name: str, text: str) -> None:
        """Write a file into the root, as the system that runs there would."""
        source = self.path.with_suffix(".put")
        source.write_text(text)
        self._debugfs(f"write {source} {name}", "-w")

    def text(self, name: str) -> str:
        """A file of the root; empty where it is not there."""
        return self._debugfs(f"cat {name}")

    def extract(self, name: str, directory: Path) -> None:
        """Copy a directory of the root below ``directory``."""
        self._debugfs(f"rdump {name} {directory}")

    def _debugfs(self, command: str, *options: str) -> str:
        argv = ["debugfs", *options, "-R", command, f"{self.path}?offset={ROOT_START}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        wrong = re.search(r"^(?!debugfs \d).+$", done.stderr, re.MULTILINE)
        assert wrong is None or "File not found" in wrong[0], (command, done.stderr)
        return done.stdout

"""Disks that are files, images that could boot, and an appliance to talk to."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_bench import FSUUID, GRUB_CFG, MIB, Bench
from fake_appliance import FakeAppliance


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[FakeAppliance]:
    fake = FakeAppliance(tmp_path)
    yield fake
    fake.close()


@pytest.fixture(scope="session")
def root_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in the root of the test image: just enough of a Debian."""
    top = tmp_path_factory.mktemp("tree")
    files = {
        "etc/os-release": "ID=debian\nPRETTY_NAME='Debian GNU/Linux 13 (trixie)'\n",
        "etc/hostname": "golden\n",
        "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 golden\n",
        "etc/ssh/ssh_host_rsa_key": "the same in every copy",
        "etc/ssh/ssh_host_rsa_key.pub": "ssh-rsa SAME golden",
        "boot/grub/grub.cfg": GRUB_CFG,
        "boot/vmlinuz-6.12": "a kernel",
        "boot/initrd.img-6.12": "an initrd",
        "usr/lib/systemd/systemd": "",
        "usr/lib/systemd/systemd-networkd": "",
        "usr/bin/python3": "",
        "root/.bashrc": "",
    }
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (top / "etc/systemd/system").mkdir(parents=True)
    return top


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, root_tree: Path) -> Path:
    """A disk image of 24 MiB: GPT, an EFI system partition, a root in ext4."""
    path = tmp_path_factory.mktemp("image") / "demo.raw"
    root = path.with_suffix(".ext4")
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-U", FSUUID, "-L", "root", "-d", str(root_tree), str(root), "20M"], check=True
    )
    path.write_bytes(b"")
    os.truncate(path, 24 * MIB)
    script = "label: gpt\nstart=2048, size=2048, type=uefi\nstart=4096, size=40960, type=linux\n"
    subprocess.run(["sfdisk", "--quiet", str(path)], input=script, text=True, check=True)
    with path.open("r+b") as file:
        file.seek(2 * MIB)
        file.write(root.read_bytes())
    return path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "computer")
    yield made
    made.close()

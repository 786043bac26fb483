"""Small root file systems with kernels in them, stored in each way that an image can be."""

import gzip
import io
import lzma
import os
import subprocess
import tarfile
from pathlib import Path

VERSION, OLDER = "6.12.9-test", "6.1.100-test"
BASE = f"usr/lib/modules/{VERSION}"
CARD = lzma.compress(b"\x7fELF\0license=GPL\0firmware=card/one.bin\0alias=pci\0")


def bzimage(version=VERSION, signed=False, size=70_000):
    """What a boot loader takes for a kernel, with what it calls itself and a PE header."""
    content = bytearray(size)
    content[:2], content[0x202:0x206] = b"MZ", b"HdrS"
    content[0x20E:0x210] = (0x3000).to_bytes(2, "little")
    said = f"{version} (builder@test) #1\0".encode()
    content[0x3200 : 0x3200 + len(said)] = said
    content[0x3C:0x40] = (0x40).to_bytes(4, "little")
    content[0x40:0x44], content[0x58:0x5A] = b"PE\0\0", (0x20B).to_bytes(2, "little")
    if signed:
        content[0x58 + 144 : 0x58 + 152] = (60_000).to_bytes(4, "little") + (1500).to_bytes(4, "little")
    return bytes(content)


FILES = {
    "etc/os-release": b'PRETTY_NAME="Test 1"\n',
    f"boot/vmlinuz-{VERSION}": bzimage(signed=True),
    f"boot/initrd.img-{VERSION}": b"initrd of its own",
    f"boot/vmlinuz-{OLDER}": bzimage(OLDER),
    f"{BASE}/modules.dep": b"kernel/drivers/net/ethernet/card.ko.xz: kernel/lib/needed.ko\nkernel/lib/needed.ko:\n"
    b"kernel/sound/loud.ko:\nkernel/fs/nfs/gone.ko:\n",
    f"{BASE}/modules.dep.bin": b"index",
    f"{BASE}/modules.alias.bin": b"aliases",
    f"{BASE}/kernel/drivers/net/ethernet/card.ko.xz": CARD,
    f"{BASE}/kernel/lib/needed.ko": b"\x7fELF needed",
    f"{BASE}/kernel/sound/loud.ko": b"\x7fELF loud",
    "usr/lib/firmware/card/real.bin": b"firmware",
    "usr/lib/firmware/loud.bin": b"nobody wants it",
}
LINKS = {"usr/lib/firmware/card/one.bin": "real.bin", "boot/vmlinuz": f"vmlinuz-{VERSION}"}


def tree(into: Path, files=FILES, links=LINKS):
    for name, content in files.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_bytes(content)
    for name, target in links.items():
        (into / name).symlink_to(target)
    return into


def tar(files=FILES, links=LINKS):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in links.items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return out.getvalue()


def squashfs(scratch: Path, **what):
    root, made = tree(scratch / "root", **what), scratch / "root.squashfs"
    subprocess.run(["mksquashfs", root, made, "-quiet", "-no-progress", "-all-root"], check=True)
    return made.read_bytes()


def file_system(root: Path, made: Path, size=16 << 20, kind="ext4"):
    with made.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mke2fs", "-q", "-F", "-t", kind, "-d", root, made], check=True, capture_output=True)
    return made.read_bytes()


def disk(*partitions: bytes):
    """An MBR with these partitions, one behind the other from 1 MiB on."""
    head, at = bytearray(1 << 20), 1 << 20
    for number, content in enumerate(partitions):
        first, count = at // 512, len(content) // 512
        entry = b"\0\0\0\0\x83\0\0\0"
        head[446 + 16 * number : 462 + 16 * number] = entry + first.to_bytes(4, "little") + count.to_bytes(4, "little")
        at += len(content)
    head[510:512] = b"\x55\xaa"
    return bytes(head) + b"".join(partitions)


def one_partition(scratch: Path, **what):
    return disk(file_system(tree(scratch / "root", **what), scratch / "root.img"))


def two_partitions(scratch: Path):
    """With ``/boot`` on a file system of its own, ext2 as many have it."""
    boot = {name.removeprefix("boot/"): content for name, content in FILES.items() if name.startswith("boot/")}
    rest = {name: content for name, content in FILES.items() if not name.startswith("boot/")}
    links = {name: target for name, target in LINKS.items() if not name.startswith("boot/")}
    first = file_system(tree(scratch / "boot", boot, {}), scratch / "boot.img", 4 << 20, "ext2")
    return disk(first, file_system(tree(scratch / "root", rest, links), scratch / "root.img"))


def packed(disk_: bytes, scratch: Path):
    (scratch / "disk.raw").write_bytes(disk_)
    subprocess.run(["zstd", "-q", scratch / "disk.raw"], check=True)
    return (scratch / "disk.raw.zst").read_bytes()


STORED = {
    "tar": lambda _: tar(),
    "tar.gz": lambda _: gzip.compress(tar(), 1),
    "squashfs": squashfs,
    "raw": one_partition,
    "raw with /boot": two_partitions,
    "raw.zst": lambda scratch: packed(one_partition(scratch), scratch),
}


def names_in(modules: bytes):
    """What is in an archive that the hand-over initrd gets, told by another program than ours."""
    said = subprocess.run(
        ["cpio", "-t", "--quiet"], input=gzip.decompress(modules), capture_output=True, check=True, env=os.environ
    )
    return said.stdout.decode().split()

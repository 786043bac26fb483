"""Files of images, made by hand, and hurt where a test wants that."""

import io
import struct
import tarfile
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
ROOT_AMD64 = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
OS_RELEASE = b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\n'
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 62) + bytes(100)


def no_zstd(_: bool) -> AbstractContextManager[Any]:
    raise AssertionError("nothing here is packed with zstd")


def qcow2(size: int = 1 << 30, version: int = 3, extensions: Sequence[tuple[int, bytes]] = (), **changes: int) -> bytes:
    """A qcow2 file of four clusters, its fields changed as asked for."""
    said = {
        "backing": 0, "backing_size": 0, "bits": 16, "size": size, "crypt": 0, "l1": 2, "l1_at": 3 << 16,
        "counts_at": 1 << 16, "counts": 1, "snapshots": 0, "snapshots_at": 0, "incompatible": 0, "length": 104,
    } | changes  # fmt: skip
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, said["backing"], said["backing_size"], said["bits"], said["size"],
        said["crypt"], said["l1"], said["l1_at"], said["counts_at"], said["counts"], said["snapshots"],
        said["snapshots_at"],
    )  # fmt: skip
    if version == 3:
        head += struct.pack(">QQQII", said["incompatible"], 0, 0, 4, said["length"])
    for kind, content in extensions:
        head += struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)
    return (head + bytes(8)).ljust(4 << 16, b"\0")


def gpt(size: int, kinds: Sequence[str] = (ESP, ROOT_AMD64), sector: int = 512, last: int | None = None) -> bytes:
    """A disk with a GPT; its last partition ends with sector ``last``, the last one when left out."""
    end = size // sector - 34 if last is None else last
    entries = b"".join(
        struct.pack("<16s16sQQQ72s", UUID(kind).bytes_le, bytes(15) + b"\1", 34 + number, end, 0, b"")
        for number, kind in enumerate(kinds)
    ).ljust(128 * 128, b"\0")
    fields: list[Any] = [b"EFI PART", 0x10000, 92, 0, 0, 1, size // sector - 1, 34, end, bytes(16), 2, 128, 128]
    header = struct.pack("<8sIIIIQQQQ16sQIII", *fields, zlib.crc32(entries))
    fields[3] = zlib.crc32(header)
    header = struct.pack("<8sIIIIQQQQ16sQIII", *fields, zlib.crc32(entries))
    boot = b"\xeb\x63".ljust(446, b"\0") + struct.pack("<B3sB3sII", 0, b"", 0xEE, b"", 1, 0xFFFFFFFF)
    boot = boot.ljust(510, b"\0") + b"\x55\xaa"
    return (boot.ljust(sector, b"\0") + header.ljust(sector, b"\0") + entries).ljust(size, b"\0")


def mbr(size: int, sectors: int, kind: int = 0x83) -> bytes:
    """A disk with one partition of so many sectors behind the first one."""
    boot = b"\xfa".ljust(446, b"\0") + struct.pack("<B3sB3sII", 0x80, b"", kind, b"", 1, sectors)
    return (boot.ljust(510, b"\0") + b"\x55\xaa").ljust(size, b"\0")


def entry(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", target: str = "") -> tarfile.TarInfo:
    """One entry of an archive."""
    found = tarfile.TarInfo(name)
    found.type, found.size, found.linkname = kind, len(content), target
    return found


def tar(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of these."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for each, content in entries:
            archive.addfile(each, io.BytesIO(content))
    return out.getvalue()


def system(*more: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of a small root file system, with what is asked for besides."""
    return tar(
        (entry("./usr", tarfile.DIRTYPE), b""),
        (entry("./usr/lib/os-release", content=OS_RELEASE), OS_RELEASE),
        (entry("./usr/bin/sh", content=PROGRAM), PROGRAM),
        (entry("./etc/os-release", tarfile.SYMTYPE, target="../usr/lib/os-release"), b""),
        (entry("./bin", tarfile.SYMTYPE, target="usr/bin"), b""),
        *more,
        form=form,
    )


def squashfs(**changes: int) -> bytes:
    """A superblock, and as many bytes as it says."""
    said = {
        "inodes": 1, "block": 131072, "compressor": 6, "log": 17, "ids": 1, "major": 4, "minor": 0, "used": 4096,
        "id_table": 4000, "inode_table": 200, "directories": 300,
    } | changes  # fmt: skip
    head = struct.pack(
        "<4sIIIIHHHHHHQQQQQQQQ", b"hsqs", said["inodes"], 0, said["block"], 0, said["compressor"], said["log"], 0,
        said["ids"], said["major"], said["minor"], 0, said["used"], said["id_table"], (1 << 64) - 1,
        said["inode_table"], said["directories"], (1 << 64) - 1, (1 << 64) - 1,
    )  # fmt: skip
    return head.ljust(4096, b"\0")

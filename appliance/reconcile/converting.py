"""Makes a raw disk of a qcow2 file whose header was found to name no other file."""

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from appliance.command import heard
from appliance.errors import ApplianceError, Invalid
from appliance.reconcile.disk_room import check_room

SECONDS = 6 * 3600.0
MEMORY = 2 << 30
"""Bytes of address space that qemu-img may take; its caches of tables are far smaller."""
_COUNT = re.compile(r'"(corruptions|check-errors|leaks)": ([0-9]+)')
_SHARE = re.compile(r"\(([0-9.]+)/100%\)")


async def converted(source: Path, target: Path, size: int, told: Callable[[float], None]) -> None:
    """Write the disk in ``source``, of ``size`` bytes, to ``target``, with holes where it holds nothing.

    Cancelled, or failing, it leaves nothing. ``told`` hears how far it is, 0 to 1. Raises Invalid ``image-format`` for
    what cannot be read, ApplianceError ``qemu-img-missing`` and ``upload-failed``.
    """
    check_program()
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:

        def hears(line: str) -> None:
            check_room(descriptor, 0)
            if found := _SHARE.search(line):
                told(min(float(found[1]) / 100, 1.0))

        await _check(source, size)
        await _convert(source, target, size, hears)
        await asyncio.to_thread(_check_whole, descriptor, size)
    except BaseException:
        os.unlink(target)
        raise
    finally:
        os.close(descriptor)


def _check_whole(descriptor: int, size: int) -> None:
    os.fsync(descriptor)
    found = os.fstat(descriptor).st_size
    if found != size:
        raise _unreadable(f"it came out with {found} bytes, and its header says {size}")


def _limits(size: int) -> list[str]:
    """Bounds of the kernel (setrlimit(2)), whatever a file makes a program do: address space, size of files, cores."""
    return ["prlimit", f"--as={MEMORY}", f"--fsize={size + (1 << 20)}", "--core=0", "--nofile=64", "--"]


async def _check(source: Path, size: int) -> None:
    """Raise Invalid where clusters are missing: what was cut off would be converted as if zeros had been there."""
    counts: dict[str, int] = {}
    errors: list[str] = []

    def hears(line: str) -> None:
        if found := _COUNT.search(line):
            counts[found[1]] = int(found[2])
        elif line.startswith("ERROR") and not errors:
            errors.append(line)

    check = ["qemu-img", "check", "-f", "qcow2", "--output=json", str(source)]
    try:
        await heard([*_limits(size), *check], {"LC_ALL": "C"}, hears, SECONDS)
    except ApplianceError as error:
        if error.code != "program-failed":
            raise
        if counts.get("corruptions") or counts.get("check-errors") or "leaks" not in counts:
            raise _unreadable(errors[0] if errors else error.message.rpartition("qemu-img: ")[2]) from error


async def _convert(source: Path, target: Path, size: int, hears: Callable[[str], None]) -> None:
    # The formats are said, so that no bytes of the file choose them; paths of ours begin with / and name no protocol.
    convert = ["qemu-img", "convert", "-p", "-n", "-f", "qcow2", "-O", "raw", "-S", "64k", "--target-is-zero"]
    os.truncate(target, size)
    try:
        await heard([*_limits(size), *convert, str(source), str(target)], {"LC_ALL": "C"}, hears, SECONDS, b"\r")
    except ApplianceError as error:
        if error.code != "program-failed":
            raise
        raise _unreadable(error.message.rpartition("qemu-img: ")[2]) from error


def check_program() -> None:
    """Raise ApplianceError ``qemu-img-missing`` where there is nothing that converts: said before hours of upload."""
    if shutil.which("qemu-img") is None:
        text = "a qcow2 file is made a raw disk by qemu-img, which is not installed here"
        hint = "install qemu-utils, or convert it yourself: qemu-img convert -O raw FILE.qcow2 disk.raw"
        raise ApplianceError("qemu-img-missing", text, hint)


def _unreadable(why: str) -> Invalid:
    hint = "look at it with: qemu-img check FILE, then upload it once more"
    return Invalid("image-format", f"qemu-img cannot read this qcow2 file: {why[-300:]}", hint, "file")

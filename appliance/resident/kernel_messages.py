"""What the kernel said since it started, bounded."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

DEVICE = Path("/dev/kmsg")
LIMIT = 256 << 10
"""Bytes that are sent at most; of more, the beginning and the end."""
RECORD = 8 << 10
"""The largest record of the kernel (CONSOLE_EXT_LOG_MAX)."""


def read_messages(device: Path = DEVICE) -> str:
    """The messages as `dmesg` shows them; "" where they cannot be read."""
    try:
        fd = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return shortened(filter(None, map(line, _records(fd))), LIMIT)
    finally:
        os.close(fd)


def _records(fd: int) -> Iterator[str]:
    """One record for each read (Documentation/ABI/testing/dev-kmsg)."""
    while True:
        try:
            record = os.read(fd, RECORD)
        except BrokenPipeError:
            continue  # overwritten just now; the next read goes on with what is there
        except OSError:
            return  # EAGAIN: that was the last one
        if not record:
            return
        yield record.decode(errors="replace")


def line(record: str) -> str:
    """`6,339,5140900,-;NET: Registered` as `[    5.140900] NET: Registered` (pure); "" for what is no record."""
    head, _, text = record.partition(";")
    fields = head.split(",")
    if len(fields) < 3 or not fields[2].isdigit():
        return ""
    return f"[{int(fields[2]) / 1e6:12.6f}] {text.partition(chr(10))[0]}"


def shortened(lines: Iterable[str], limit: int) -> str:
    """The lines, with those in the middle left out where all of them have more than `limit` bytes (pure)."""
    every = [f"{each}\n" for each in lines]
    sizes = [len(each.encode()) for each in every]
    if sum(sizes) <= limit:
        return "".join(every)
    half = limit // 2 - 50
    first, last = _fitting(sizes, half), _fitting(sizes[::-1], half)
    left_out = len(every) - first - last
    return "".join([*every[:first], f"... {left_out} lines left out ...\n", *every[len(every) - last :]])


def _fitting(sizes: Iterable[int], limit: int) -> int:
    """How many of the first ones have `limit` bytes together at most."""
    count = total = 0
    for size in sizes:
        total += size
        if total > limit:
            break
        count += 1
    return count

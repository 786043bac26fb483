"""A stick and disks that are files: partition programs and our copying take them as they take devices."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

from appliance.installer.disks import Disk
from appliance.installer.plan import environment_block

MIB = 1 << 20
SIZES = {"bios": 1, "esp": 4, "seed": 1, "root-a": 8, "root-b": 8}
"""MiB."""
TYPES = {"bios": "EF02", "esp": "EF00"}
GIB = 1 << 30


def program(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def make_stick(path, *, root_b=False):
    """An image as the builder makes it, with noise for content; it has booted once."""
    names = [name for name in SIZES if root_b or name != "root-b"]
    with path.open("wb") as file:
        file.truncate((sum(SIZES[name] for name in names) + 3) * MIB)
    start, words = MIB, ["--clear", "--set-alignment=1"]
    for number, name in enumerate(names, 1):
        last = start // 512 + SIZES[name] * 2048 - 1
        words += [f"--new={number}:{start // 512}:{last}", f"--typecode={number}:{TYPES.get(name, '8300')}"]
        words += [f"--change-name={number}:{name}"]
        words += [f"--attributes={number}:set:63"] if name.startswith("root") else []
        start += SIZES[name] * MIB
    program("sgdisk", *words, str(path))
    fill(path, names)
    return path


def fill(path, names):
    start, used = MIB, dict[str, int]()
    with path.open("r+b") as file:
        file.write(b"\xeb\x63BOOT".ljust(440, b"\x90"))
        for name in names:
            used[name] = start
            file.seek(start)
            file.write(os.urandom(SIZES[name] * MIB))
            start += SIZES[name] * MIB
    place = f"{path}@@{used['esp']}"
    esp = path.with_name("esp.fat")
    program("mkfs.vfat", "-C", str(esp), str(SIZES["esp"] * 1024))
    with path.open("r+b") as file:
        file.seek(used["esp"])
        file.write(esp.read_bytes())
    env = path.with_name("env")
    env.write_bytes(environment_block({"machine_id": "1" * 32, "A_OK": "1", "ORDER": "B A", "A_TRY": "2"}))
    program("mmd", "-i", place, "::/qrm")
    program("mcopy", "-i", place, str(env), "::/qrm/grubenv")


def make_disk(path, size=4 * GIB, **more):
    """An old disk, with something at both of its ends."""
    with path.open("wb") as file:
        file.truncate(size)
        file.write(b"old boot code".ljust(512, b"x"))
        file.seek(size - 512)
        file.write(b"mark of an array".ljust(512, b"x"))
    return replace(Disk(str(path), "A disk", "SN-1", "", size, 512, "sata", ()), **more)


def table_of(path):
    return json.loads(program("sfdisk", "--json", str(path)))["partitiontable"]


def content(path, partition):
    with Path(path).open("rb") as file:
        file.seek(partition["start"] * 512)
        return file.read(partition["size"] * 512)

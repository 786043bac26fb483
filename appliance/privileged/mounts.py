"""What is mounted, as the kernel lists it (proc_pid_mountinfo(5))."""

from dataclasses import dataclass
from pathlib import Path

from appliance.privileged import durable
from appliance.privileged.computer import Computer


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system at a place."""

    where: str
    device: str
    """What it was mounted from; of device-mapper always as ``/dev/mapper/name``, however it was named then."""
    read_only: bool


def mounted_below(on: Computer, directory: Path) -> dict[str, Mount]:
    """By the name of the directory that they are at; of several on one, the one that is seen."""
    lines = (on.roots.proc / "self" / "mountinfo").read_text().splitlines()
    above = f"{directory}/"
    found = [_mount(on, line) for line in lines if f" {above}" in line]
    return {each.where.rpartition("/")[2]: each for each in found if each.where.startswith(above)}


def _mount(on: Computer, line: str) -> Mount:
    """``36 35 98:0 / /place rw,noatime master:1 - ext4 /dev/root rw``; between the options and ``-`` is any number."""
    before, _, after = line.partition(" - ")
    words, last = before.split(" "), after.split(" ")
    mapped = durable.read(on.roots.sys / "dev" / "block" / words[2] / "dm" / "name")
    return Mount(words[4], f"/dev/mapper/{mapped.strip()}" if mapped else last[1], "ro" in words[5].split(","))

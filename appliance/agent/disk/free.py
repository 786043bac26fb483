"""Taking a disk out of the hands of the kernel: swap, LVM, Linux arrays."""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..run import ProgramFailed, run
from .model import Disk

SYS_BLOCK = Path("/sys/class/block")


def release(disk: Disk) -> None:
    """Stop whatever was assembled from the disk. What cannot be stopped shows when the disk is opened."""
    names = parts_of(SYS_BLOCK, disk.device.name)
    _stop_swap(names)
    _stop_volume_groups(names | holders_of(SYS_BLOCK, names))
    for array in sorted(name for name in holders_of(SYS_BLOCK, names) if name.startswith("md")):
        with suppress(ProgramFailed):
            run(["mdadm", "--stop", f"/dev/{array}"])


def parts_of(sys_block: Path, name: str) -> set[str]:
    """Kernel names of a disk and its partitions."""
    return {name} | {entry.parent.name for entry in (sys_block / name).glob(f"{name}*/partition")}


def holders_of(sys_block: Path, names: Iterable[str]) -> set[str]:
    """Kernel names of everything that is made of `names`, directly or through others."""
    direct = {holder.name for name in names for holder in (sys_block / name / "holders").glob("*")}
    return direct | holders_of(sys_block, direct) if direct else set()


def volume_groups(text: str, names: Iterable[str]) -> set[str]:
    """Volume groups that have a physical volume among `names`, from LVM's JSON (pure)."""
    rows = [row for report in json.loads(text)["report"] for row in report.get("pv", [])]
    return {row["vg_name"] for row in rows if row["vg_name"] and Path(row["pv_name"]).name in set(names)}


def swaps(text: str, names: Iterable[str]) -> set[str]:
    """Swap devices among `names`, from /proc/swaps (pure)."""
    devices = {line.split()[0] for line in text.splitlines()[1:] if line.strip()}
    return {device for device in devices if Path(device).name in set(names)}


def _stop_swap(names: Iterable[str]) -> None:
    for device in swaps(Path("/proc/swaps").read_text(), names):
        run(["swapoff", device], timeout=300)


def _stop_volume_groups(names: Iterable[str]) -> None:
    with suppress(ProgramFailed):  # no LVM here, or nothing of it
        text = run(["lvm", "pvs", "--reportformat", "json", "--options", "pv_name,vg_name"])
        for group in sorted(volume_groups(text, names)):
            run(["lvm", "vgchange", "--activate", "n", group])

"""Disks with their health and what is on them."""

import json
from typing import Any

from ..disk import content
from ..disk.model import Disk
from ..errors import AgentError
from ..run import run

NO_SMART = ("virtio", "xen", "mmc")


def read_disk_entries(disks: list[Disk], notes: list[str]) -> list[dict[str, Any]]:
    """`disks` of an inventory."""
    return [read_disk_entry(disk, notes) for disk in disks]


def read_disk_entry(disk: Disk, notes: list[str]) -> dict[str, Any]:
    """One disk. What cannot be read of it is null: the disk itself is there all the same."""
    return {**disk.report(), "smart": _smart(disk, notes), "content": _content(disk, notes)}


def _content(disk: Disk, notes: list[str]) -> dict[str, Any]:
    try:
        return content.report(disk, content.read_content(disk))
    except (AgentError, OSError, ValueError, KeyError) as error:
        notes.append(f"content of disk {disk.name}: {error}")
        return {"empty": False, "fingerprint": "", "summary": "cannot be read", "disk_guid": None, "partitions": []}


def _smart(disk: Disk, notes: list[str]) -> str | None:
    if disk.transport in NO_SMART:
        return None
    try:  # exit codes are bits: health and old errors are told there besides the text
        return parse_smart(run(["smartctl", "--json", "--health", str(disk.device)], timeout=30, good=range(256)))
    except (AgentError, ValueError) as error:
        notes.append(f"SMART of disk {disk.name}: {error}")
        return None


def parse_smart(text: str) -> str | None:
    """`passed` or `failed` from smartctl's JSON (pure); None when the disk does not say."""
    passed = json.loads(text or "{}").get("smart_status", {}).get("passed")
    return None if passed is None else ("passed" if passed else "failed")

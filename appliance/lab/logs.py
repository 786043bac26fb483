"""Keeping what a lab said, without its secrets (``--keep-logs``)."""

import json
from collections.abc import Sequence
from pathlib import Path

from appliance.lab.directory import LabDirectory
from appliance.lab.redact import redact
from appliance.lab.report import Outcome
from appliance.lab.serial import read_log


def keep_logs(
    directory: LabDirectory, machines: Sequence[str], outcomes: Sequence[Outcome], target: Path
) -> list[Path]:
    """Write redacted copies into ``target``, made if missing; returns the files written."""
    target.mkdir(parents=True, exist_ok=True)
    texts = {
        "daemon.log": _text(directory.daemon_log),
        "lab.log": _text(directory.inside_log),
        **{f"{name}.serial.log": read_log(directory.serial_log(name)) for name in machines},
        **{f"{name}.qemu.log": _text(directory.qemu_log(name)) for name in machines},
        **{f"{each.name}.timeline.json": json.dumps(each.timeline, indent=1) for each in outcomes},
    }
    return [_write(target / name, redact(text)) for name, text in texts.items() if text]


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path

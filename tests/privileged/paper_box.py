"""A flashed appliance of paper: two slots, variables of a boot loader, an update, and RAUC as a test wants it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.privileged import update
from appliance.privileged.computer import Computer
from appliance.privileged.update_record import change_record, kept_record
from appliance.updates.bundle import NAME
from appliance.updates.grubenv import render
from appliance.updates.record import Record, Stage
from tests.privileged.paper_computer import computer

INFO = json.dumps({"compatible": "qrm-appliance-amd64", "version": "0.5.0", "build": "b1", "images": []})


def status(booted: str) -> str:
    slots = [
        {
            f"rootfs.{number}": {
                "bootname": letter,
                "state": "booted" if letter == booted else "inactive",
                "boot_status": "good",
            }
        }
        for number, letter in enumerate("AB")
    ]
    return json.dumps({"booted": booted, "boot_primary": "rootfs.0", "slots": slots})


def keep_record(on: Computer, record: Record) -> None:
    """Have this be what is remembered."""
    change_record(on, lambda _: record)


class Box:
    """A flashed appliance of paper, with an update uploaded."""

    def __init__(self, directory: Path) -> None:
        self.lines = ["  0% Installing", " 60% Copying image to rootfs.1", "100% Installing done."]
        self.failure: ApplianceError | None = None
        self.begun = asyncio.Event()
        """RAUC has begun to write, where a test lets that last."""
        on, self.programs = computer(directory, {"rauc status": "", "systemctl": "", "busctl": '{"data":"idle"}'})
        self.programs.answers["rauc info"] = INFO
        self.computer = Computer(on.roots, on.run, self.follow)
        incoming = on.roots.state / update.INCOMING
        incoming.mkdir(parents=True)
        self.bundle = incoming / NAME
        self.bundle.write_bytes(b"bundle")
        (on.roots.boot / "efi/qrm").mkdir(parents=True)
        self.boots("A")

    async def follow(self, argv: Sequence[str], hears: Callable[[str], None], /, seconds: float = 30.0) -> str:
        self.programs.ran.append(list(argv))
        for line in self.lines:
            hears(line)
        if self.failure:
            raise self.failure
        return ""

    def boots(self, letter: str, **variables: str) -> None:
        """It is started from a slot."""
        roots = self.computer.roots
        roots.proc.joinpath("cmdline").write_text(f"root=PARTUUID=1 rauc.slot={letter} quiet\n")
        known = {"ORDER": "A B", "A_OK": "1", "A_TRY": "1", "B_OK": "1", "B_TRY": "0", **variables}
        (roots.boot / "efi/qrm/grubenv").write_bytes(render(known))
        self.programs.answers["rauc status --detailed"] = status(letter)
        self.programs.ran.clear()

    def told(self) -> list[str]:
        """What was changed through programs since the last start."""
        words = [" ".join(argv) for argv in self.programs.ran]
        return [line for line in words if "--detailed" not in line and not line.startswith(("busctl", "rauc info"))]

    @property
    def stage(self) -> Stage:
        last = kept_record(self.computer).last
        assert last is not None
        return last.stage

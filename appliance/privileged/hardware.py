"""Carries out the verbs of ``verbs/hardware.py``: files of the kernel, and chronyc(1)."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verbs.hardware import Clock, Hardware, Look, Memory, Temperature

_MEMORY = re.compile(r"^(MemTotal|MemAvailable):\s+([0-9]+) kB$", re.MULTILINE)
LEAST, MOST = -20.0, 130.0
"""Degrees: what is colder or hotter is a sensor that is not connected."""


async def look(verb: Look, on: Computer, tell: Tell) -> Hardware:
    """Raises nothing: what a computer does not have, it does not say."""
    memory, temperatures = await asyncio.to_thread(_kernel, on)
    return Hardware(memory, temperatures, await _clock(on))


def _kernel(on: Computer) -> tuple[Memory | None, list[Temperature]]:
    return _memory(on), sorted(_temperatures(on.roots.sys), key=lambda each: each.name)


def _memory(on: Computer) -> Memory | None:
    """proc_meminfo(5), and the counters of EDAC."""
    found = {name: int(number) * 1024 for name, number in _MEMORY.findall(_text(on.roots.proc / "meminfo"))}
    if len(found) < 2:
        return None
    controllers = on.roots.sys / "devices" / "system" / "edac" / "mc"
    corrected, uncorrected = (_sum(controllers, name) for name in ("ce_count", "ue_count"))
    return Memory(found["MemTotal"], found["MemAvailable"], corrected, uncorrected)


def _sum(controllers: Path, name: str) -> int | None:
    counts = [number for path in controllers.glob(f"mc*/{name}") if (number := _number(path)) is not None]
    return sum(counts) if counts else None


def _temperatures(sys: Path) -> Iterator[Temperature]:
    """The kernel's hwmon interface: millidegrees, with what the sensor is called beside it."""
    for path in sys.glob("class/hwmon/hwmon*/temp*_input"):
        value = _number(path)
        if value is None or not LEAST < value / 1000 < MOST:
            continue
        stem = path.name.removesuffix("_input")
        critical = _number(path.with_name(f"{stem}_crit"))
        label = _text(path.with_name(f"{stem}_label")).strip()
        chip = _text(path.with_name("name")).strip()
        name = " ".join(each for each in (chip, label or stem) if each)
        limit = critical / 1000 if critical is not None and LEAST < critical / 1000 < MOST else None
        yield Temperature(name[:80], value / 1000, limit)


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""


def _number(path: Path) -> int | None:
    with suppress(ValueError):
        return int(_text(path))
    return None


async def _clock(on: Computer) -> Clock | None:
    try:
        return parse_tracking(await on.run(["chronyc", "-c", "tracking"], 10.0))
    except ApplianceError:
        return None  # no chrony here, or it does not run: the list of services tells


def parse_tracking(text: str) -> Clock | None:
    """One line of ``chronyc -c tracking``; None for anything else."""
    words = text.strip().split(",")
    if len(words) < 14:
        return None
    with suppress(ValueError):
        good = words[13] in ("Normal", "Insert second", "Delete second")
        return Clock(good, words[1] if good else "", float(words[4]))
    return None

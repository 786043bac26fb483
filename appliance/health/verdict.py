"""From facts to findings: each part of the appliance, how it is, and what to do. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from appliance.health.facts import Facts
from appliance.privileged.verbs.disks import DiskState, Smart
from appliance.updates.record import Stage
from appliance.updates.slots import Slot

DAY = 86400.0
GIB = 1 << 30
CERTIFICATE_SOON, CERTIFICATE_NOW = 30 * DAY, 7 * DAY
"""Before its end."""
FULL, NEARLY = 0.90, 0.80
"""Shares of the state's file system, as ``reconcile.room`` tells of them."""
LITTLE_MEMORY = 0.05
OFF_SECONDS = 1.0
"""By which a clock may be wrong: logs of two computers can still be compared."""
HOT = 10.0
"""Degrees below a sensor's critical temperature; for one that names none, and for disks, see below."""
HOT_WITHOUT_LIMIT, HOT_DISK = 90.0, 60.0
WORN, WORN_OUT = 80, 100
"""Percent of the writes that a disk was made for."""


class Level(StrEnum):
    """How a part is."""

    GOOD = "good"
    UNKNOWN = "unknown"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one part."""

    part: str
    """One of ``PARTS``."""
    level: Level
    text: str
    advice: str = ""
    """What to do; empty where there is nothing to do."""


def _good(part: str, text: str) -> Finding:
    return Finding(part, Level.GOOD, text)


def _warning(part: str, text: str, advice: str) -> Finding:
    return Finding(part, Level.WARNING, text, advice)


def _bad(part: str, text: str, advice: str) -> Finding:
    return Finding(part, Level.BAD, text, advice)


def _state(facts: Facts) -> Iterator[Finding]:
    """The store, and the room that it has."""
    if facts.trouble:
        yield _bad("state", _sentence(facts.trouble), "Look at the disk that holds the state, and at its room.")
    if facts.room is None:
        return
    used = 1 - facts.room.available / facts.room.total if facts.room.total else 1.0
    text = f"{used:.0%} of the room for the state is used, {size(facts.room.available)} are free."
    advice = "Delete images that nobody deploys, and states of before a restore (Settings, Backup)."
    if used >= FULL:
        yield _bad("state", text, advice)
    elif used >= NEARLY:
        yield _warning("state", text, advice)
    else:
        yield _good("state", text)


def _versions(facts: Facts) -> Iterator[Finding]:
    """The slots, and what became of the last update."""
    if facts.slots is None:
        return
    last = facts.slots.record.last
    if last is not None and last.stage is Stage.FELL_BACK:
        text = f"The update to {last.version} was taken back: {last.reason or 'it did not hold'}."
        yield _warning("slots", text, "Nothing is lost. Try a newer update, and send the support bundle if it repeats.")
    if last is not None and last.stage in (Stage.INSTALLING, Stage.TRYING):
        yield _good("slots", f"The update to {last.version} is on its way.")
    for slot in facts.slots.slots:
        yield _slot(slot)


def _slot(slot: Slot) -> Finding:
    version = f"version {slot.version}" if slot.version else "the version that was flashed"
    if slot.booted:
        return _good("slots", f"Slot {slot.letter} runs, {version}.")
    if slot.good:
        return _good("slots", f"Slot {slot.letter} could take over, {version}.")
    return _good("slots", f"Slot {slot.letter} waits for the next update.")


def _disks(facts: Facts) -> Iterator[Finding]:
    for disk, smart in facts.disks or ():
        troubles = list(_of_disk(disk, smart)) if smart is not None and smart.available else []
        if troubles:
            yield from troubles
        elif smart is None or not smart.available:
            yield Finding("disks", Level.UNKNOWN, f"{named(disk)} says nothing of its health.")
        else:
            yield _good("disks", f"{named(disk)} is well{_grades(smart)}.")


def _grades(smart: Smart) -> str:
    found = [f"{smart.temperature} °C"] if smart.temperature is not None else []
    found += [f"{smart.used} % worn"] if smart.used is not None else []
    found += [f"{smart.hours} hours on"] if smart.hours is not None else []
    return f": {', '.join(found)}" if found else ""


def _of_disk(disk: DiskState, smart: Smart) -> Iterator[Finding]:
    """What the disk itself complains of, worst first."""
    name = named(disk)
    if smart.passed is False:
        yield _bad("disks", f"{name} says that it is failing.", "Copy what is on it, and replace it now.")
    if smart.uncorrectable or smart.pending:
        count = (smart.uncorrectable or 0) + (smart.pending or 0)
        what = f"{name} has {_count(count, 'place')} that cannot be read."
        yield _bad("disks", what, "Make a backup, and replace it soon.")
    if smart.spare is not None and smart.spare_threshold is not None and smart.spare < smart.spare_threshold:
        yield _bad("disks", f"{name} has {smart.spare} % of its spare blocks left.", "Replace it soon.")
    if smart.used is not None and smart.used >= WORN:
        worn_out = smart.used >= WORN_OUT
        text = f"{name} has done {smart.used} % of the writes that it was made for."
        yield (_bad if worn_out else _warning)("disks", text, "Plan to replace it.")
    if smart.reallocated:
        text = f"{name} has replaced {_count(smart.reallocated, 'sector')} by spare ones."
        yield _warning("disks", text, "Keep a backup. Replace it if the number grows.")
    if smart.temperature is not None and smart.temperature >= HOT_DISK:
        yield _warning("disks", f"{name} is {smart.temperature} °C hot.", "Look at the fans and at what covers them.")


def named(disk: DiskState) -> str:
    """A disk as a person finds it."""
    serial = f", serial {disk.serial}" if disk.serial else ""
    return f"Disk {disk.name} ({disk.model or 'unknown model'}{serial}, {size(disk.size)})"


def _memory(facts: Facts) -> Iterator[Finding]:
    memory = facts.hardware.memory if facts.hardware else None
    if memory is None:
        return
    if memory.uncorrected:
        text = f"Memory had {_count(memory.uncorrected, 'error')} that could not be corrected."
        yield _bad("memory", text, "Replace the module that the kernel names in its journal.")
    if memory.corrected:
        text = f"Memory had {_count(memory.corrected, 'error')} since the start, all corrected."
        yield _warning("memory", text, "Some are normal over months. Replace the module if they grow daily.")
    share = memory.available / memory.total if memory.total else 0.0
    text = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB of memory are available."
    if share < LITTLE_MEMORY:
        yield _warning("memory", text, "Stop virtual machines that are not needed, or add memory.")
    else:
        yield _good("memory", text)


def _clock(facts: Facts) -> Iterator[Finding]:
    clock = facts.hardware.clock if facts.hardware else None
    if clock is None:
        return
    if not clock.synchronised:
        text = "The clock is not set by any time server."
        advice = "Look whether time servers can be reached, or name others under Settings, General."
        yield _warning("clock", text, advice)
    elif abs(clock.offset) > OFF_SECONDS:
        yield _warning("clock", f"The clock is {abs(clock.offset):.1f} s off.", "It is being set; look again later.")
    else:
        yield _good(
            "clock", f"The clock is set by {clock.server}, to within {max(abs(clock.offset), 1e-6) * 1000:.3f} ms."
        )


def _certificate(facts: Facts) -> Iterator[Finding]:
    found = facts.certificate
    if found is None:
        return
    advice = "Upload another one, or go back to the appliance's own (Settings, Certificate)."
    if found.notice:
        yield _warning("certificate", _sentence(found.notice), advice)
    elif found.ends is None:
        yield _good("certificate", "The console uses its own certificate, which is renewed by itself.")
    elif found.ends - facts.now < CERTIFICATE_SOON:
        days = max(0, int((found.ends - facts.now) / DAY))
        kind = _bad if found.ends - facts.now < CERTIFICATE_NOW else _warning
        yield kind("certificate", f"The console's certificate ends in {_count(days, 'day')}.", advice)
    else:
        yield _good("certificate", f"The console's certificate is good for {int((found.ends - facts.now) / DAY)} days.")


def _temperatures(facts: Facts) -> Iterator[Finding]:
    found = facts.hardware.temperatures if facts.hardware else []
    hot = [each for each in found if each.celsius >= (each.critical - HOT if each.critical else HOT_WITHOUT_LIMIT)]
    for each in hot:
        limit = f"; at {each.critical:.0f} °C the computer switches itself off" if each.critical else ""
        text = f"{each.name} is {each.celsius:.0f} °C hot{limit}."
        yield _bad("temperature", text, "Look at the fans, and at what covers them.")
    if found and not hot:
        most = max(found, key=lambda each: each.celsius)
        yield _good("temperature", f"The hottest of {len(found)} sensors is {most.name} with {most.celsius:.0f} °C.")


def _services(facts: Facts) -> Iterator[Finding]:
    there = [each for each in facts.units or () if each.loaded]
    for unit in there:
        if unit.active == "failed":
            text = f"The {unit.about} has failed ({unit.unit}: {unit.result})."
            yield _bad("services", text, f"Restart the appliance if it stays so. Its journal: {unit.unit}.")
        elif unit.restarts:
            text = f"The {unit.about} was restarted {_count(unit.restarts, 'time')} since the start ({unit.unit})."
            yield _warning("services", text, "Send the support bundle if that goes on.")
    running = sum(each.active == "active" for each in there)
    if there and not any(each.active == "failed" for each in there):
        yield _good("services", f"{running} services run, and none has failed.")


def _subnets(facts: Facts) -> Iterator[Finding]:
    for each in facts.aside:
        text = f"The subnet {each.subnet} is not served: {each.why}."
        yield _bad("subnets", text, f"{_sentence(each.hint)} It is served again by itself as soon as it fits.")
    for _, trouble in facts.cut_off:
        what, _, advice = trouble.partition("; ")
        yield _bad("subnets", _sentence(what), _sentence(advice) if advice else "")
    for subnet, servers in facts.held_by:
        text = f"The subnet {subnet} gives no new addresses: another DHCP server answers there ({', '.join(servers)})."
        yield _warning("subnets", text, "Switch that off, or serve the subnet beside it as a proxy (Network).")
    troubled = {subnet for subnet, _ in (*facts.cut_off, *facts.held_by)}
    if well := [each for each in facts.served if each not in troubled]:
        yield _good("subnets", f"Machines are served on {', '.join(well)}.")
    elif not facts.served and not facts.aside:
        yield _good("subnets", "No subnet is set up, so no machine is served.")


Judge = Callable[[Facts], Iterator[Finding]]
PARTS: dict[str, tuple[str, Judge]] = {
    "state": ("State and its room", _state),
    "disks": ("Disks", _disks),
    "memory": ("Memory", _memory),
    "clock": ("Clock", _clock),
    "certificate": ("Certificate", _certificate),
    "services": ("Services", _services),
    "subnets": ("Subnets", _subnets),
    "slots": ("Slots and updates", _versions),
    "temperature": ("Temperature", _temperatures),
}
"""Part -> what it is called, and who judges it; in the order in which they are shown."""


def verdicts(facts: Facts) -> list[Finding]:
    """At least one finding for each part: one that nothing is known of says so."""
    found: list[Finding] = []
    for part, (_, judge) in PARTS.items():
        told = list(judge(facts))
        found += told or [Finding(part, Level.UNKNOWN, facts.unknown.get(part) or _silence(part, facts))]
    return found


def _silence(part: str, facts: Facts) -> str:
    if not facts.flashed and part in ("disks", "services", "slots"):
        return "Not known: this computer is no flashed appliance, and belongs to its administrator."
    return "This computer says nothing of it."


_ORDER = (Level.BAD, Level.WARNING, Level.GOOD, Level.UNKNOWN)


def worst(found: list[Finding]) -> Level:
    """How the whole is: what is not known makes nothing worse."""
    return next((level for level in _ORDER if any(each.level is level for each in found)), Level.UNKNOWN)


def size(count: int) -> str:
    """Bytes in the decimal units of disks' labels."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."

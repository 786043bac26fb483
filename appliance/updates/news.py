"""What is told of an update once it is decided: to the event log, and on the page. Pure."""

from dataclasses import dataclass

from appliance.updates.record import Record, Stage, Update


@dataclass(frozen=True, slots=True)
class News:
    """One thing to tell, once."""

    key: str
    """The same for the same news, whoever looks and when."""
    text: str
    reason: str = ""


def news(record: Record) -> News | None:
    """What there is to tell of the newest update; None while it goes on."""
    update = record.last
    if update is None or update.ended is None:
        return None
    return News(f"{update.begun:.0f} {update.stage}", told(update), update.reason)


def told(update: Update) -> str:
    """What became of an update, without the reason."""
    version, before = update.version or f"slot {update.slot}", update.from_version or f"slot {update.from_slot}"
    match update.stage:
        case Stage.INSTALLING:
            return f"version {version} is being written to slot {update.slot}"
        case Stage.TRYING:
            tries = len(update.tries)
            started = f"started {tries} of 3 times, " if tries else ""
            return f"version {version} is in slot {update.slot}, {started}and was not judged yet"
        case Stage.GOOD:
            return f"version {version} runs, and was found good"
        case Stage.FELL_BACK:
            return f"version {version} was given up after three tries; {before} runs again"
        case Stage.CUT_OFF:
            return f"version {version} was not written to its end; {before} was not touched"
        case Stage.FAILED:
            return f"version {version} was not installed; {before} was not touched"


NO_RESTART = "A restart starts the version that runs."


def of_restart(version: str, before: str, *, changes: bool) -> tuple[str, ...]:
    """What a restart means, in sentences; ``changes``: it starts another slot."""
    away = (
        "DHCP, DNS, netboot and the console are away for some minutes. Machines that run go on; virtual machines of"
        " the appliance stop with it."
    )
    if not changes:
        return (NO_RESTART, away)
    return (
        f"Version {version or 'of the other slot'} starts, and has ten minutes to show that it serves, fifteen where"
        " the computer is slow.",
        f"If it does not, it is started twice more. After that {before or 'the present version'} comes back by itself,"
        " with the state of before, and the reason is shown here.",
        away,
    )

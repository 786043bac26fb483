"""Boot programs that are loaded and do not start: which rounds count, and when it is a loop. Pure.

Firmware says nothing of a program that it refuses, or that hangs: a round in which it failed is known from the
machine's firmware asking for an address again, with nothing heard of iPXE or GRUB and no boot script fetched in
between. Times are Unix seconds.
"""

from dataclasses import dataclass, replace

from appliance.bootprogram import GRUB, PROGRAMS, SHIM
from appliance.workflow import BOOT_LOOP, minutes

LONGEST_GAP = 1800.0
"""Seconds between two rounds of one loop at most; a machine that is switched on each morning is in none."""
SILENT_SECONDS = 60.0
"""A program that starts is heard of within seconds, on slow firmware within half a minute."""
STOP_SECONDS = 600.0
"""How long a machine in a loop is sent nothing, so that its firmware goes on to its next boot entry."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """What is known of one interface since its last boot script."""

    loaded: str = ""
    """The program that it fetched whole last, while its firmware has not asked again; empty for none."""
    started: bool = False
    """Whether it was heard of after that: iPXE asks for an address, shim for GRUB."""
    at: float = 0.0
    """When it had all of that."""
    told: bool = False
    """Whether its silence since was told of."""
    failed: tuple[str, ...] = ()
    """Programs that did not start, oldest first."""
    silent: int = 0
    """Rounds in a row in which a program started and fetched no script."""
    first: float = 0.0
    """When the first of these rounds ended."""
    last: float = 0.0
    """When the last of them ended."""
    stopped: float = 0.0
    """When it was last stopped; 0 for never."""
    choice: str = ""
    """What its user had chosen then: another choice ends the stop."""


FRESH = Rounds()


def loaded(rounds: Rounds, program: str, now: float) -> Rounds:
    """Firmware has all of a program, or shim has GRUB."""
    if program == GRUB and rounds.loaded == SHIM:
        return started(rounds)
    return replace(rounds, loaded=program, started=False, at=now, told=False) if program in PROGRAMS else rounds


def is_silent(rounds: Rounds, now: float) -> bool:
    """Whether it is to be told that nothing was heard of a program, nor of the firmware that fetched it."""
    return bool(rounds.loaded) and not rounds.started and not rounds.told and now - rounds.at >= SILENT_SECONDS


def started(rounds: Rounds) -> Rounds:
    """The program runs."""
    return replace(rounds, started=True)


def asked_again(rounds: Rounds, now: float) -> Rounds:
    """Firmware asks for an address; what it loaded before has ended, one way or the other."""
    if rounds.last and now - rounds.last > LONGEST_GAP:
        rounds = replace(FRESH, loaded=rounds.loaded, started=rounds.started)
    if not rounds.loaded:
        return rounds
    # What failed before the one that starts is still refused: the same is sent again.
    failed = rounds.failed if rounds.started else (*rounds.failed, rounds.loaded)
    silent = rounds.silent + 1 if rounds.started else 0
    first = rounds.first or now
    return replace(rounds, loaded="", started=False, failed=failed, silent=silent, first=first, last=now)


def is_stopped(rounds: Rounds, choice: str, now: float) -> bool:
    """Whether nothing is sent now, to a machine for which this was chosen."""
    return rounds.stopped > 0 and 0 <= now - rounds.stopped < STOP_SECONDS and rounds.choice == choice


def is_loop(rounds: Rounds) -> bool:
    """Whether this round is the one that makes a loop of the ones before it."""
    return BOOT_LOOP in (len(rounds.failed), rounds.silent)


def stop(rounds: Rounds, choice: str, now: float) -> Rounds:
    """Send nothing for a while, where no program started; one that starts is not to blame."""
    return rounds if rounds.silent else replace(FRESH, stopped=now, choice=choice)


def switch_text(rounds: Rounds, name: str, following: str) -> tuple[str, str]:
    """What to tell, and why, when the next program is tried after one that did not start."""
    text = f"{name} fetched {rounds.failed[-1]} and did not start it; it is sent {following} next"
    signed = "firmware with Secure Boot runs nothing that is not signed, and this is"
    other = "each boot program has other drivers, and one that fits is looked for"
    return text, signed if PROGRAMS[following].signed else other


def silence_text(rounds: Rounds, name: str, following: str) -> tuple[str, str]:
    """What to tell, and what to do, where firmware fetched a program and stands still; ``following`` is sent next."""
    program = PROGRAMS[rounds.loaded]
    text = f"{name} fetched {program.name}, and nothing was heard of it for a minute"
    if following == program.name:
        return text, "look at its screen, and choose another boot program for it"
    if PROGRAMS[following].signed and not program.signed:
        refused = "where Secure Boot is on its firmware refuses that, and may stand in its own menu (Access Denied)"
        return text, f"{refused}: restart the machine, it is sent {following} then"
    return text, f"look at its screen, and restart it: it is sent {following} then"


def loop_text(rounds: Rounds, name: str, now: float) -> tuple[str, str]:
    """What to tell, and what to look at, in the round that makes a loop."""
    span = minutes(now - rounds.first)
    if rounds.silent:
        text = f"{name} loads its boot program over and over: {rounds.silent} rounds in {span}, and no boot script"
        reason = "it starts and gets no answer by HTTP: let the TCP port of the boot files through; make its switch"
        return text, f"{reason} port an edge port (portfast)"
    tried = ", ".join(dict.fromkeys(rounds.failed))
    text = f"{name} loads its boot program over and over: {len(rounds.failed)} rounds in {span}, and none started"
    stopped = f"it is sent none for {STOP_SECONDS / 60:.0f} minutes, so that its firmware tries its next boot entry"
    return text, f"tried: {tried}; {stopped}; look at its screen, and choose another boot program for it"

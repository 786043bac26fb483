"""What ``qrm lab --check`` hands over: JSON for programs, a table for people.  Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from appliance.lab import phases
from appliance.lab.redact import redact

LAST_LINES = 40

# ECMA-48 5.4 and 8.3.89: control sequences, operating system commands, other escapes; then bare controls.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-Z\\-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a machine got stuck: the phase it did not reach, why, and its serial console."""

    phase: str
    reason: str
    serial: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one machine."""

    name: str
    firmware: str
    machine_state: str | None = None
    deployment_state: str | None = None
    seconds: dict[str, float | None] = field(default_factory=dict)
    failure: Failure | None = None
    timeline: Sequence[phases.Item] = ()


def as_json(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """The contents of ``--json FILE``; ``seconds`` is how long the whole check took."""
    return {
        "ok": succeeded(outcomes),
        "seconds": round(seconds, 1),
        "machines": [_machine(outcome) for outcome in outcomes],
    }


def _machine(outcome: Outcome) -> dict[str, Any]:
    failure = outcome.failure
    return {
        "name": outcome.name,
        "firmware": outcome.firmware,
        "machine_state": outcome.machine_state,
        "deployment_state": outcome.deployment_state,
        "phases": outcome.seconds,
        "failure": {"phase": failure.phase, "reason": redact(failure.reason)} if failure else None,
    }


def succeeded(outcomes: Sequence[Outcome]) -> bool:
    """Whether everything happened, on every machine; a lab without machines has shown nothing."""
    return bool(outcomes) and all(_complete(outcome) for outcome in outcomes)


def _complete(outcome: Outcome) -> bool:
    return outcome.failure is None and all(outcome.seconds.get(name) is not None for name in phases.NAMES)


def as_table(outcomes: Sequence[Outcome]) -> Table:
    """Seconds since power-on: a row per phase, a column per machine."""
    table = Table("phase", title="seconds since power-on", title_justify="left")
    for outcome in outcomes:
        table.add_column(f"{outcome.name} ({outcome.firmware})", justify="right")
    for name in phases.NAMES:
        table.add_row(name, *(_cell(outcome.seconds.get(name)) for outcome in outcomes))
    return table


def _cell(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


def explain(outcome: Outcome) -> str:
    """The failure of one machine in full: phase, reason, timeline, the end of its serial console."""
    failure = outcome.failure
    if failure is None:
        missing = [name for name in phases.NAMES if outcome.seconds.get(name) is None]
        return f"{outcome.name} ({outcome.firmware}): no event tells of {', '.join(missing)}" if missing else ""
    return redact(
        "\n".join(
            [
                f"{outcome.name} ({outcome.firmware}) did not get to {failure.phase}: {failure.reason}",
                "its timeline:",
                *(f"  {line}" for line in timeline_lines(outcome.timeline)),
                "the end of its serial console:",
                *(f"  {line}" for line in last_lines(failure.serial)),
            ]
        )
    )


def timeline_lines(timeline: Sequence[phases.Item]) -> list[str]:
    """One line per event, oldest first, with seconds since the first of them."""
    ordered = sorted(timeline, key=phases.order)
    return [_timeline_line(item, ordered[0]["at"]) for item in ordered]


def _timeline_line(item: phases.Item, start: float) -> str:
    reason = f" ({item['reason']})" if item.get("reason") else ""
    return clean(f"{item['at'] - start:8.1f}  {item['kind']:<18} {item['text']}{reason}")


def last_lines(serial: str, count: int = LAST_LINES) -> list[str]:
    """The last lines that say something, without control sequences: a machine may send any byte."""
    lines = [clean(line).rstrip() for line in re.split(r"\r*\n|\x1b\[\d+;\d+H", serial)]
    return [line for line in lines if line][-count:]


def clean(text: str) -> str:
    """``text`` without anything that would steer the reader's terminal."""
    return _CONTROL.sub("", text)

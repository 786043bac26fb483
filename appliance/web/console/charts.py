"""Which figures the overview draws: columns of the history that ``GET /api/v1/metrics/history`` gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    column: str
    """As the history calls it."""
    word: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines that share a unit."""

    title: str
    unit: str
    """``rate`` (per second), ``byterate`` (bytes per second), ``bytes``, ``share`` (of one core) or ``seconds``."""
    series: tuple[Line, ...]


CHARTS = (
    Chart("Boot files", "byterate", (Line("boot", "sent"),)),
    Chart("Requests", "rate", (Line("dhcp", "DHCP"), Line("dns", "DNS"))),
    Chart("Processor", "share", (Line("cpu", "of one core"),)),
    Chart("Memory", "bytes", (Line("memory", "resident"),)),
    Chart("Event loop", "seconds", (Line("lag", "late at worst"),)),
)

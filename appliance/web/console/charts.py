"""Which figures are drawn: columns of what ``GET /api/v1/metrics/history`` gives, and of a VM its ``statistics``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    column: str
    """As the history calls it; with a dot in it a column of a part of it."""
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
VM_CHARTS = (
    Chart("Processor", "share", (Line("cpu", "of one core"), Line("peaks.cpu", "at most"))),
    Chart("Memory", "bytes", (Line("memory", "held on its host"), Line("used", "used in it"))),
    Chart("Disks", "byterate", (Line("read", "read"), Line("written", "written"))),
    Chart("Disk operations", "rate", (Line("reads", "reads"), Line("writes", "writes"))),
    Chart("Network", "byterate", (Line("received", "received"), Line("sent", "sent"))),
)

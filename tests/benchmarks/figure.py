"""What a benchmark hands over, and the table of all of them.  Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. ``most`` is what it may be at most; None where there is nothing to hold."""

    benchmark: str
    """Name of the benchmark that measured it, as ``--only`` takes it."""
    what: str
    value: float
    unit: str
    most: float | None = None
    detail: str = ""
    """The values that it was computed from."""

    @property
    def met(self) -> bool:
        """Whether it is within its bound."""
        return self.most is None or self.value <= self.most

    @property
    def command(self) -> str:
        """The command line that measures it again."""
        return f".venv/bin/python -m tests.benchmarks --only {self.benchmark}"


def as_table(figures: Sequence[Figure], circumstances: str) -> Table:
    """A row per figure, with what it may be and how to measure it again."""
    table = Table(title="Benchmarks", caption=circumstances, title_justify="left", caption_justify="left")
    table.add_column("what")
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("at most", justify="right", no_wrap=True)
    for heading in ("from", "again with"):
        table.add_column(heading)
    for each in figures:
        table.add_row(each.what, _measured(each), _bound(each), each.detail, each.command)
    return table


def _measured(figure: Figure) -> str:
    style = "" if figure.most is None else "green" if figure.met else "bold red"
    text = f"{figure.value:.2f} {figure.unit}".rstrip()
    return f"[{style}]{text}[/]" if style else text


def _bound(figure: Figure) -> str:
    return "" if figure.most is None else f"{figure.most:g} {figure.unit}".rstrip()


def as_json(figures: Sequence[Figure], circumstances: str) -> dict[str, Any]:
    """The contents of ``--json FILE``."""
    rows = [asdict(each) | {"met": each.met, "command": each.command} for each in figures]
    return {"ok": all(each.met for each in figures), "circumstances": circumstances, "figures": rows}

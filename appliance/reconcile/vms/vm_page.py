"""A page of VMs: hosts are asked for them, so that no SQL filters and sorts it. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from typing import Any

from appliance.reconcile.memory_page import Key, MemoryPage, memory_page
from appliance.reconcile.vms.shown import VmView

WORDS = 16
"""Words of a search that count."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which VMs; None, or nothing: it is no matter."""

    q: str = ""
    """Words in the name, or the beginning of the id."""
    host: str = ""
    state: tuple[str, ...] = ()
    ours: bool | None = None
    old: bool | None = None


_BY: dict[str, Callable[[VmView], str | float]] = {
    "name": lambda view: view.seen.name,
    "host": lambda view: view.host.name,
    "state": lambda view: view.seen.state,
    "cpus": lambda view: view.seen.cpus,
    "memory": lambda view: view.seen.memory,
}
"""Order -> what it goes by."""


def vm_page(vms: Iterable[VmView], wanted: Wanted, order: str, limit: int, cursor: str) -> MemoryPage[VmView]:
    """The page behind ``cursor``; raises Invalid ``cursor-invalid``."""
    by = _BY[order.removeprefix("-")]

    def key(view: VmView) -> Key:
        return by(view), view.seen.name, view.host.name, view.seen.id

    bound: list[Any] = [*astuple(wanted)]
    return memory_page((each for each in vms if _matches(each, wanted)), key, order, limit, cursor, bound)


def _matches(view: VmView, wanted: Wanted) -> bool:
    return (
        all(word in view.seen.name or view.seen.id.startswith(word) for word in wanted.q.lower().split()[:WORDS])
        and wanted.host in ("", view.host.name, str(view.host.id))
        and (not wanted.state or view.seen.state in wanted.state)
        and wanted.ours in (None, view.seen.ours)
        and wanted.old in (None, view.old)
    )

"""Waiting for work at the price of one idle plain-HTTP connection. The answer can say only "come"."""

from collections.abc import Callable

from .errors import AgentError
from .pauses import growing
from .plainhttp import Line, Unreachable

TIMEOUT = 80.0
"""Seconds; the appliance answers after at most 50."""
BREATH = 0.25
"""Seconds between two polls: an appliance that answers at once must not be asked in a tight loop."""


def wait_for_work(
    url: str, pause: Callable[[float], None], trouble: Callable[[AgentError], None], all_is_well: Callable[[], None]
) -> None:
    """Return when there may be work, or when the poll id is unknown and the control side must be asked.

    `trouble` is told each error before the next try, `all_is_well` each quiet answer.
    """
    pauses = growing()
    with Line(url, TIMEOUT) as line:
        while True:
            try:
                if not _nothing_new(line, url):
                    return
            except Unreachable as error:
                trouble(error)
                pause(next(pauses))
            else:
                pauses = growing()
                all_is_well()
                pause(BREATH)


def _nothing_new(line: Line, url: str) -> bool:
    status, body = line.get()
    if status == 404:
        return False
    if status != 200:
        raise Unreachable(f"{url}: the appliance answered {status}")
    return body.strip() != b"come"

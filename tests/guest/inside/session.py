"""pytest inside the guest: runs one test after the other as the host asks, and sends every report back.

``python3 -m tests.guest.inside.session OPTION... FILE...``: lines of JSON on standard input (``run``, ``next``: names
of tests), and on standard output (``ready``, ``report``, ``unknown``, ``done``).
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

PATIENCE_SECONDS = 600


class Conversation:
    """Our standard input and output, kept for us: tests have none to read, and what they print goes elsewhere."""

    def __init__(self) -> None:
        self._in, self._out = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def say(self, message: dict[str, Any]) -> None:
        """One line to the host."""
        self._out.write(json.dumps(message) + "\n")

    def requests(self) -> Iterator[dict[str, Any]]:
        """What the host asks for, until it has no more."""
        for line in self._in:
            yield json.loads(line)


class OnDemand:
    """A plugin in the place of pytest's own loop."""

    def __init__(self, host: Conversation) -> None:
        self._host = host
        self._problems: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read is told when one of its tests is asked for."""
        if report.failed:
            self._problems.append(report.longreprtext)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Nothing but what the host wants, in its order."""
        items = {item.nodeid: item for item in session.items}
        self._host.say({"ready": len(items)})
        for request in self._host.requests():
            if item := items.get(request["run"]):
                following = items.get(request["next"])
                session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            else:
                self._host.say({"unknown": "\n".join(self._problems)})
            self._host.say({"done": request["run"]})
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """As xdist's workers do it."""
        self._host.say({"report": report._to_json()})


if __name__ == "__main__":
    host = Conversation()
    # No cache to write, and nothing that depends on who started it; all takes ten times as long under emulation.
    options = [
        "-o",
        "addopts=",
        "-o",
        f"timeout={PATIENCE_SECONDS}",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
        *sys.argv[1:],
    ]
    sys.exit(pytest.main(options, plugins=[OnDemand(host)]))

"""Tests of this session that run in the guest: asked for there, reported here as if they had run here."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from tests.guest.outside.artefact import built
from tests.guest.outside.guest import Guest, GuestDied, GuestFailed, Job
from tests.guest.outside.machine import Machine

COLLECT_SECONDS = 600.0
LONGEST_SECONDS = 3600.0
"""A test may take as long as its own ``timeout`` in there says; the host's is the later one."""


def new_machine() -> Machine:
    """With the system that the image builder makes."""
    return Machine(built())


class Shared:
    """The guest of this session: booted when the first test wants it, again where it died, never twice at once."""

    def __init__(self, options: Sequence[str], files: Sequence[str], new: Callable[[], Machine] = new_machine) -> None:
        self._new = new
        self._argv = ["python3", "-m", "tests.guest.inside.session", *options, *files]
        self._machine: Machine | None = None
        self._guest: Guest | None = None
        self._hopeless: Exception | None = None
        self._tests: tuple[Job, int] | None = None
        """pytest in the guest, and which boot of the guest it runs in."""

    def guest(self) -> Guest:
        """The guest, up. One that could not be booted is not tried again."""
        if self._hopeless:
            raise self._hopeless
        if self._guest is None:
            self._machine = self._new()
            self._guest = Guest(self._machine)
        if not self._guest.on:
            try:
                self._guest.boot()
            except (GuestDied, GuestFailed, TimeoutError) as error:
                self._hopeless = error
                raise
        return self._guest

    def resources(self) -> set[str]:
        """What this process holds for it, so that no test is blamed for that."""
        return self._machine.resources() if self._machine else set()

    def reports(self, nodeid: str, following: str) -> Iterator[dict[str, Any]]:
        """Run one test in the guest; its reports, as pytest writes them down for other processes."""
        job, boots = self._session()
        # Whoever does not hear the test to its end must not take the rest of its words for those of the next one.
        self._tests = None
        try:
            job.write(json.dumps({"run": nodeid, "next": following}) + "\n")
            while "done" not in (message := _said(job, LONGEST_SECONDS)):
                if "unknown" in message:
                    raise GuestFailed(f"the guest finds no test {nodeid}; {message['unknown']}")
                yield message["report"]
            self._tests = job, boots
        finally:
            if self._tests is None:
                with suppress(GuestDied):
                    job.kill()

    def _session(self) -> tuple[Job, int]:
        """pytest in the guest; a new one after the guest was booted anew."""
        guest = self.guest()
        if self._tests is None or self._tests[1] != guest.boots or self._tests[0].status is not None:
            job = guest.start(self._argv)
            _said(job, COLLECT_SECONDS)
            self._tests = job, guest.boots
        return self._tests

    def close(self) -> None:
        """No guest any more."""
        if self._machine:
            self._machine.close()
        self._machine = self._guest = None


def _said(job: Job, seconds: float) -> dict[str, Any]:
    line = job.line(seconds)
    if line is None:
        said = job.wait().stderr
        raise GuestFailed(f"pytest in the guest ended with status {job.status}:\n{said[-4000:]}")
    message: dict[str, Any] = json.loads(line)
    return message


def in_guest(item: pytest.Item) -> bool:
    """Whether this test, seen from here, belongs to the guest; there it is a test like any other."""
    return not inside() and item.get_closest_marker("guest") is not None


def inside() -> bool:
    """Whether this is the guest."""
    return "QRM_GUEST" in os.environ


def run(shared: Shared, item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """One test: its reports go to whoever listens to pytest's, as they come."""
    following = nextitem.nodeid if nextitem else ""

    def pass_on() -> None:
        for data in shared.reports(item.nodeid, following):
            item.ihook.pytest_runtest_logreport(report=report_of(data))

    trouble = (GuestDied, GuestFailed, TimeoutError, pytest.fail.Exception)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    call = pytest.CallInfo.from_call(pass_on, "call", reraise=(KeyboardInterrupt, pytest.exit.Exception))
    if call.excinfo:
        if not call.excinfo.errisinstance(trouble):
            raise call.excinfo.value
        item.ihook.pytest_runtest_logreport(report=_failure(item, call))
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def report_of(data: dict[str, Any]) -> pytest.TestReport:
    """A report as it was; JSON makes lists of tuples, and pytest minds where a test was skipped and where it stands."""
    for name in ("longrepr", "location"):
        if isinstance(data[name], list):
            data[name] = tuple(data[name])
    return pytest.TestReport._from_json(data)


def _failure(item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
    """The guest's own trouble, told as the test's; where in this file it was noticed helps nobody."""
    report = pytest.TestReport.from_item_and_call(item, call)
    assert call.excinfo
    report.longrepr = f"{call.excinfo.typename}: {call.excinfo.value}"
    return report

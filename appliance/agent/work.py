"""Asking for work, doing it, and saying how it went; each step once per (attempt, step)."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .control import Control, Refused
from .errors import Abandoned, AgentError, StepFailed
from .hardware import Hardware
from .job import Job, Outcome, Params
from .plainhttp import Unreachable
from .screen import Screen
from .session import keep_secret
from .steps import STEPS

PROGRESS_TIMEOUT = 5.0
EMPTIES_DISKS = ("wipe-disk",)
"""Steps after which the machine stays here, with other disks than it told of when it came."""


class Worker:
    """Does steps. What a step brought is kept until the next boot, and told again instead of done again."""

    def __init__(
        self, hardware: Hardware, control: Control, screen: Screen, send_inventory: Callable[[], object]
    ) -> None:
        self.hardware = hardware
        self.control = control
        self.screen = screen
        self.send_inventory = send_inventory
        self.memory = hardware.run_directory / "steps"

    def perform(self, work: dict[str, Any]) -> None:
        """Do what a work answer says and report it. An abandoned step just ends. Raises Refused, Leaving."""
        job = self._job(work)
        self.screen.show(state=str(work.get("display") or job.step), doing=job.step)
        try:
            outcome = self._outcome(job)
            if job.step in EMPTIES_DISKS:
                self.send_inventory()  # before the report: the machine must never be shown idle with what it held
            self._conclude(job, outcome)
        except Abandoned:
            self.screen.show(doing=f"{job.step} is no longer wanted")
        except StepFailed as error:
            self.screen.trouble(error)
            self._report(job, status="failed", code=error.code, message=error.message, result={})
        else:
            self.screen.well()

    def _job(self, work: dict[str, Any]) -> Job:
        job = Job(
            attempt=str(work.get("attempt", "")),
            step=str(work.get("step", "")),
            params=Params(work.get("params") or {}),
            hardware=self.hardware,
            tell=lambda fraction, message: self._tell(job, fraction, message),
            send=lambda path, body: self._send(job, path, body),
        )
        return job

    def _outcome(self, job: Job) -> Outcome:
        known = self._remembered(job)
        if known is not None:
            return Outcome(known, "done before")
        self._tell(job, 0.0, "")
        outcome = run_step(STEPS.get(job.step), job)
        if outcome.afterwards is None:
            keep_secret(self._path(job), json.dumps(outcome.result))
        return outcome

    def _conclude(self, job: Job, outcome: Outcome) -> None:
        try:
            self._report(job, status="done", progress=1.0, message=outcome.message, result=outcome.result)
        except (Abandoned, Refused):
            if outcome.undo:
                outcome.undo()
            raise
        if outcome.afterwards:
            outcome.afterwards()

    def _tell(self, job: Job, fraction: float, message: str) -> None:
        """Progress: sent once, lost without harm; but a "no" must be heard."""
        self.screen.show(doing=f"{job.step} {int(fraction * 20) * 5}%" if fraction else job.step)
        body = self._body(job, status="running", progress=round(fraction, 4), message=message)
        try:
            self._heed(self.control.call("POST", "report", body, timeout=PROGRESS_TIMEOUT).body)
        except Unreachable as error:
            self.screen.trouble(error)
        except Refused as error:
            _abandon_or_raise(error)

    def _send(self, job: Job, path: str, body: dict[str, Any]) -> None:
        try:
            answer = self.control.insist("POST", path, {"attempt": job.attempt, **body})
        except Refused as error:
            if error.status in (400, 413, 422):  # asked again, it would be refused again
                raise StepFailed(error.code or "refused", error.message) from error
            _abandon_or_raise(error)
        else:
            self._heed(answer.body)

    def _report(self, job: Job, **fields: Any) -> None:
        try:
            answer = self.control.insist("POST", "report", self._body(job, **fields))
        except Refused as error:
            _abandon_or_raise(error)
        else:
            if fields["status"] == "done":
                self._heed(answer.body)

    @staticmethod
    def _body(job: Job, **fields: Any) -> dict[str, Any]:
        return {"attempt": job.attempt, "step": job.step, **fields}

    @staticmethod
    def _heed(answer: dict[str, Any]) -> None:
        if answer.get("continue") is False:
            raise Abandoned

    def _remembered(self, job: Job) -> dict[str, Any] | None:
        try:
            known = json.loads(self._path(job).read_text())
        except (OSError, ValueError):
            return None
        return known if isinstance(known, dict) else None

    def _path(self, job: Job) -> Path:
        name = hashlib.sha256(f"{job.attempt}\n{job.step}".encode()).hexdigest()
        return self.memory / f"{name}.json"


def run_step(step: Callable[[Job], Outcome] | None, job: Job) -> Outcome:
    """Run one step; everything that goes wrong in it comes out as StepFailed, Abandoned or Leaving."""
    if step is None:
        raise StepFailed("step-unknown", f"this agent knows no step {job.step!r}")
    try:
        return step(job)
    except StepFailed:
        raise
    except Refused:
        raise
    except AgentError as error:
        raise StepFailed("step-failed", f"{job.step}: {error.message}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StepFailed("step-failed", f"{job.step}: {type(error).__name__}: {error}") from error


def _abandon_or_raise(error: Refused) -> None:
    if error.status == 409 or error.code == "stale-step":
        raise Abandoned from error
    raise error

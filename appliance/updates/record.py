"""The record of updates: each one from its beginning to the verdict, and what each start means for it. Pure.

The record outlives every slot, on the state partition. Whatever ends an update in between, the next start finds out
from the record and the boot loader's variables what became of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError, Conflict
from appliance.updates.boot_choice import TRIES, is_good, may_start

KEPT = 20
"""Updates that are remembered."""
SILENT = "it was started, and never came as far as being judged"
STOPPED = "it was cancelled while it was written; install it again, if it is wanted"
NEVER_UP = "it was started three times, and never came as far as saying why it does not run"


class Stage(StrEnum):
    """How far an update is."""

    INSTALLING = "installing"
    TRYING = "trying"
    """It is written, and starts next; or it runs, and was not judged yet."""
    GOOD = "good"
    FELL_BACK = "fell-back"
    """It was given up, and the version before runs."""
    CUT_OFF = "cut-off"
    """Installing ended in the middle; the version in use was not touched."""
    FAILED = "failed"
    """It was not installed, and nothing was started."""


OPEN = (Stage.INSTALLING, Stage.TRYING)


class Try(msgspec.Struct, frozen=True):
    """One start of what is on trial."""

    at: float
    reasons: tuple[str, ...]
    """Why it was not good."""


class Update(msgspec.Struct, frozen=True):
    """One update."""

    slot: str
    """The letter of the slot that it was written to."""
    version: str
    from_slot: str
    from_version: str
    begun: float
    stage: Stage
    tries: tuple[Try, ...] = ()
    reason: str = ""
    """Why it is not good, once that is known."""
    ended: float | None = None
    back: bool = False
    """Nothing was written: somebody chose the version before, and gave up what was stored since."""


class Record(msgspec.Struct, frozen=True):
    """All that are remembered, oldest first."""

    updates: tuple[Update, ...] = ()

    @property
    def last(self) -> Update | None:
        """The newest."""
        return self.updates[-1] if self.updates else None

    @property
    def home(self) -> str:
        """The letter of the slot that proved good last; empty as long as there was no update."""
        if self.last is None:
            return ""
        return self.last.slot if self.last.stage is Stage.GOOD else self.last.from_slot

    @property
    def going_on(self) -> Update | None:
        """The newest, if it is not decided yet."""
        return self.last if self.last is not None and self.last.stage in OPEN else None


def parse(text: bytes) -> Record:
    """Raises ApplianceError ``update-record`` for a file that is none."""
    try:
        return decoded(text, Record)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ApplianceError("update-record", f"the record of updates cannot be read: {error}") from error


def render(record: Record) -> bytes:
    """As it is stored."""
    return msgspec.json.format(msgspec.json.encode(record)) + b"\n"


def with_last(record: Record, update: Update) -> Record:
    """The newest one, changed."""
    return Record((*record.updates[:-1], update))


def on_trial(record: Record, booted: str) -> Update | None:
    """The update that runs, in the slot ``booted``, and was not judged yet; None: what runs is not on trial."""
    update = record.going_on
    return update if update is not None and update.slot == booted else None


def check_no_trial(record: Record, booted: str) -> None:
    """Raise Conflict ``update-on-trial`` while what runs is on trial: the other slot is the way back from it."""
    if (update := on_trial(record, booted)) is not None:
        text = f"version {update.version or f'of slot {booted}'} runs on trial, and another update would be written"
        hint = "wait until it was found good, some minutes after a start, or until the version before is back"
        raise Conflict("update-on-trial", f"{text} over the version before", hint)


def begin(record: Record, update: Update, now: float) -> Record:
    """A further one; one that was still open is over with that."""
    if (open_one := record.going_on) is not None:
        record = with_last(record, _ended(open_one, Stage.CUT_OFF, "another update was begun", now))
    return Record((*record.updates, update)[-KEPT:])


def _ended(update: Update, stage: Stage, reason: str, now: float) -> Update:
    return msgspec.structs.replace(update, stage=stage, reason=reason, ended=now)


def installed(record: Record) -> Record:
    """The newest is written, and starts next."""
    assert record.last is not None
    return with_last(record, msgspec.structs.replace(record.last, stage=Stage.TRYING))


def not_installed(record: Record, reason: str, now: float) -> Record:
    """The newest was not written; nothing was started."""
    assert record.last is not None
    return with_last(record, _ended(record.last, Stage.FAILED, reason, now))


def stopped(record: Record, now: float) -> Record:
    """Somebody cancelled the newest while it was written. Its slot may hold anything, and is not started."""
    assert record.last is not None
    return with_last(record, _ended(record.last, Stage.CUT_OFF, STOPPED, now))


@dataclass(frozen=True, slots=True)
class Settled:
    """What a start means."""

    record: Record
    on_trial: bool = False
    """What runs has to be judged; else its tries are set back at once."""
    given_up: str = ""
    """The letter of a slot that is not to be started any more; empty: none."""
    revived: str = ""
    """The letter of the slot that proved good last, where it did not come up and the other one runs in its place.

    It is started next, with all its tries: power cuts may have used them up, and the other one may be too old for
    the state.
    """


def settled(record: Record, booted: str, variables: Mapping[str, str] | None, now: float) -> Settled:
    """What it means that the slot ``booted`` runs, early at a start.

    ``variables`` are the boot loader's; None: they are lost.
    """
    update = record.going_on
    if update is None:
        return _at_rest(record, booted, variables)
    if update.slot == booted:
        tries = (*update.tries, Try(now, (SILENT,)))[-TRIES:]
        after = msgspec.structs.replace(update, stage=Stage.TRYING, tries=tries)
        return Settled(with_last(record, after), on_trial=True)
    if variables is not None and may_start(variables, update.slot):
        return Settled(record)  # its turn comes, somebody chose the other one by hand
    if update.stage is Stage.INSTALLING and variables is not None and not is_good(variables, update.slot):
        text = "installing was cut off; the version in use was not touched"
        return Settled(with_last(record, _ended(update, Stage.CUT_OFF, text, now)))
    over = _ended(update, Stage.FELL_BACK, why(update, variables), now)
    return Settled(with_last(record, over), given_up=update.slot)


def _at_rest(record: Record, booted: str, variables: Mapping[str, str] | None) -> Settled:
    """Where no update is open."""
    if record.home != booted:
        return Settled(record, revived=record.home)
    last = record.last
    if last is not None and last.stage is Stage.FELL_BACK and is_good(variables or {}, last.slot):
        return Settled(record, given_up=last.slot)  # an earlier start was cut off before it said so
    return Settled(record)


def why(update: Update, variables: Mapping[str, str] | None = None) -> str:
    """Why an update that was given up was not good: what its last try said for itself, if any did."""
    told = [each for each in update.tries if each.reasons != (SILENT,)]
    if told:
        return "; ".join(told[-1].reasons)
    if variables is None:
        return "the notes of the boot loader were lost"
    return SILENT if update.tries else NEVER_UP


def judged(record: Record, reasons: Sequence[str], now: float) -> Record:
    """What runs on trial was judged; good without ``reasons``."""
    update = record.last
    assert update is not None
    if not reasons:
        return with_last(record, _ended(update, Stage.GOOD, "", now))
    before = update.tries[:-1] if update.tries and update.tries[-1].reasons == (SILENT,) else update.tries
    tries = (*before, Try(now, tuple(reasons)))[-TRIES:]
    return with_last(record, msgspec.structs.replace(update, tries=tries))


def may_go_back(record: Record, booted: str) -> bool:
    """Whether a store that a newer version wrote may give its place to the copy of before.

    Only where an update fell back and none was good since, or where somebody chose the version before and agreed.
    """
    for update in reversed(record.updates):
        if update.back:
            return update.slot == booted and update.stage is not Stage.FAILED
        if update.stage is Stage.FELL_BACK:
            return update.slot != booted
        if update.stage is Stage.GOOD:
            return False
    return False

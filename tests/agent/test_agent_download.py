"""The download of an image while the appliance comes and goes; time is a number."""

import hashlib

import pytest
from fake_appliance import FakeAppliance

from appliance.agent.errors import StepFailed
from appliance.agent.image.download import PATIENCE, PAUSE_LIMIT, Source, download

STORED = bytes(range(256)) * 4096


class Outage:
    """A clock that only our own pauses move, and an appliance that answers again once it shows `back`."""

    def __init__(self, appliance: FakeAppliance, back: float) -> None:
        self.now, self.back = 1000.0, 1000.0 + back
        self.pauses: list[float] = []
        self.reasons: set[str] = set()
        self.good = Source(**_named(appliance.add_image("demo", STORED)))
        self.appliance = appliance
        appliance.break_after = [300_000] + [0] * 500

    def wait(self, seconds: float, why: str) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        self.reasons.add(why)
        if self.now >= self.back:
            self.appliance.break_after.clear()

    def download(self) -> bytes:
        return b"".join(download(self.good, self.wait, lambda: self.now))


def _named(image: dict[str, object]) -> dict[str, object]:
    return {
        "url": image["url"],
        "token": image["token"],
        "size": image["stored_size"],
        "sha256": hashlib.sha256(STORED).hexdigest(),
    }


def test_an_appliance_that_is_away_for_minutes_is_waited_for(appliance: FakeAppliance) -> None:
    outage = Outage(appliance, back=PATIENCE - 2 * PAUSE_LIMIT)
    assert outage.download() == STORED
    assert outage.pauses[:4] == [1.0, 2.0, 4.0, 8.0], "each a little longer, for a fleet does this at once"
    assert max(outage.pauses) == PAUSE_LIMIT
    assert outage.reasons == {"the connection ended early"}


def test_one_that_stays_away_is_not_waited_for_for_ever(appliance: FakeAppliance) -> None:
    outage = Outage(appliance, back=10 * PATIENCE)
    with pytest.raises(StepFailed, match="nothing for 300 s") as caught:
        outage.download()
    assert caught.value.code == "download-failed"
    assert sum(outage.pauses) == PATIENCE


def test_one_that_nobody_answers_for_is_waited_for_too() -> None:
    """Connection refused, as while the daemon restarts."""
    pauses: list[float] = []
    now = 0.0

    def wait(seconds: float, why: str) -> None:
        nonlocal now
        now += seconds
        pauses.append(seconds)
        assert "refused" in why

    with pytest.raises(StepFailed, match="refused"):
        list(download(Source("http://127.0.0.1:1/images/1/content", "t", 10, "0" * 64), wait, lambda: now))
    assert sum(pauses) == PATIENCE


def test_patience_begins_anew_with_every_byte(appliance: FakeAppliance) -> None:
    outage = Outage(appliance, back=PATIENCE * 3)
    appliance.break_after = ([0] * 20 + [1]) * 6
    assert outage.download() == STORED
    assert sum(outage.pauses) > PATIENCE * 2

"""The feed: numbered once, bounded in number and bytes, never ahead of a role."""

import asyncio
import json

import pytest

from appliance.accounts import Role
from appliance.events import Bus, Event, Progress
from appliance.machine import MachineId
from appliance.web.feed import AT_ONCE, Fallen, Feed, frame

VIEWER = Role.VIEWER


def _event(text: str, kind: str = "machine.state") -> Event:
    return Event(kind, 0.0, text)


def _texts(frames: list[bytes]) -> list[str]:
    return [json.loads(_payload(each))["event"]["text"] for each in frames]


def _payload(frame: bytes) -> bytes:
    """What stands in a frame of a server, read as RFC 6455 section 5.2 says."""
    assert frame[0] == 0x81, "the final frame of a text, without extensions"
    short = frame[1]
    start = 2 if short < 126 else 4 if short == 126 else 10
    length = short if short < 126 else int.from_bytes(frame[2:start], "big")
    assert len(frame) == start + length
    return frame[start:]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frames_of_every_length(size: int) -> None:
    assert _payload(frame(b"x" * size)) == b"x" * size


def test_each_reader_has_a_position_of_its_own() -> None:
    feed = Feed()
    for text in "abc":
        feed.put(_event(text))
    first, position = feed.after(0, VIEWER)
    assert (_texts(first), position) == (["a", "b", "c"], 3)
    assert _texts(feed.after(2, VIEWER)[0]) == ["c"]
    assert feed.after(3, VIEWER) == ([], 3)
    assert feed.after(0, VIEWER)[0][0] is first[0], "encoded once"


def test_who_falls_behind_what_is_kept_is_told() -> None:
    feed = Feed(kept=3)
    for text in "abcd":
        feed.put(_event(text))
    assert _texts(feed.after(1, VIEWER)[0]) == ["b", "c", "d"]
    with pytest.raises(Fallen):
        feed.after(0, VIEWER)
    with pytest.raises(Fallen):
        feed.after(5, VIEWER)


def test_huge_messages_push_out_more_than_their_number() -> None:
    feed = Feed(kept_bytes=1000)
    for text in ("a", "b", "x" * 800):
        feed.put(_event(text))
    assert not feed.has(0)
    feed.put(_event("y" * 5000))
    assert feed.after(4, VIEWER) == ([], 4)
    assert not feed.has(3), "larger than all that may be kept"
    feed.put(_event("small"))
    assert _texts(feed.after(4, VIEWER)[0]) == ["small"]


def test_nobody_takes_more_than_their_turn() -> None:
    feed = Feed()
    for _ in range(AT_ONCE + 1):
        feed.put(_event("a"))
    frames, position = feed.after(0, VIEWER)
    assert (len(frames), position) == (AT_ONCE, AT_ONCE)


@pytest.mark.parametrize("kind", ["user.login", "user.changed", "audit.entry"])
def test_what_only_administrators_may_see(kind: str) -> None:
    feed = Feed()
    feed.put(_event("secret", kind))
    assert feed.after(0, VIEWER) == feed.after(0, Role.OPERATOR) == ([], 1)
    assert _texts(feed.after(0, Role.ADMIN)[0]) == ["secret"]


async def test_readers_are_woken_by_the_bus() -> None:
    feed, bus = Feed(), Bus()
    with feed.listening(bus):
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(feed.news(0))
            await asyncio.sleep(0)
            bus.publish(Progress(MachineId("m"), "grow", 0.5, "half"))
        await feed.news(0)
    bus.publish(_event("later"))
    assert feed.seq == 1

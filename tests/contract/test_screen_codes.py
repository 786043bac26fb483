"""The codes on the agent's screen are those that the appliance explains."""

from pathlib import Path

import pytest

from appliance.agent import errors
from appliance.agent.control import Refused
from appliance.agent.errors import AgentError, NoNetwork
from appliance.agent.plainhttp import Unreachable
from appliance.agent.screen import Screen
from appliance.agent.trust import WrongAuthority
from appliance.screencode import MEANINGS, Waits, parse

MAC = "52:54:00:4c:01:0a"


@pytest.mark.parametrize("name", ["NETWORK", "APPLIANCE", "TRUST", "REFUSED", "TROUBLE", "WORK", "STEP"])
def test_both_ends_count_alike(name):
    assert getattr(errors, name) == Waits[name]


def shown(screen):
    """The code as a person reads it off the screen."""
    (line,) = [line for line in screen.lines() if line.startswith("qrm: code:")]
    word = line.split()[2].rstrip(",")
    assert line.endswith(f"qrm find {word}")
    return parse(word)


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (NoNetwork("no link"), Waits.NETWORK),
        (Unreachable("no answer"), Waits.APPLIANCE),
        (WrongAuthority("another"), Waits.TRUST),
        (Refused(403, "token-used", "no", ""), Waits.REFUSED),
        (AgentError("odd"), Waits.TROUBLE),
    ],
)
def test_a_trouble_on_the_screen_is_found_by_its_code(tmp_path: Path, error, waits):
    screen = Screen([tmp_path / "none"], mac=MAC)
    assert shown(screen).waits is Waits.STEP
    screen.trouble(error)
    found = shown(screen)
    assert (found.waits, found.like) == (waits, "4c:01:0a")
    assert MEANINGS[found.waits].todo
    screen.well(errors.WORK)
    assert shown(screen).waits is Waits.WORK
    assert "problem" not in "".join(screen.lines())

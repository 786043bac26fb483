"""The small parts of the screen: keys, bytes for the terminal, judgements, limits."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ApplianceError
from appliance.networking.layout import Layout
from appliance.privileged.verbs.network import Reverted
from appliance.privileged.verbs.services import UNITS, UnitState
from appliance.screen import ansi, judge, limits
from appliance.screen.keys import Keyboard, Position
from appliance.screen.limits import Failures
from appliance.screen.terminal import is_line
from appliance.screen.text import STRONG, Line, Size, cells, clean, cut, ends, padded, plain_ascii, tail, wrapped
from appliance.updates.record import SILENT, Record, Stage, Try, Update

# -- keys


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"a\r\x7f\x08\t", ["a", "enter", "backspace", "backspace", "tab"]),
        (b"\x1b[A\x1bOB\x1b[5~\x1b[Z", ["up", "down", "pgup", "backtab"]),
        ("é日".encode(), ["é", "日"]),
        (b"\x1b[24;80R", [Position(24, 80)]),
        (b"\x1b[200~x\x1b[99;99;99z", ["x"]),
        (b"\x1b\x1b[A", ["esc", "up"]),
        (b"\x1bx", ["esc", "x"]),
        (b"\x00\x01\x9b\xff\xfe\x1f", []),
    ],
)
def test_bytes_are_keys(typed, keys):
    assert Keyboard().typed(typed) == keys
    one_by_one = Keyboard()
    assert [key for place in range(len(typed)) for key in one_by_one.typed(typed[place : place + 1])] == keys


def test_an_escape_alone_is_the_key_once_nothing_follows():
    keyboard = Keyboard()
    assert keyboard.typed(b"\x1b") == []
    assert keyboard.undecided
    assert keyboard.paused() == ["esc"]
    assert not keyboard.undecided
    assert keyboard.typed(b"\x1b[") == []
    assert keyboard.paused() == [], "the beginning of something that was lost"


def test_noise_that_never_ends_is_given_up():
    keyboard = Keyboard()
    keyboard.typed(b"\x1b[" + b"1;" * 200)
    assert not keyboard.undecided
    assert keyboard.typed(b"a")[-1:] == ["a"]


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data):
    keyboard = Keyboard()
    for key in [*keyboard.typed(data), *keyboard.paused()]:
        assert isinstance(key, Position) or key.isprintable()


# -- text and bytes for the terminal


@given(st.text(max_size=80), st.integers(2, 60))
def test_text_keeps_to_its_room(text, columns):
    cleaned = clean(text)
    assert cells(cut(cleaned, columns)) <= columns
    assert cells(padded(cleaned, columns)) == columns
    assert cells(tail(cleaned, columns)) <= columns
    assert all(cells(line) <= columns for line in wrapped(cleaned, columns))
    assert "".join(wrapped(cleaned, columns)).replace(" ", "") == cleaned.replace(" ", "")
    assert plain_ascii(cleaned).isascii()


def test_the_right_end_is_kept_where_both_do_not_fit():
    assert ends("a long name", "12:00", 10) == "a lo…12:00"


def test_only_what_changed_is_sent():
    before = [Line("one"), Line("two"), Line("three")]
    after = [Line("one"), Line("2", STRONG), Line("three")]
    assert ansi.drawn(before, after) == b"\x1b[2;1H\x1b[0;1m2\x1b[0m\x1b[K"
    assert ansi.drawn(before, before) == b""
    assert ansi.drawn([], after).count(b"\x1b[K") == 3


@pytest.mark.parametrize(
    ("answers", "size"),
    [
        ([Position(1, 2), Position(50, 132)], Size(132, 50)),
        ([Position(1, 3), Position(24, 80)], Size(80, 24, ascii_only=True)),
        ([Position(24, 80)], None),
        ([Position(1, 2), Position(9999, 9999)], Size(250, 100)),
        ([Position(1, 2), Position(1, 1)], None),
        ([Position(7, 2), Position(24, 80)], None),
    ],
)
def test_answers_of_a_serial_line_are_believed_where_they_can_be_true(answers, size):
    assert ansi.answered(answers) == size


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("/dev/tty1", False), ("/dev/pts/3", False), ("/dev/ttyS0", True), ("/dev/ttyUSB0", True), ("/dev/hvc0", True)],
)
def test_a_serial_line_is_known_by_its_name(name, is_one):
    """systemd may have given it a size, which tells nothing of what is at its other end."""
    assert is_line(name) is is_one


# -- judgements


def unit(name, active, sub="running", result="success", loaded=True):
    return UnitState(name, UNITS[name], loaded, active, sub, result, "", 0)


def test_states_of_units():
    found = judge.services(
        [
            unit("appliance.service", "activating", "auto-restart", "exit-code"),
            unit("chrony.service", "inactive", "dead"),
            unit("ssh.service", "inactive", "dead"),
            unit("libvirtd.service", "active"),
            unit("rauc.service", "failed", "failed", "signal"),
            unit("appliance-screen@tty1.service", "active"),
            unit("systemd-resolved.service", "inactive", loaded=False),
            unit("appliance-firewall.service", "activating", "start"),
        ]
    )
    assert [(each.unit.partition(".")[0], each.state, each.reason) for each in found] == [
        ("appliance", "failed", "exit-code"),
        ("chrony", "stopped", ""),
        ("ssh", "resting", ""),
        ("libvirtd", "running", ""),
        ("rauc", "failed", "signal"),
        ("appliance-firewall", "starting", ""),
    ]


LINKS = msgspec.json.decode(
    json.dumps(
        [
            {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "scope": "host", "family": "inet"}]},
            {"ifname": "nic0", "addr_info": [{"local": "10.77.0.1", "scope": "global", "family": "inet"}]},
            {
                "ifname": "nic1",
                "addr_info": [
                    {"local": "192.168.1.5", "scope": "global", "family": "inet"},
                    {"local": "fd00::5", "scope": "global", "family": "inet6"},
                    {"local": "fe80::1", "scope": "link", "family": "inet6"},
                    {"local": "fd00::9", "scope": "global", "family": "inet6", "temporary": True},
                ],
            },
        ]
    ),
    type=list[judge.Link],
)
ROUTES = [judge.Route("default", "nic1", "192.168.1.1")]


def test_urls_are_those_that_answer():
    plain = ("https://192.168.1.5:8443", "https://10.77.0.1:8443")
    assert judge.urls(["0.0.0.0:8443"], LINKS, ROUTES) == plain
    assert judge.urls(["0.0.0.0:8443"], LINKS, ROUTES, {"nic1"}) == plain[:1]
    assert judge.urls(["[::]:443"], LINKS, ROUTES, {"nic1"}) == ("https://192.168.1.5", "https://[fd00::5]")
    assert judge.urls(["127.0.0.1:8443", "box:443"], LINKS, ROUTES) == ("https://127.0.0.1:8443", "https://box")
    assert judge.urls(["0.0.0.0:8443"], [], []) == ()
    assert judge.urls(["0.0.0.0:8443"], LINKS, ROUTES, frozenset()) == (), "the firewall lets nobody in"


LO = judge.Link("lo", "loopback", ["LOOPBACK", "UP", "LOWER_UP"])
CARD, UNPLUGGED = judge.Link("nic0", "ether", ["UP", "LOWER_UP"]), judge.Link("nic1", "ether", ["NO-CARRIER", "UP"])


@pytest.mark.parametrize(
    ("links", "managed", "why"),
    [
        ([LO], frozenset(), "no network card was found: put one in, it is taken within seconds"),
        (
            [LO, CARD],
            frozenset(),
            "a network card is there, and gets its place now: where this stays, restart the appliance",
        ),
        ([LO, UNPLUGGED], {"nic1"}, "no cable is connected (nic1)"),
        ([LO, UNPLUGGED], None, "no cable is connected (nic1)"),
        ([LO, CARD, UNPLUGGED], {"nic0"}, "no address (Enter, Network settings)"),
        ([], {"nic0"}, "no address (Enter, Network settings)"),
    ],
)
def test_why_the_console_has_no_address(links, managed, why):
    assert judge.no_address(links, managed) == why


def test_the_kernel_command_line():
    words = judge.command_line("BOOT=x root=PARTUUID=1 qrm.appliance=1 rauc.slot=B quiet\n")
    assert (words["rauc.slot"], words["quiet"], words["root"]) == ("B", "", "PARTUUID=1")


@pytest.mark.parametrize(
    ("free", "total", "said"),
    [
        (10 << 30, 20 << 30, ""),
        (300 << 20, 100 << 30, ""),
        (200 << 20, 100 << 30, "200 MiB are left"),
        (0, 1 << 30, "is full"),
        (40 << 20, 1 << 30, "40 MiB are left"),
        (60 << 20, 1 << 30, ""),
    ],
)
def test_room_on_the_state_partition(free, total, said):
    found = judge.room(free, total, "/state")
    assert said in found
    assert bool(found) == bool(said)


def update(stage, slot="B", **more):
    return Record((Update(slot, "0.2.0", "A", "0.1.0", 1.0, stage, **more),))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Record(), ""),
        (update(Stage.GOOD), ""),
        (
            update(Stage.FELL_BACK, reason="the API does not answer"),
            "did not hold: the API does not answer. The version before",
        ),
        (update(Stage.TRYING, tries=(Try(1.0, ("no DHCP",)),)), "0.2.0 is on trial and not good yet: no DHCP."),
        (update(Stage.TRYING, tries=(Try(1.0, (SILENT,)),)), "0.2.0 is on trial, and being judged."),
        (
            update(Stage.TRYING, tries=(Try(1.0, ("no DHCP",)), Try(2.0, (SILENT,)))),
            "0.2.0 is on trial, and being judged; the try before: no DHCP.",
        ),
        (update(Stage.TRYING, slot="A"), ""),
        (update(Stage.FAILED, reason="the signature is wrong"), "was not installed: the signature is wrong"),
    ],
)
def test_what_is_to_be_known_of_an_update(record, said):
    found = judge.update(record, "B")
    assert said in found
    assert bool(found) == bool(said)


def test_a_change_that_was_taken_back_is_news_for_an_hour():
    reverted = Reverted(Layout(), 1000.0, "nobody confirmed it")
    assert judge.taken_back(reverted, 1010.0).endswith("taken back: nobody confirmed it.")
    assert judge.taken_back(reverted, 1000.0 + judge.TOLD_SECONDS) == judge.taken_back(None, 5.0) == ""


# -- limits


def test_guesses_wait_longer_and_longer():
    known, waits = Failures(), []
    for _ in range(12):
        waits.append(limits.wait(known, 100.0))
        known = limits.failed_again(known, 100.0)
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert limits.wait(known, 159.0) == 1.0
    assert limits.wait(known, 100.0 + limits.FORGET + 1) == 0.0
    assert limits.failed_again(known, 100.0 + limits.FORGET + 1).count == 1


def test_a_count_that_somebody_broke_counts_as_many(tmp_path):
    attempts = limits.Attempts(tmp_path / "run" / "attempts.json")
    attempts.begin()
    (tmp_path / "run" / "attempts.json").write_text("{}{")
    with pytest.raises(ApplianceError, match="too many"):
        attempts.begin()
    attempts.succeeded()
    attempts.begin()

"""The page that stands there: what is on it, whatever is missing, on terminals of any size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screen_person import FACTS, NOW, SETUP, Person

from appliance.networking.layout import Layout
from appliance.screen import qr
from appliance.screen.facts import Facts, Happened, Service, setup_link, wall_time
from appliance.screen.orders import LookAtDisks, NetworkSeen, Restart
from appliance.screen.pages import Busy, Code, Confirm, Field, Form, Front, Item, Menu, Reader, Told, Trial
from appliance.screen.text import PAPER, TITLE, WARN, Size, cells
from appliance.screen.view import view


def test_it_says_where_the_console_is_and_how_it_is_known():
    person = Person()
    person.sees("qrm appliance rack7", "0.1.0 slot A 12:00:00", "https://192.168.1.50:8443", "https://10.77.0.1:8443")
    person.sees("3A:5F:3A:5F", "Running netboot services and console", "Failed clock (exit-code)", "Enter: menu")
    person.sees("11:59:00 version 0.1.0 started", "yesterday 11:00 web-1 is active")
    person.sees_no("SSH log-in", "Set-up")


def test_the_set_up_link_is_there_while_nobody_has_an_account():
    Person(setup=SETUP).sees(f"https://192.168.1.50:8443{SETUP}", "Nobody has an account yet", "Q: QR code")


def test_a_link_without_an_address_says_so():
    Person(setup=SETUP, urls=()).sees("not reachable: no address", "there is no address yet")


def test_a_computer_without_a_network_card_says_so_and_its_menus_go_on_working():
    why = "no network card was found: put one in, it is taken within seconds"
    person = Person(urls=(), no_address=why, setup=SETUP)
    person.sees(f"not reachable: {why}", "there is no address yet")
    person.presses("enter").chooses("Network settings").hears(NetworkSeen(Layout()))
    person.sees("How the console is reached", "Make a bond").presses("enter").sees("Interface < none >")
    person.presses("enter", "enter", "enter").sees("there is no network card; plug one in, or look at the log")


def test_what_cannot_wait_stands_on_top_of_every_page():
    person = Person(warnings=("The state partition is full.",), network_until=NOW + 43)
    person.sees("in 43 s the old settings come back", "! The state partition is full.")
    person.presses("enter").sees("Menu", "! The state partition is full.")
    person.waits(3).sees("in 40 s")
    assert [line.style for line in person.lines[1:3]] == [WARN, WARN]


def test_many_warnings_leave_room_for_the_rest():
    person = Person(warnings=tuple(f"Trouble number {number}, which takes a while to tell." * 2 for number in range(9)))
    person.sees("and 8 more", "https://192.168.1.50:8443", "Fingerprint")


def test_nothing_known_is_no_trouble():
    Person()
    for page in (Front(), Code()):
        assert len(view(page, Facts(), Size())) == 24


def test_strange_names_do_not_steer_the_terminal():
    hostile = "\x1b[2J\x1b]0;x\x07\u202eevil\n\x9b1A"
    person = Person(
        host=hostile, warnings=(hostile,), events=(Happened(NOW, hostile),),
        services=(Service("a.service", hostile, "failed", hostile),),
    )  # fmt: skip
    assert "evil" in person.text


def test_wide_letters_do_not_push_a_line_over_the_edge():
    person = Person(size=Size(41, 20), events=(Happened(NOW, "機" * 200),), host="機" * 100)
    assert "機" in person.text


@pytest.mark.parametrize("columns", [40, 60, 80, 132])
def test_fingerprint_and_link_are_never_cut(columns):
    person = Person(size=Size(columns, 30), setup=SETUP)
    squeezed = "".join(line.text for line in person.lines).replace(" ", "")
    assert ":".join(["3A:5F"] * 16) in squeezed
    assert f"https://192.168.1.50:8443{SETUP}" in squeezed


def test_ascii_terminals_get_ascii():
    person = Person(size=Size(80, 24, ascii_only=True), events=(Happened(NOW, "Müller – 機 · …"),))
    assert person.text.isascii()
    person.sees("Muller - ? - ~")
    person.presses("enter")
    assert person.text.isascii()


def test_the_foot_is_always_the_last_line():
    for size in (Size(), Size(40, 12), Size(132, 50)):
        assert Person(size=size).lines[-1].style == TITLE


# -- the QR code


def test_the_code_fits_the_smallest_usual_screen_even_with_a_warning():
    person = Person(setup=SETUP, urls=("https://192.168.100.150:8443",), warnings=("w " * 80,)).presses("q")
    drawn = [line for line in person.lines if line.style == PAPER]
    expected = qr.half_blocks(qr.modules(setup_link(person.facts)))
    assert [line.text.removeprefix(" ") for line in drawn] == expected


def test_half_blocks_hold_every_module():
    rows = qr.modules("https://192.168.1.50:8443" + SETUP)
    drawn = qr.half_blocks(rows)
    above = {"▀": True, "█": True, "▄": False, " ": False}
    below = {"▀": False, "█": True, "▄": True, " ": False}
    again = [[half[letter] for letter in line] for line in drawn for half in (above, below)]
    assert again[: len(rows)] == rows
    assert not any(again[-1]), "an odd number of rows leaves half a line, which is light"
    assert rows[qr.QUIET][qr.QUIET : qr.QUIET + 7] == [True] * 7, "the corner that readers look for"


@pytest.mark.parametrize("size", [Size(80, 18), Size(30, 50), Size(80, 24, ascii_only=True)])
def test_where_the_code_cannot_be_shown_the_link_is(size):
    person = Person(setup=SETUP, size=size).presses("q")
    assert not any(line.style == PAPER for line in person.lines)
    person.sees("The link:")


def test_without_a_link_there_is_no_code():
    assert Person().presses("q").ui.top == Front()


# -- any page on any terminal

FIELDS = (Field("a", "A", "x" * 300), Field("b", "B", "y", (("y", "why"),)), Field("c", "C", "s", secret=True))
PAGES = [
    Front(),
    Code(),
    Menu("Title", tuple(Item("label " * 9, "off", about="about") for _ in range(30)), ("intro " * 30,), 29),
    Menu("Nothing", ()),
    Form("Form", "shell", FIELDS, ("intro " * 99,), at=1, error="error " * 60),
    Confirm("Confirm", ("line " * 80,), Restart(), "word", "w" * 200, True),
    Confirm("Confirm", ("line",), Restart(), "restart"),
    Reader("Reader", tuple(f"line {number}" for number in range(99)), 20, 5),
    Reader("Reader", ()),
    Busy("Busy", LookAtDisks(), "doing " * 40, 0.5),
    Busy("Busy"),
    Told("Told", ("line " * 300,), False),
    Trial(NOW + 9, ("changes",)),
]


@given(st.sampled_from(PAGES), st.integers(1, 200), st.integers(1, 70), st.booleans())
def test_every_page_fits_every_terminal(page, columns, rows, ascii_only):
    size = Size(columns, rows, ascii_only)
    found = view(page, FACTS, size)
    assert len(found) == rows
    assert all(cells(line.text) <= columns for line in found)


# -- times


def test_times_are_those_of_the_wall():
    facts = Facts(at=NOW, utc_offset=3600.0)
    assert wall_time(facts, NOW) == "13:00:00"
    assert wall_time(facts, NOW - 13 * 3600 - 1) == "yesterday 23:59"
    assert wall_time(facts, NOW - 5 * 86400) == "2025-11-17 13:00"

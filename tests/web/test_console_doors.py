"""Every page as everybody: a calm answer where it is not theirs, and no door on it that would be shut."""

from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from console_client import FAST, PASSWORD, visitor
from console_doors import OF_ADMIN, PEOPLE, is_open, route_of
from test_console_pages import PAGES

from appliance.accounts import Role
from appliance.store import accounts


class Doors(HTMLParser):
    """Links and forms of a page, and buttons that do nothing without saying why."""

    def __init__(self, path: str, page: str) -> None:
        super().__init__()
        self.path = path
        self.leads: set[tuple[str, str]] = set()
        """Method and path."""
        self._silent: list[tuple[str, str]] = []
        self._ids: set[str] = set()
        self._in_form = False
        self.feed(page)

    @property
    def dead(self) -> list[str]:
        """In a form they wait for what is to be typed; elsewhere an element of the page says why."""
        return [what for what, described in self._silent if described not in self._ids]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attributes}
        self._ids.add(has.get("id", ""))
        if tag == "form":
            self._in_form = True
            self._leads(has.get("method", "get"), has.get("action", ""))
        if tag == "a" and not has.get("href", "#").startswith("#"):
            self._leads("get", has["href"])
        if "formaction" in has:
            self._leads(has.get("formmethod", "post"), has["formaction"])
        if ((tag == "button" and "disabled" in has) or has.get("aria-disabled") == "true") and not self._in_form:
            self._silent.append((f"{tag} {has.get('class', '')}", has.get("aria-describedby", "none")))

    def handle_endtag(self, tag: str) -> None:
        self._in_form = self._in_form and tag != "form"

    def _leads(self, method: str, href: str) -> None:
        there = urlsplit(urljoin(self.path, href))
        if not there.netloc:
            self.leads.add((method.upper(), there.path))


@pytest.mark.parametrize(("name", "role"), PEOPLE)
async def test_every_page(tmp_path: Path, name: str, role: Role) -> None:
    wrong: list[str] = []
    async with visitor(tmp_path) as someone:
        await someone.services.store.write(partial(accounts.set_password, name=name, password=FAST.hash(PASSWORD)))
        await someone.log_in(name)
        for path in PAGES:
            status, page = await someone.look(path)
            open_to_them = is_open(route_of("GET", urlsplit(path).path), role)
            if open_to_them and (role is Role.ADMIN or path not in OF_ADMIN):
                wrong += [f"{path}: {status}"] if status != 200 else []
            elif status != 403 or '<section class="empty problem"' not in page:
                wrong.append(f"{path}: {status} where it is shut")
            doors = Doors(path, page)
            shut = [each for each in sorted(doors.leads) if not is_open(route_of(*each), role)]
            wrong += [f"{path}: shows {method} {there}" for method, there in shut]
            wrong += [f"{path}: {what} is dead" for what in doors.dead]
    assert "\n".join(wrong) == ""


def test_what_is_wrong_with_a_page_is_seen() -> None:
    page = """
        <a href="#main">Skip</a> <a href="/machines/m1?x=1">One</a> <a href="edit">Edit</a>
        <form method="post"><button disabled>Waits</button></form> <form action="/find"></form>
        <button disabled>Dead</button> <span aria-disabled="true" aria-describedby="why">Not now</span> <p id="why"></p>
    """
    found = Doors("/machines/m0", page)
    assert found.leads == {
        ("GET", "/machines/m1"),
        ("GET", "/machines/edit"),
        ("POST", "/machines/m0"),
        ("GET", "/find"),
    }
    assert found.dead == ["button "]


def test_the_roles_of_this_test_are_all_there_are() -> None:
    assert {role for _, role in PEOPLE} == set(Role)

"""Every address, asked by everybody there is: the least roles are written down here once more, by rule.

A new address falls under a rule by itself. One that is opened wider, or narrower, than its rule says fails here until
somebody has thought about it and written it down.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from access_world import Person, log_in, person, token
from test_auth_sweep import PUBLIC
from web_world import World, open_world

from appliance.web.auth import COOKIE, GRACE, IDLE_END, REPLACE_AFTER
from appliance.web.doors import DOORS

ORDER = ("viewer", "operator", "admin")
OWN = {
    "DELETE /api/v1/sessions/current",
    "DELETE /api/v1/sessions/{key}",
    "PUT /api/v1/account/password",
    "POST /api/v1/tokens",
    "DELETE /api/v1/tokens/{key}",
    "POST /account/password",
    "POST /account/log-ins/{key}/end",
    "POST /account/tokens/new",
    "POST /account/tokens/{key}/delete",
    "POST /logout",
}
"""What everybody may change: what is their own."""
OF_ADMINISTRATORS = re.compile(
    r"/api/v1/(users|audit|certificate|appliance|setup)\b|/settings/|/setup/|/network/interfaces\b"
    r"|/api/v1/machines/\{key\}/power(/certificate)?$|/machines/\{key\}/power-settings"
    r"|/storage/(new|adopt|\{pool\}/(extend|retire|examine|repair))$|/vms/hosts/(new|\{host\}/remove)$"
    r"|/api/v1/storage/|/api/v1/pools/\{key\}/(consequences|extend|retire|examine|repair)$"
)
THE_SAME = {("POST", "/api/v1/pools"), ("POST", "/api/v1/hosts"), ("DELETE", "/api/v1/hosts/{key}")}
"""Of administrators as well, where others may look."""
SECRETS = "/api/v1/deployments/{key}/seed"
"""What it answers has passwords in it."""
FORMS = re.compile(
    r"^/(?!account|api).*/(new|new/choices|edit|broken|delete|rescue|end-rescue|admit|bulk|cancel|forget|shut-down|remove|order/\{order\}|\{action\}|roll-back/\{snapshot\})$"
)
"""Pages that only ask what to do."""
CONSOLES = re.compile(r"(/api/v1)?/vms/\{key\}/(console(/\{kind\}|/serial)?|screenshot)$")
"""Who looks at a VM's screen can type there."""
LAST = {"DELETE /api/v1/sessions/current": False, "POST /logout": True}
"""They end the log-in that asks; whether browsers ask that, or programs."""


def least(method: str, path: str) -> str:
    """The least role of an address that is not public."""
    if f"{method} {path}" in OWN:
        return "viewer"
    if OF_ADMINISTRATORS.match(path) or (method, path) in THE_SAME:
        return "admin"
    if method in ("GET", "HEAD"):
        return "operator" if FORMS.match(path) or path == SECRETS or CONSOLES.match(path) else "viewer"
    return "operator"


@dataclass
class Everybody:
    """Those who ask, and the role that each really has; None: nobody gets in with that."""

    world: World
    askers: dict[str, tuple[dict[str, str], str | None]] = field(default_factory=dict)


async def _rotated_away(world: World, cookie: str) -> None:
    """Let a browser's token be replaced, and the log-in end that it was of."""
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    world.clock.now += REPLACE_AFTER
    async with world.client.get("/api/v1/machines", headers=headers) as response:
        newer = response.cookies[COOKIE].value
    world.client.session.cookie_jar.clear()
    async with world.client.get("/api/v1/machines", headers={"Cookie": f"{COOKIE}={newer}"}) as response:
        assert response.status == 200
    world.clock.now += GRACE + 1


def _token(of: Person) -> str:
    return of.headers["Authorization"].removeprefix("Bearer ")


@asynccontextmanager
async def everybody(directory: Path) -> AsyncIterator[Everybody]:
    async with open_world(directory) as world:
        await world.set_up()
        forgotten = await log_in(world)
        world.clock.now += IDLE_END + 1
        stolen = await log_in(world)
        await _rotated_away(world, _token(stolen))
        ada = await log_in(world)
        out = await log_in(world)
        await out.api("DELETE", "/sessions/current", 204)
        people = {role: await person(world, ada, role) for role in ORDER}
        demoted = await person(world, ada, "admin", "demoted")
        too_wide = await token(demoted, "admin")
        await ada.api("PATCH", "/users/demoted", json={"role": "viewer"})
        disabled = await person(world, ada, "admin", "disabled")
        dead = await token(disabled, "admin")
        await ada.api("PATCH", "/users/disabled", json={"disabled": True})
        origin = str(world.client.make_url("")).rstrip("/")
        found = Everybody(world)
        refused = {
            "nobody": {},
            "ended": forgotten.headers,
            "logged out": out.headers,
            "rotated away": stolen.headers,
            "another appliance's": {"Authorization": f"Bearer {'5' * 64}"},
            "another appliance's token": {"Authorization": f"Bearer qrm_{'5' * 64}"},
            "a disabled user": disabled.headers,
            "a disabled user's token": dead.headers,
        }
        found.askers |= {name: (headers, None) for name, headers in refused.items()}
        for role, one in people.items():
            found.askers[role] = (one.headers, role)
            cookie = {"Cookie": f"{COOKIE}={_token(await log_in(world, one.name))}", "Origin": origin}
            found.askers[f"{role} by cookie"] = (cookie, role)
            found.askers[f"{role} token"] = ((await token(ada, role)).headers, role)
        found.askers["token of a demoted user"] = (too_wide.headers, "viewer")
        yield found


async def ask(world: World, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status, and code of the problem if there is one. Bodies are wrong and names unknown: nothing is done."""
    target = re.sub(r"\{[^}]*\}", "nothing-here", path)
    sent = {"Accept": "application/json", **headers}
    async with world.client.request(method, target, headers=sent, allow_redirects=False) as response:
        body = await response.read()
        world.client.session.cookie_jar.clear()
        if "problem" in response.content_type:
            return response.status, (await response.json(content_type=None))["code"]
        said = "role-missing" if b"and this takes" in body else ""
        return response.status, said


async def test_every_address_asked_by_everybody(tmp_path: Path) -> None:
    async with everybody(tmp_path) as found:
        doors = found.world.client.app[DOORS]
        addresses = sorted(doors, key=lambda door: (f"{door[0]} {door[1]}" in LAST, door[1], door[0]))
        wrong = []
        for name, (headers, role) in found.askers.items():
            for method, path in addresses:
                if (method, path) in PUBLIC or method == "HEAD":
                    continue
                if LAST.get(f"{method} {path}", "Cookie" in headers) != ("Cookie" in headers):
                    continue
                status, code = await ask(found.world, method, path, headers)
                if not _as_it_should(role, least(method, path), status, code):
                    wrong.append(f"{method} {path} by {name}: {status} {code}")
                found.world.clock.now += 0.01
        assert len(addresses) > 100
        assert wrong == [], "\n".join(wrong)


def _as_it_should(role: str | None, wanted: str, status: int, code: str) -> bool:
    if role is None:
        return status == 401 or (status == 429 and code == "login-too-often")
    if ORDER.index(role) < ORDER.index(wanted):
        return (status, code) == (403, "role-missing")
    return status < 500 and status != 401 and code != "role-missing"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/machines", "viewer"),
        ("GET", "/machines/{key}/edit", "operator"),
        ("PATCH", "/api/v1/machines/{key}", "operator"),
        ("GET", "/api/v1/users", "admin"),
        ("GET", "/settings", "viewer"),
        ("GET", "/api/v1/pools", "viewer"),
        ("POST", "/api/v1/pools", "admin"),
        ("POST", "/api/v1/pools/{key}/volumes", "operator"),
        ("GET", "/settings/audit", "admin"),
        ("GET", "/account/tokens/new", "viewer"),
        ("DELETE", "/api/v1/tokens/{key}", "viewer"),
    ],
)
def test_the_rules_say(method: str, path: str, expected: str) -> None:
    assert least(method, path) == expected

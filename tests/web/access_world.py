"""People with roles, tokens and log-ins over an appliance's API."""

from dataclasses import dataclass
from typing import Any

from web_world import NAME, PASSWORD, World

from appliance.store.audit import LISTING, Entry, entry_of
from appliance.store.listing import Asked, page

OTHER = "another long password"


@dataclass
class Person:
    """Somebody with a way in, and what they can do with it."""

    world: World
    name: str
    headers: dict[str, str]

    async def api(self, method: str, path: str, status: int = 200, **arguments: Any) -> Any:
        """The JSON answer, which must have this status."""
        self.world.headers = self.headers
        try:
            return await self.world.api(method, path, status, **arguments)
        finally:
            self.world.headers = {}


async def log_in(world: World, name: str = NAME, password: str = PASSWORD) -> Person:
    """Who has the password."""
    world.headers = {}
    made = await world.api("POST", "/sessions", 201, json={"name": name, "password": password})
    world.client.session.cookie_jar.clear()
    return Person(world, name, {"Authorization": f"Bearer {made['token']}"})


async def person(world: World, by: Person, role: str, name: str = "") -> Person:
    """A new user, logged in."""
    name = name or f"{role}-1"
    await by.api("POST", "/users", 201, json={"name": name, "role": role, "password": PASSWORD})
    return await log_in(world, name)


async def token(owner: Person, scope: str, name: str = "", **more: Any) -> Person:
    """A program with an API token of this owner."""
    name = name or f"{scope}-token"
    made = await owner.api("POST", "/tokens", 201, json={"name": name, "scope": scope, **more})
    return Person(owner.world, owner.name, {"Authorization": f"Bearer {made['token']}"})


async def audited(world: World, **filters: Any) -> list[Entry]:
    """What the audit log holds, newest first."""
    found = await world.services.store.read(lambda db: page(db, LISTING, Asked(filters=filters)))
    return [entry_of(row) for row in found.rows]

"""Where pages lead, and who may go there."""

import re

from appliance.accounts import Role
from appliance.web.console.routes import ROUTES, Route

PEOPLE = (("noc", Role.VIEWER), ("eva", Role.OPERATOR), ("admin", Role.ADMIN))
"""Who can log in to the seeded console, by their roles."""
OF_ADMIN = ("/account/tokens/t0/delete",)
"""Pages for every role, about what is the administrator's own."""


def route_of(method: str, path: str) -> Route | None:
    """The first that takes it, as the router decides."""
    for route in ROUTES:
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(route.path))
        if route.method == method and re.fullmatch(pattern, path):
            return route
    return None


def is_open(route: Route | None, role: Role) -> bool:
    """Whether it is for this role."""
    return route is None or route.role is None or role.covers(route.role)

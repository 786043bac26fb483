"""Who may do what: roles, and who asks for something. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from appliance.errors import Denied, Invalid


class Role(StrEnum):
    """What a user or a token may do; each may do what those before it may."""

    VIEWER = "viewer"
    """Sees the fleet, and changes nothing but its own password, tokens and log-ins."""
    OPERATOR = "operator"
    """Runs the fleet: machines, deployments, images, kernels, addresses and names."""
    ADMIN = "admin"
    """Owns the appliance: users, everybody's tokens, settings, certificate, audit log."""

    def covers(self, other: "Role") -> bool:
        """Whether this role may do what the other one may."""
        return ROLES.index(self) >= ROLES.index(other)


ROLES = tuple(Role)
"""From the least to the most."""


def parse_role(text: str, field: str = "role") -> Role:
    """The role of this name; raises Invalid."""
    try:
        return Role(text)
    except ValueError:
        raise Invalid("role-unknown", f"{text[:40]!r} is no role", f"use {', '.join(ROLES)}", field) from None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for something, from where, and by what right."""

    name: str
    role: Role
    address: str = ""
    """Where the request came from; empty for the appliance itself."""
    via: str = "session"
    """``session``, ``token NAME``, or ``appliance``."""

    def __str__(self) -> str:
        """As event texts name them."""
        return self.name

    @property
    def is_token(self) -> bool:
        """Whether it is an API token that asks, and no person."""
        return self.via.startswith("token ")


APPLIANCE = Asker("the appliance", Role.ADMIN, via="appliance")
"""What nobody asked for."""


def require(asker: Asker, role: Role) -> None:
    """Raise Denied ``role-missing`` where the asker's role does not cover ``role``."""
    if not asker.role.covers(role):
        message = f"{asker.name} is {_with_article(asker.role)}, and this takes {_with_article(role)}"
        raise Denied("role-missing", message, "ask somebody with that role to do it, or to give it to you")


def require_person(asker: Asker, act: str) -> None:
    """Raise Denied ``token-insufficient`` where an API token asks: none gives anybody access, itself least of all."""
    if asker.is_token:
        message = f"an API token cannot {act}"
        raise Denied("token-insufficient", message, "log in with name and password, and do it there")


def _with_article(role: Role) -> str:
    return f"{'a' if role is Role.VIEWER else 'an'} {role}"

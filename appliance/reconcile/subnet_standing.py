"""How service on one subnet stands: what is fixed, and whether another DHCP server holds it back. Pure."""

from dataclasses import dataclass

from appliance.netboot.dhcp.outlook import Outlook


@dataclass(frozen=True, slots=True)
class Standing:
    """What a page tells of it besides its rules."""

    fixed: tuple[str, ...] = ()
    """The rules that the configuration file fixes; the others may be switched."""
    looking: bool = False
    """Whether service is held back only until the first look for other servers is over."""
    held_by: tuple[str, ...] = ()
    """Other servers because of which no new addresses are given."""
    looked: float | None = None
    """When it was last looked for other servers; Unix time."""
    forced: bool = False
    """Whether addresses are given although another server answered that look."""
    linked: bool | None = None
    """Whether its interface has a link; None where that cannot be told, as of a bridge of virtual machines."""
    link_trouble: str = ""
    """Why no machine can boot over its interface, and what to do; empty where they can."""


NOTHING_KNOWN = Standing()


def standing(fixed: tuple[str, ...], outlook: Outlook) -> Standing:
    """How it stands now."""
    servers = tuple(str(each) for each in outlook.servers) if outlook.guarded else ()
    held = outlook.held
    return Standing(
        fixed=fixed,
        looking=held and not servers,
        held_by=servers if held else (),
        looked=outlook.looked if outlook.guarded else None,
        forced=bool(servers) and not held and outlook.subnet.other_servers == "ignore",
    )


def unknown_standing(_interface: str) -> Standing:
    """Stands in where no DHCP server runs."""
    return NOTHING_KNOWN

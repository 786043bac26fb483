"""All interfaces of the appliance as a menu, and each of them with what can be done about it. Pure."""

from appliance.networking.edit import replace, without_interface
from appliance.networking.layout import ROLE_WORDS, Interface, Kind
from appliance.networking.plan import addressing
from appliance.privileged.verbs.network import Seen
from appliance.screen.interface_form import Chosen, new
from appliance.screen.interface_words import KIND_WORDS, addresses, cable, made_of
from appliance.screen.network_change import asked
from appliance.screen.orders import Failed, NetworkSeen
from appliance.screen.pages import Confirm, Item, Menu
from appliance.screen.text import cells, padded

TITLE = "Network settings"
_INTRO = (
    "Choose an interface to see all of it, and to change it. A change is tried for a minute: unless it is kept in that "
    "time, the network of before comes back by itself."
)
_MAKES: tuple[tuple[Kind, str], ...] = (
    ("bond", "several cables to one network, for when one fails"),
    ("vlan", "one of several networks on the same cable"),
    ("bridge", "connects interfaces and virtual machines like a switch"),
)
_WIDEST = (15, 24, 12, 23)
"""Cells for name, what it is made of, cable and addresses; roles have the rest of the line."""


def menu(found: NetworkSeen) -> Menu:
    """Everything that there is, and what can be made."""
    items = (
        Item("How the console is reached", "console", found, about="address, gateway, DNS"),
        *_interfaces(found),
        *(Item(f"Make a {KIND_WORDS[kind]}", "make", new(found, kind), about=about) for kind, about in _MAKES),
        Item("NAT for machines of provisioning networks", "nat", found, about="on" if found.layout.nat else "off"),
    )
    return Menu(TITLE, items, (_INTRO,))


def _interfaces(found: NetworkSeen) -> list[Item]:
    """A line for each, in columns as narrow as they can be."""
    known, strange = found.layout.interfaces, _strangers(found)
    rows = [_row(found, each) for each in known]
    rows += [(each.name, each.mac, cable(each), "new", "") for each in strange]
    widths = [
        min(max(map(cells, column)), most) for column, most in zip(zip(*rows, strict=True), _WIDEST, strict=False)
    ]
    lines = ["  ".join([*map(padded, row, widths), row[-1]]) for row in rows]
    refused = "it was put in while the appliance ran, which takes it up at its next start"
    items = [Item(line, "interface", Chosen(found, of)) for line, of in zip(lines, known, strict=False)]
    return items + [Item(line, "interface", refused=refused) for line in lines[len(known) :]]


def _row(found: NetworkSeen, of: Interface) -> tuple[str, ...]:
    now = found.now(of.name)
    return of.name, made_of(of), cable(now), addresses(found.layout, of, now), ", ".join(of.roles)


def _strangers(found: NetworkSeen) -> list[Seen]:
    """NICs that the layout does not have yet."""
    macs = {each.mac for each in found.layout.interfaces}
    return [each for each in found.seen if each.is_nic and each.mac not in macs]


def interface(chosen: Chosen) -> Menu:
    """One of them."""
    of, layout = chosen.interface, chosen.found.layout
    master = layout.master(of.name)
    refused = f"it is in {master.name}, which has the addresses: change that" if master and of.kind == "nic" else ""
    items = [Item("Change it", "change-interface", chosen, refused=refused)]
    if of.kind != "nic":
        items.append(Item(f"Take {of.name} away", "take-away", chosen))
    return Menu(of.name, tuple(items), tuple(_told(chosen)))


def _told(chosen: Chosen) -> list[str]:
    of, layout, now = chosen.interface, chosen.found.layout, chosen.found.now(chosen.interface.name)
    said = [_what(of, now), _cable(cable(now))]
    if master := layout.master(of.name):
        return [*said, f"It is in {master.name}, which has the addresses."]
    have = f"; it has {', '.join(now.addresses)}" if now and now.addresses and of.method == "dhcp" else ""
    said.append(f"Addresses: {addressing(of)}{have}.")
    if carried := [each.name for each in layout.interfaces if each.parent == of.name]:
        said.append(f"It carries {', '.join(carried)}.")
    return [*said, *(f"For {role}: {ROLE_WORDS[role]}." for role in of.roles)]


def _what(of: Interface, now: Seen | None) -> str:
    if of.kind == "nic":
        return f"NIC {of.mac}, driver {now.driver}." if now and now.driver else f"NIC {of.mac}."
    made = made_of(of) + (f", mode {of.mode}" if of.kind == "bond" else "")
    return f"{made[:1].upper()}{made[1:]}."


def _cable(word: str) -> str:
    told = {"cable": "Its cable is connected.", "no cable": "It has no cable.", "not there": "It is not there now."}
    return told.get(word, f"Its cable is connected at {word}.")


def take_away(chosen: Chosen) -> Confirm | Failed:
    """Without a bond, VLAN or bridge."""
    name = chosen.interface.name
    return asked(f"Take {name} away", chosen.found, lambda layout: without_interface(layout, name))


def switch_nat(found: NetworkSeen) -> Confirm | Failed:
    """The other way than it is."""
    on = not found.layout.nat
    return asked(f"Switch NAT {'on' if on else 'off'}", found, lambda layout: replace(layout, nat=on))

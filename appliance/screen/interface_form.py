"""The form of one interface: what it is made of, where its addresses come from, what its network is for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import cast

from appliance.networking.edit import replace, with_interface
from appliance.networking.layout import (
    METHODS,
    MODE_WORDS,
    ROLE_WORDS,
    ROLES,
    BondMode,
    Interface,
    Kind,
    Layout,
    Role,
)
from appliance.screen.interface_words import KIND_WORDS, made_of
from appliance.screen.network_change import asked
from appliance.screen.orders import Failed, NetworkSeen
from appliance.screen.pages import Confirm, Field, Form

BUTTON = "See what it means"
FROM_PORTS = "ports"
"""Method of a new bond or bridge that takes over what its ports have, so that nobody is cut off."""
METHOD_WORDS: Mapping[str, str] = {
    FROM_PORTS: "those of its ports, with what they are for",
    "dhcp": "from DHCP",
    "static": "fixed",
    "none": "none",
}
_ROLE_LABELS: Mapping[Role, str] = {
    "management": "Management",
    "provisioning": "Provisioning",
    "vms": "VMs",
    "storage": "Storage",
}
_TAKES: Mapping[Kind, tuple[Kind, ...]] = {"bond": ("nic",), "bridge": ("nic", "bond", "vlan")}
"""What can be a port of what."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An interface among all that were shown, or one that is to be made."""

    found: NetworkSeen
    interface: Interface

    @property
    def is_new(self) -> bool:
        """Whether it is to be made."""
        return self.found.layout.named(self.interface.name) is None


def new(found: NetworkSeen, kind: Kind) -> Chosen:
    """One that is to be made; a VLAN gets its name from what carries it, unless somebody types another."""
    if kind == "vlan":
        return Chosen(found, Interface("", kind))
    stem = "br" if kind == "bridge" else kind
    names = (f"{stem}{number}" for number in count())
    return Chosen(found, Interface(next(each for each in names if not found.layout.named(each)), kind))


# -- shown


def form(chosen: Chosen) -> Form:
    """Filled in with what is in force."""
    of, layout, is_new = chosen.interface, chosen.found.layout, chosen.is_new
    master = layout.master(of.name)
    takes_over = is_new and of.kind in _TAKES
    fields: tuple[Field, ...] = (Field("name", "Name", of.name),) if is_new else ()
    fields += _made_fields(layout, of)
    if master is None:
        methods = (FROM_PORTS, *METHODS) if takes_over else METHODS
        fields += (*addressing_fields(of, methods), *_role_fields(of, takes_over))
    intro = (f"It is in {master.name}, which has the addresses.",) if master else ()
    title = f"Make a {KIND_WORDS[of.kind]}" if is_new else f"Change {of.name}"
    return Form(title, "interface", fields, (*intro, *_hints(layout, of, is_new)), BUTTON, about=chosen)


def _hints(layout: Layout, of: Interface, is_new: bool) -> tuple[str, ...]:
    if of.kind in _TAKES:
        free = [each.name for each in layout.interfaces if each.kind in _TAKES[of.kind] and _is_free(layout, each, of)]
        return (f"Ports, with spaces between; there are: {', '.join(free) or 'none'}.",)
    if of.kind == "vlan" and is_new:
        return ("Without a name it is called after what carries it and its tag: nic0.20.",)
    return ()


def _is_free(layout: Layout, port: Interface, of: Interface) -> bool:
    master = layout.master(port.name)
    return master is None or master.name == of.name


def _made_fields(layout: Layout, of: Interface) -> tuple[Field, ...]:
    match of.kind:
        case "bond":
            modes = tuple(MODE_WORDS.items())
            return Field("ports", "Ports", " ".join(of.ports)), Field("mode", "Mode", of.mode, modes)
        case "bridge":
            return (Field("ports", "Ports", " ".join(of.ports)),)
        case "vlan":
            fit = [each for each in layout.interfaces if each.kind != "vlan" and layout.master(each.name) is None]
            carriers = tuple((each.name, f"{each.name}, {made_of(each)}") for each in fit) or (("", "nothing"),)
            parent = Field("parent", "Carried by", of.parent or carriers[0][0], carriers)
            return parent, Field("tag", "Tag", str(of.tag or ""))
        case _:
            return ()


def addressing_fields(of: Interface, methods: tuple[str, ...]) -> tuple[Field, ...]:
    """Where its addresses come from: the first of these methods, unless it has another one of them."""
    static = ("method", "static")
    method = of.method if FROM_PORTS not in methods and of.method in methods else methods[0]
    return (
        Field("method", "Address", method, tuple((each, METHOD_WORDS[each]) for each in methods)),
        Field("addresses", "Address/prefix", " ".join(of.addresses), only_for=static),
        Field("gateway", "Gateway", of.gateway, only_for=static),
        Field("dns", "DNS servers", " ".join(of.dns), only_for=static),
    )


def _role_fields(of: Interface, takes_over: bool) -> tuple[Field, ...]:
    only_for = ("method", *METHODS) if takes_over else ()
    return tuple(
        Field(role, _ROLE_LABELS[role], "yes" if role in of.roles else "no",
              (("no", "no"), ("yes", f"yes: {ROLE_WORDS[role]}")), only_for=only_for)
        for role in ROLES
    )  # fmt: skip


# -- read


def read(form: Form) -> Confirm | Failed:
    """What the form asks for, as a question; or what is wrong with it."""
    chosen, values = form.about, form.values()
    assert isinstance(chosen, Chosen)
    wanted = _wanted(chosen, values)
    if isinstance(wanted, Failed):
        return wanted
    if chosen.is_new and chosen.found.layout.named(wanted.name):
        return Failed(f"there is an interface {wanted.name} already", "take another name", "name")
    takes_over = values.get("method") == FROM_PORTS
    title = f"Make {wanted.name}" if chosen.is_new else f"Change {wanted.name}"
    found = asked(title, chosen.found, lambda layout: _with(layout, wanted, takes_over))
    if isinstance(found, Failed) and found.field == "roles":
        return Failed(found.message, found.hint, ROLES[0])
    return found


def _with(layout: Layout, wanted: Interface, takes_over: bool) -> Layout:
    """What is made takes over; once it is there, it is as it is wanted, be that without anything."""
    made = with_interface(layout, wanted)
    return made if takes_over else with_interface(made, wanted)


def _wanted(chosen: Chosen, values: Mapping[str, str]) -> Interface | Failed:
    of = chosen.interface
    if of.kind == "vlan":
        tag = values["tag"].strip()
        if not tag.isdecimal() or not tag.isascii() or len(tag) > 4:
            what = f"{tag} is no tag of a VLAN" if tag else "the tag is missing"
            return Failed(what, "tags are 1 to 4094, as the switch has it", "tag")
        of = replace(of, parent=values["parent"], tag=int(tag))
    if of.kind in _TAKES:
        of = replace(of, ports=words(values["ports"]), mode=cast("BondMode", values.get("mode", of.mode)))
    if chosen.is_new:
        of = replace(of, name=values["name"].strip() or (f"{of.parent}.{of.tag}" if of.kind == "vlan" else ""))
    return replace(addressed(of, values), roles=tuple(each for each in ROLES if _is_for(each, values)))


def _is_for(role: Role, values: Mapping[str, str]) -> bool:
    return values.get("method") != FROM_PORTS and values.get(role) == "yes"


def addressed(of: Interface, values: Mapping[str, str]) -> Interface:
    """The interface with the addresses of a form; one that is a port has no such fields, and no addresses."""
    method = values.get("method", "none")
    if method != "static":
        return replace(of, method="dhcp" if method == "dhcp" else "none", addresses=(), gateway="", dns=())
    return replace(of, method="static", addresses=words(values["addresses"]), gateway=values["gateway"].strip(),
                   dns=words(values["dns"]))  # fmt: skip


def words(text: str) -> tuple[str, ...]:
    """What stands in a line, between spaces or commas."""
    return tuple(text.replace(",", " ").split())

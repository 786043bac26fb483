"""The form for how the console is reached: over which interface, and how that gets its address. Pure.

It is the way back in for whoever knows nothing else of the networks: what the console was reached over before is for
management no more, and the router to everywhere else is that of this interface.
"""

from appliance.networking.edit import with_management
from appliance.networking.layout import Interface
from appliance.screen.interface_form import BUTTON, addressed, addressing_fields
from appliance.screen.interface_words import cable, made_of
from appliance.screen.network_change import asked
from appliance.screen.orders import Failed, NetworkSeen
from appliance.screen.pages import Confirm, Field, Form

TITLE = "How the console is reached"


def form(found: NetworkSeen) -> Form:
    """The form, filled in with what is in force."""
    layout = found.layout
    choices = [each for each in layout.interfaces if layout.master(each.name) is None]
    present = _present(found) or Interface(choices[0].name if choices else "", method="dhcp")
    words = tuple((each.name, _words(found, each)) for each in choices) or (("", "none"),)
    fields = (Field("interface", "Interface", present.name, words), *addressing_fields(present, ("dhcp", "static")))
    intro = ("Over which interface browsers and the API reach the appliance; no other one is for that then.",)
    return Form(TITLE, "network", fields, intro, BUTTON, about=found)


def _present(found: NetworkSeen) -> Interface | None:
    """What the console is reached over; where that are several, the one that has an address, or a cable."""

    def worth(each: Interface) -> tuple[bool, bool]:
        now = found.now(each.name)
        return bool(now and now.addresses), bool(now and now.link)

    return max(found.layout.with_role("management"), key=worth, default=None)


def _words(found: NetworkSeen, of: Interface) -> str:
    now = found.now(of.name)
    link = "cable" if now and now.link else cable(now)
    return ", ".join((of.name, made_of(of), link, *(now.addresses[:1] if now else ())))


def read(form: Form) -> Confirm | Failed:
    """What the form asks for, as a question; or what is wrong with it."""
    found, values = form.about, form.values()
    assert isinstance(found, NetworkSeen)
    if not values["interface"]:
        return Failed("there is no network card", "plug one in, or look at the log", "interface")
    wanted = addressed(Interface(""), values)
    return asked(TITLE, found, lambda layout: with_management(layout, values["interface"], wanted))

"""Another layout of the networks as a question: what it means in words, and the word that has it tried. Pure."""

from collections.abc import Callable
from ipaddress import ip_interface

from appliance.errors import Invalid, NotFound
from appliance.networking.check import check
from appliance.networking.layout import Layout
from appliance.networking.plan import SECONDS, plan
from appliance.networking.served import ended_by
from appliance.screen.orders import Failed, NetworkSeen, TryNetwork
from appliance.screen.pages import Confirm

TRY_WORD = "try"
TRIAL = (
    f"It is tried for {SECONDS} seconds: unless it is kept in that time, the network of before comes back by itself."
)


def asked(title: str, found: NetworkSeen, edit: Callable[[Layout], Layout]) -> Confirm | Failed:
    """What becomes of the layout by ``edit``, to be agreed to; or what is wrong with it, and in which field."""
    before = found.layout
    try:
        after = edit(before)
        check(after)
    except (Invalid, NotFound) as error:
        return Failed(error.message, error.hint, error.field.rpartition(".")[2])
    live = {each.name: each.addresses for each in found.seen}
    meant = plan(before, after, "", live, ended=ended_by(found.served, before, after, live))
    if not meant.lines:
        return Failed("the network is like this already", "change something first")
    lines = (*(f"  {each}" for each in meant.lines), *_reached(before, after), TRIAL)
    order = TryNetwork(before, after, meant.lines, bool(meant.unserved))
    return Confirm(title, lines, order, meant.confirm or TRY_WORD)


def _reached(before: Layout, after: Layout) -> tuple[str, ...]:
    """Where the console is then, if that changes: whoever stands at the screen tells it to those who do not."""
    if before.with_role("management") == after.with_role("management"):
        return ()
    ways = [str(ip_interface(text).ip) for each in after.with_role("management") for text in each.addresses]
    if any(each.method == "dhcp" for each in after.with_role("management")):
        ways.append("an address from DHCP, which this screen shows")
    return (f"The console is then at {' and '.join(ways)}.",)

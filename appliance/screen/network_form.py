"""The form for the management network: which card, and how it gets its address. Pure.

It shows a part of what a layout can be; bonds, VLANs, bridges and further networks stay as they are.
"""

from ipaddress import AddressValueError, IPv4Address, IPv4Interface, NetmaskValueError, ip_address

from appliance.networking.edit import with_management
from appliance.networking.layout import Interface, Layout, Method
from appliance.privileged.verbs.network import NetworkStatus, Seen
from appliance.screen.orders import Failed, NetworkSeen, Nic, Order, Settings, TryNetwork
from appliance.screen.pages import Confirm, Field, Form

_STATIC = ("method", "static")


def look(status: NetworkStatus) -> NetworkSeen:
    """What the form needs of all that is known of the networks."""
    layout = status.layout
    macs = {each.mac: each for each in status.seen if each.is_nic}
    nics = [_nic(each, macs.get(each.mac)) for each in layout.interfaces if each.kind == "nic"]
    return NetworkSeen(tuple(nics), _present(layout, {each.name: each for each in status.seen}))


def _nic(known: Interface, seen: Seen | None) -> Nic:
    return Nic(known.name, known.mac, bool(seen and seen.link), seen.addresses if seen else ())


def _present(layout: Layout, seen: dict[str, Seen]) -> Settings:
    """How the console is reached; where that is over several networks, the one that has an address, or a cable."""

    def worth(each: Interface) -> tuple[bool, bool]:
        found = seen.get(each.name)
        return bool(found and found.addresses), bool(found and found.link)

    found = max(layout.with_role("management"), key=worth, default=None)
    if found is None:
        return Settings("")
    carriers = layout.carriers(found.name)
    method = "static" if found.method == "static" else "dhcp"
    address = found.addresses[0] if found.addresses else ""
    return Settings(carriers[0].name if carriers else "", method, address, found.gateway, " ".join(found.dns))


def changed(layout: Layout, settings: Settings) -> Layout:
    """The layout with these settings for management. Raises NotFound ``interface-unknown``."""
    addresses = (settings.address,) if settings.address else ()
    method: Method = "static" if settings.method == "static" else "dhcp"
    wanted = Interface(
        "", method=method, addresses=addresses, gateway=settings.gateway, dns=tuple(servers(settings.dns))
    )
    return with_management(layout, settings.nic, wanted)


def form(seen: NetworkSeen) -> Form:
    """The form, filled in with what is in force."""
    present = seen.present
    nics = tuple((each.name, _words(each)) for each in seen.nics)
    fields = (
        Field("nic", "Card", present.nic or next((name for name, _ in nics), ""), nics or (("", "none"),)),
        Field("method", "Address", present.method, (("dhcp", "from DHCP"), ("static", "fixed"))),
        Field("address", "Address/prefix", present.address, only_for=_STATIC),
        Field("gateway", "Gateway", present.gateway, only_for=_STATIC),
        Field("dns", "DNS servers", present.dns, only_for=_STATIC),
    )
    intro = (
        "How console and API are reached. The settings are tried for a minute: if nobody keeps them in that time, "
        "those of before come back by themselves.",
    )
    return Form("Network settings", "network", fields, intro, "Try these settings")


def _words(nic: Nic) -> str:
    link = "cable" if nic.has_link else "no cable"
    return ", ".join((nic.name, nic.mac, link, *nic.addresses[:1]))


def read(form: Form) -> Order | Confirm | Failed:
    """What the form asks for, or what is wrong with it."""
    values = form.values()
    if not values["nic"]:
        return Failed("there is no network card", "plug one in, or look at the log", "nic")
    if values["method"] == "dhcp":
        return TryNetwork(Settings(values["nic"]))
    wrong = _wrong_address(values["address"]) or _wrong_gateway(values) or _wrong_dns(values["dns"])
    if wrong:
        return wrong
    dns = " ".join(servers(values["dns"]))
    return TryNetwork(Settings(values["nic"], "static", values["address"].strip(), values["gateway"].strip(), dns))


def servers(text: str) -> list[str]:
    """The addresses in a line, between spaces or commas."""
    return text.replace(",", " ").split()


def _wrong_address(text: str) -> Failed | None:
    hint = "write address and prefix, such as 192.168.1.50/24"
    if "/" not in text:
        return Failed(f"{text.strip() or 'the address'} has no prefix" if text.strip() else "the address is missing",
                      hint, "address")  # fmt: skip
    try:
        address = IPv4Interface(text.strip())
    except (AddressValueError, NetmaskValueError, ValueError):
        return Failed(f"{text.strip()} is not an IPv4 address with a prefix", hint, "address")
    network = address.network
    if network.prefixlen < 31 and address.ip in (network.network_address, network.broadcast_address):
        return Failed(f"{address.ip} is no address of a computer in {network}", hint, "address")
    return None


def _wrong_gateway(values: dict[str, str]) -> Failed | None:
    text = values["gateway"].strip()
    if not text:
        return None
    try:
        gateway = IPv4Address(text)
    except AddressValueError:
        return Failed(f"{text} is not an IPv4 address", "leave it empty where there is no gateway", "gateway")
    address = IPv4Interface(values["address"].strip())
    if gateway not in address.network or gateway == address.ip:
        hint = f"it is an address of another computer in {address.network}"
        return Failed(f"{gateway} cannot be the gateway", hint, "gateway")
    return None


def _wrong_dns(text: str) -> Failed | None:
    for each in servers(text):
        try:
            ip_address(each)
        except ValueError:
            return Failed(f"{each} is not an address", "write addresses with spaces between", "dns")
    return None

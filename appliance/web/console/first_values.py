"""The forms of set-up: what stands in their fields, and what it means. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from appliance.setup.draft import Draft
from appliance.setup.hardware import Found, FoundNic, nic_of
from appliance.setup.value import BY_DHCP, Management, Provisioning, Site, Storage

FIELDS: Mapping[str, tuple[str, ...]] = {
    "site": ("host_name", "domain", "time_zone", "time_servers"),
    "networks": (
        "management_nic", "management_by", "management_address", "management_gateway", "management_dns",
        "provisioning_nic", "provisioning_by", "provisioning_address", "dhcp", "ranges", "gateway", "unknown_machines",
        "nat", "package_proxy", "despite_dhcp",
    ),
    "storage": ("data_disks", "confirm"),
}  # fmt: skip
"""Fields of each step's form. Several values of one, as of ticked boxes, stand with line ends between."""
FIELD_OF: Mapping[str, str] = {
    "management.nic": "management_nic",
    "management.address": "management_address",
    "management.gateway": "management_gateway",
    "management.dns": "management_dns",
    "provisioning.nic": "provisioning_nic",
    "provisioning.address": "provisioning_address",
}
"""Where an error stands whose field is not called as the value is."""
LATER = "later"
DHCP = {
    "authoritative": "authoritative: we give the addresses",
    "proxy": "proxy: another server gives them",
    "reservations": "reservations: reserved addresses only",
    "off": "off: DHCP is silent",
}
UNKNOWN = {
    "enlist": "are enlisted, in maintenance",
    "local-disk": "boot from their own disks",
    "ignore": "are ignored",
}
OURS = ("10.77.0", "10.78.0", "10.99.0", "192.168.177")
"""First three numbers of networks that are proposed where nobody else uses them."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the forms begin with: the computer's own guess."""

    management: Management = field(default_factory=lambda: Management(""))
    provisioning_nic: str = LATER
    network: str = OURS[0]


def propose(found: Found, here: str) -> Proposal:
    """``here`` is the address of ours that the browser came to. A fixed address that somebody gave stays."""
    nics, given = found.nics, found.management
    chosen = next((each for each in nics if given and each.name == given.nic), None)
    reached = next((each for each in nics if here and here in _plain(each)), None)
    addressed = next((each for each in nics if each.addresses), None)
    management = chosen or reached or addressed or next(iter(nics), None)
    others = sorted((each for each in nics if each is not management), key=lambda each: not each.link)
    used = [IPv4Interface(address).network for each in nics for address in each.addresses]
    free = (each for each in OURS if not any(IPv4Network(f"{each}.0/24").overlaps(other) for other in used))
    return Proposal(
        given if given and chosen else Management(management.name if management else ""),
        others[0].name if others else management.name if management else LATER,
        next(free, OURS[0]),
    )


def _plain(nic: FoundNic) -> list[str]:
    return [str(IPv4Interface(each).ip) for each in nic.addresses]


def shown(step: str, draft: Draft, proposal: Proposal) -> dict[str, str]:
    """What stands in the fields: what was typed and refused, or what was accepted, or what is proposed."""
    values = {"site": _site, "networks": _networks, "storage": _storage}[step](draft, proposal)
    return values | {name: draft.typed[step].get(name, "") for name in FIELDS[step] if step in draft.typed}


def _site(draft: Draft, _: Proposal) -> dict[str, str]:
    site = draft.site or Site()
    return {
        "host_name": site.host_name,
        "domain": site.domain,
        "time_zone": site.time_zone,
        "time_servers": ", ".join(site.time_servers),
    }


def _networks(draft: Draft, proposal: Proposal) -> dict[str, str]:
    management = draft.management or proposal.management
    fixed = management.address != BY_DHCP
    values = {
        "management_nic": management.nic,
        "management_by": "fixed" if fixed else BY_DHCP,
        "management_address": management.address if fixed else "",
        "management_gateway": management.gateway,
        "management_dns": ", ".join(management.dns),
        "despite_dhcp": "",
    }
    if draft.management is not None and draft.provisioning is None:
        return values | _provisioning(_proposed(proposal)) | {"provisioning_nic": LATER}
    return values | _provisioning(draft.provisioning or _proposed(proposal))


def _proposed(proposal: Proposal) -> Provisioning:
    if proposal.provisioning_nic == proposal.management.nic:
        return Provisioning(proposal.provisioning_nic, dhcp="proxy")
    ranges = (f"{proposal.network}.50-{proposal.network}.200",)
    return Provisioning(proposal.provisioning_nic, f"{proposal.network}.1/24", ranges=ranges)


def _provisioning(of: Provisioning) -> dict[str, str]:
    return {
        "provisioning_nic": of.nic,
        "provisioning_by": BY_DHCP if of.address == BY_DHCP else "fixed",
        "provisioning_address": "" if of.address == BY_DHCP else of.address,
        "dhcp": of.dhcp,
        "ranges": ", ".join(of.ranges),
        "gateway": of.gateway,
        "unknown_machines": of.unknown_machines,
        "nat": "yes" if of.nat else "",
        "package_proxy": of.package_proxy,
    }


def _storage(draft: Draft, _: Proposal) -> dict[str, str]:
    return {"data_disks": "\n".join((draft.storage or Storage()).data_disks), "confirm": ""}


def site_of(typed: Mapping[str, str]) -> Site:
    """The answer that was typed; it is not checked here."""
    return Site(typed["host_name"], typed["domain"], typed["time_zone"], words(typed["time_servers"]))


def management_of(typed: Mapping[str, str]) -> Management:
    """The same of the management network; what is hidden beside an address from a DHCP server does not count."""
    if typed["management_by"] != "fixed":
        return Management(typed["management_nic"])
    gateway, dns = typed["management_gateway"], words(typed["management_dns"])
    return Management(typed["management_nic"], typed["management_address"], gateway, dns)


def provisioning_of(typed: Mapping[str, str], nics: Sequence[FoundNic]) -> Provisioning | None:
    """The same of the provisioning network, None for later; what is hidden does not count."""
    nic = typed["provisioning_nic"]
    if nic in (LATER, ""):
        return None
    same = nic_of(nics, nic) is nic_of(nics, typed["management_nic"])
    by_dhcp = typed["provisioning_by"] == BY_DHCP
    address = "" if same else BY_DHCP if by_dhcp else typed["provisioning_address"]
    dhcp: Any = typed["dhcp"] if typed["dhcp"] in DHCP else "authoritative"
    unknown: Any = typed["unknown_machines"] if typed["unknown_machines"] in UNKNOWN else "enlist"
    gives = dhcp == "authoritative"
    return Provisioning(
        nic,
        address,
        dhcp,
        words(typed["ranges"]) if gives else (),
        typed["gateway"],
        unknown,
        nat=bool(typed["nat"]) and not same,
        package_proxy=typed["package_proxy"],
    )


def storage_of(typed: Mapping[str, str]) -> Storage:
    """The disks that were ticked."""
    return Storage(tuple(each for each in typed["data_disks"].split("\n") if each))


def words(text: str) -> tuple[str, ...]:
    """Parts of a list that was typed with commas, blanks or lines between."""
    return tuple(text.replace(",", " ").split())

"""Who gives addresses and boot files on this network, and who should not. Pure."""

from collections.abc import Sequence

from appliance.probe.finding import Finding, Status
from appliance.probe.observed import Heard, Offer

CHECK = "dhcp"
IGNORING = 'With unknown_machines = "ignore" it offers boot files to machines of its fleet only, and none to a probe.'


def servers(heard: Heard, appliance: str | None, *, told: bool) -> list[Finding]:
    """One finding for each DHCP server that answered; one when none did."""
    groups = _by_sender(heard.offers)
    if not groups:
        return [_nobody(heard.seconds)]
    findings = [_judged(group, groups, appliance) for group in groups]
    if appliance is None:
        findings.append(_unclear(groups))
    elif told and all(group[0].server != appliance for group in groups):
        findings.append(_absent(appliance))
    return findings


def _by_sender(offers: Sequence[Offer]) -> list[list[Offer]]:
    """Two senders under one server address are two: that is a conflict of addresses."""
    groups: dict[tuple[str, str], list[Offer]] = {}
    for offer in offers:
        groups.setdefault((offer.server, offer.mac), []).append(offer)
    return list(groups.values())


def _judged(group: list[Offer], groups: list[list[Offer]], appliance: str | None) -> Finding:
    server, gives = group[0].server, any(offer.address for offer in group)
    if server == appliance:
        text = f"{_who(group)} is the appliance: it gives {_what(group)}"
        return Finding(CHECK, Status.OK, text, details=_details(group, appliance))
    ours = _of(groups, appliance) if appliance else []
    boots = any(offer.boot_file for offer in group)
    if appliance and (boots or (gives and any(offer.address for offer in ours))):
        return _foreign(group, appliance)
    if gives and any(each is not group and any(offer.address for offer in each) for each in groups):
        return _one_of_several(group, appliance)
    beside = "; the appliance adds boot files as a proxy" if ours else ""
    return Finding(CHECK, Status.OK, f"{_who(group)} gives {_what(group)}{beside}", details=_details(group, appliance))


def _of(groups: list[list[Offer]], server: str) -> list[Offer]:
    return [offer for group in groups if group[0].server == server for offer in group]


def _foreign(group: list[Offer], appliance: str) -> Finding:
    return Finding(
        CHECK,
        Status.FAILED,
        f"foreign DHCP server: {_who(group)} gives {_what(group)}",
        "Machines take the offer that comes first. With that of this server they do not boot from the appliance, or "
        "get an address that the appliance gives to another machine too.",
        f"Find the device with MAC address {group[0].mac} and switch its DHCP server off, or keep it off this network. "
        'If it has to give the addresses here, set mode = "proxy" for this subnet on the appliance, and take the boot '
        "file out of that server's options.",
        _details(group, appliance),
    )


def _one_of_several(group: list[Offer], appliance: str | None) -> Finding:
    return Finding(
        CHECK,
        Status.FAILED,
        f"one of several DHCP servers: {_who(group)} gives {_what(group)}",
        "Several servers that do not know of each other may give one address twice.",
        "Leave one of them on. If they share their leases on purpose, this is all right.",
        _details(group, appliance),
    )


def _nobody(seconds: float) -> Finding:
    return Finding(
        CHECK,
        Status.FAILED,
        f"no DHCP server answered within {seconds:.0f} s",
        "Without an offer no machine boots from the network.",
        "Is this the network of the machines, and the interface that is cabled to it? Is the appliance running, with a "
        "[[subnet]] for this network? Do not probe on the appliance's own interface: it does not hear itself. A "
        "firewall there has to let UDP 67 in; a switch with DHCP snooping has to trust the appliance's port. In "
        'the mode "reservations" it answers nobody else, and no probe.',
    )


def boot_server(appliance: str, answer: Offer | None) -> Finding:
    """Whether a proxy answers on port 4011, where PXE firmware asks it once it has its address."""
    if answer is not None and answer.boot_file:
        text = f"{appliance} names {answer.boot_file} on UDP port 4011, as a proxy has to"
        return Finding(CHECK, Status.OK, text, details={"server": appliance, "boot_file": answer.boot_file})
    return Finding(
        CHECK,
        Status.FAILED,
        f"{appliance} is a proxy and names no boot file on UDP port 4011",
        "Much PXE firmware asks a proxy there for its boot file, and gives up without an answer.",
        "Let UDP 4011 in on the appliance's firewall, and on that of this computer.",
        {"server": appliance},
    )


def _absent(appliance: str) -> Finding:
    return Finding(
        CHECK,
        Status.FAILED,
        f"the appliance {appliance} offered nothing",
        "Machines here get their answers from others only.",
        f"Is the appliance running, with a [[subnet]] for this network that is not off? A relay in between has to "
        f"forward to {appliance}.",
    )


def _unclear(groups: list[list[Offer]]) -> Finding:
    booting = sorted({offer.server for group in groups for offer in group if offer.boot_file})
    match booting:
        case []:
            text = "no server offers a boot file: none of them could be told as the appliance"
        case [one]:
            text = f"{one} offers boot files, and not those of an appliance"
        case _:
            text = "several servers offer boot files: none of them could be told as the appliance"
    return Finding(
        CHECK,
        Status.FAILED,
        text,
        "Machines do not boot from the appliance, or not always.",
        "Is the appliance running, with a [[subnet]] for this network? --server ADDRESS names it where it is one of "
        f"these. {IGNORING}",
    )


def _who(group: list[Offer]) -> str:
    return f"{group[0].server} ({group[0].mac})"


def _what(group: list[Offer]) -> str:
    address = next((offer.address for offer in group if offer.address), "")
    lease = next((offer.lease_seconds for offer in group if offer.lease_seconds), None)
    parts = [f"addresses such as {address}" + (f" for {lease} s" if lease else "")] if address else []
    files = sorted({offer.boot_file for offer in group if offer.boot_file})
    if files:
        parts.append("boot files" if address else "boot files and no addresses, as a proxy")
    return " and ".join(parts) or "nothing that a machine needs"


def _details(group: list[Offer], appliance: str | None) -> dict[str, object]:
    with_address = next((offer for offer in group if offer.address), group[0])
    return {
        "server": group[0].server,
        "mac": group[0].mac,
        "appliance": group[0].server == appliance,
        "proxy": not any(offer.address for offer in group),
        "address": with_address.address,
        "routers": list(with_address.routers),
        "dns": list(with_address.dns),
        "domain": with_address.domain,
        "lease_seconds": with_address.lease_seconds,
        "boot_files": sorted({offer.boot_file for offer in group if offer.boot_file}),
        "seconds": round(min(offer.after for offer in group), 3),
    }

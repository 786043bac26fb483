"""Who holds the server's address, and whether the gateway is there. Pure."""

from collections.abc import Sequence

from appliance.probe.finding import Finding, Status

CHECK = "address"


def holder(server: str, macs: Sequence[str], offered_by: Sequence[str]) -> Finding:
    """Who answers ARP for the server's address; ``offered_by`` are the MAC addresses that its offers came from."""
    details: dict[str, object] = {"address": server, "macs": list(macs), "offered_by": list(offered_by)}
    if not macs:
        return Finding(
            CHECK,
            Status.FAILED,
            f"nobody answers for {server} on this network",
            "Machines cannot reach the appliance under the address that its offers name.",
            "Is this address still the one of the appliance's interface? Is it on another network, behind a router?",
            details,
        )
    everybody = sorted({*macs, *offered_by})
    if len(everybody) == 1:
        return Finding(CHECK, Status.OK, f"{server} is at {macs[0]}, and nowhere else", details=details)
    return Finding(
        CHECK,
        Status.FAILED,
        f"duplicate address: {server} is used by {' and '.join(everybody)}",
        "Machines reach one or the other by chance: boots stop half-way.",
        f"Find the device that is not the appliance by its MAC address, and give it another address than {server}. Two "
        "interfaces of the appliance in one network look the same: take one out.",
        details,
    )


def gateway(address: str, macs: Sequence[str]) -> Finding:
    """Whether a gateway that is offered is there."""
    details: dict[str, object] = {"address": address, "macs": list(macs)}
    if macs:
        return Finding(CHECK, Status.OK, f"the gateway {address} is at {macs[0]}", details=details)
    return Finding(
        CHECK,
        Status.FAILED,
        f"the gateway {address}, which DHCP offers, does not answer",
        "Deployed machines reach nothing beyond their own network, and wait for it.",
        "Correct gateway of this [[subnet]], or leave it out where there is none; else switch the router on.",
        details,
    )


def no_gateway() -> Finding:
    """DHCP offers none, which a network of its own may well do."""
    return Finding(CHECK, Status.SKIPPED, "no gateway is offered", hint="All right on a network without a way out.")

"""Whether large packets get through. Pure."""

from collections.abc import Callable

from appliance.probe.finding import Finding, Status
from appliance.probe.observed import PathMtu

CHECK = "mtu"
LEAST = 576
"""What every IPv4 host takes (RFC 791)."""
ETHERNET = 1500
TFTP_HEADERS = 32
"""IPv4, UDP and TFTP before a block."""


def largest(top: int, passes: Callable[[int], bool]) -> int | None:
    """The largest size from ``LEAST`` to ``top`` that passes; None when not even the smallest does."""
    if passes(top):
        return top
    if not passes(LEAST):
        return None
    low, high = LEAST, top
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def path(seen: PathMtu) -> Finding:
    """The path to the server."""
    details: dict[str, object] = {"server": seen.server, "mtu": seen.largest, "interface_mtu": seen.interface}
    if seen.largest is None:
        return Finding(
            CHECK,
            Status.SKIPPED,
            f"{seen.server} answers no ping, so the path cannot be measured",
            hint="Let ICMP echo through the firewalls in between, then try again.",
            details=details,
        )
    text = f"packets of up to {seen.largest} bytes reach {seen.server}"
    if seen.largest >= min(ETHERNET, seen.interface):
        return _whole(seen, text, details)
    block = seen.largest - TFTP_HEADERS
    told = f"{seen.told_by} says so" if seen.told_by else "larger ones vanish without a word"
    return Finding(
        CHECK,
        Status.FAILED,
        f"{text} only; {told}",
        f"TFTP blocks of more than {block} bytes are lost, and firmware usually asks for 1468. TCP stalls too where "
        "nobody says that a packet is too large.",
        f"Find the tunnel, VLAN or port with an MTU below {seen.interface} on the way; raise it to {ETHERNET} or more.",
        details | {"largest_tftp_block": block, "told_by": seen.told_by},
    )


def _whole(seen: PathMtu, text: str, details: dict[str, object]) -> Finding:
    if seen.interface >= ETHERNET:
        return Finding(CHECK, Status.OK, text, details=details)
    reason = "More was not tried: that is the MTU of this computer's own interface. Machines use 1500."
    hint = f"Set the interface to an MTU of {ETHERNET} and probe again."
    return Finding(CHECK, Status.WARNING, text, reason, hint, details)

"""Whether the switch port lets a machine wait after its link comes up. Pure."""

from appliance.probe.finding import Finding, Status
from appliance.probe.observed import Bounce, Bpdu, Heard

CHECK = "stp"
EDGE_SECONDS = 3.0
"""A port that does not wait passes the first or second DISCOVER; a server may probe the address in between."""
PATIENCE_SECONDS = 12.0
"""Some firmware gives up after that; iPXE and UEFI wait longer."""

_WHY = (
    "After its link comes up such a port drops everything for two forward delays, and firmware's first DISCOVERs with "
    "it: machines say that there is no DHCP server, or boot at the second try only."
)
_PORTFAST = (
    "Make the ports of machines edge ports: portfast (Cisco, Dell), edge-port (Juniper, Arista), admin-edge "
    "(HPE, MikroTik). A Linux bridge has no such ports: switch its STP off, where no cable makes a loop."
)


def spanning_tree(heard: Heard, bounce: Bounce | None) -> list[Finding]:
    """What the switch says, and what was measured if the link was bounced."""
    bpdu = heard.bpdus[-1] if heard.bpdus else None
    said = [_heard(bpdu, bounce)] if bpdu else [] if bounce else [_silence(heard.seconds)]
    return said + ([_measured(bounce, bpdu)] if bounce else [])


def _silence(seconds: float) -> Finding:
    return Finding(
        CHECK,
        Status.OK,
        f"no switch speaks spanning tree on this port ({seconds:.0f} s listened)",
        hint="Switches tell of themselves every 2 s. A port may delay without a word: --bounce-link measures.",
    )


def _heard(bpdu: Bpdu, bounce: Bounce | None) -> Finding:
    name = "rapid spanning tree" if bpdu.rapid else "spanning tree"
    delay = 2 * bpdu.forward_delay
    text = f"switch {bpdu.bridge} speaks {name} on this port, forward delay {bpdu.forward_delay:g} s"
    if bpdu.forwarding is False:
        text += f"; the port is {bpdu.role} and does not forward yet"
        return Finding(CHECK, Status.FAILED, text, _WHY, _PORTFAST, _details(bpdu))
    if bounce is not None:
        return Finding(CHECK, Status.OK, text, details=_details(bpdu))
    return Finding(
        CHECK,
        Status.WARNING,
        f"{text}: unless it is an edge port, machines wait {delay:g} s",
        _WHY,
        f"{_PORTFAST} `qrm probe --bounce-link stp` measures whether this port is one; it drops the link for a moment.",
        _details(bpdu),
    )


def _measured(bounce: Bounce, bpdu: Bpdu | None) -> Finding:
    details: dict[str, object] = {"seconds": round(bounce.waited, 1), "answered": bounce.answered}
    if not bounce.answered:
        text = f"no DHCP answer within {bounce.waited:.0f} s after the link came up"
        hint = "If the check dhcp finds a server, the port takes even longer than that. " + _PORTFAST
        return Finding(CHECK, Status.FAILED, text, _WHY, hint, details)
    text = f"first DHCP answer {bounce.waited:.1f} s after the link came up"
    if bounce.waited <= EDGE_SECONDS:
        return Finding(CHECK, Status.OK, text, details=details)
    delay = f", of which the switch's two forward delays are {2 * bpdu.forward_delay:g} s" if bpdu else ""
    status = Status.FAILED if bounce.waited > PATIENCE_SECONDS else Status.WARNING
    return Finding(CHECK, status, f"{text}{delay}: portfast is likely missing", _WHY, _PORTFAST, details)


def _details(bpdu: Bpdu) -> dict[str, object]:
    return {
        "bridge": bpdu.bridge,
        "root": bpdu.root,
        "version": bpdu.version,
        "forward_delay": bpdu.forward_delay,
        "hello": bpdu.hello,
        "role": bpdu.role,
        "forwarding": bpdu.forwarding,
    }

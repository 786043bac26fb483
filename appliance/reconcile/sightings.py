"""Why a computer that was seen on the network is not here: the likely cause, and what to do about it. Pure."""

from collections.abc import Callable, Sequence

from appliance.netboot.dhcp.subnet import Subnet
from appliance.netboot.firmware import Firmware
from appliance.screencode import MEANINGS, Waits
from appliance.sighting import ROUND_SECONDS, STAGE_TEXTS, Sighting, Stage

Cause = tuple[str, str]
"""What is likely, in a sentence, and what to do."""

PATIENCE = 60.0
"""Seconds after a sign in which a boot may just be going on."""
STACK_PATIENCE = 240.0
"""The same once the maintenance stack was fetched: it has to start."""

_FORGET = "forget this entry, if that is as it should be"
_NETWORK_FIRST = "switch network boot on in its firmware, and put it before the disk in its boot order"
_EDGE_PORT = "a switch port that waits for spanning tree forwards too late: make it an edge port (portfast)"


def likely_cause(sighting: Sighting, subnet: Subnet | None, now: float, held_by: Sequence[str] = ()) -> Cause:
    """Why it came no further; ``subnet`` is that of its interface, None where that is not served any more.

    ``held_by`` are other DHCP servers because of which no new addresses are given there.
    """
    if subnet is not None and sighting.served is False and held_by:
        return _held(subnet, held_by)
    for look in (_of_subnet, _of_rules, _of_policy, _of_trouble, _of_other_server):
        if (cause := look(sighting, subnet)) is not None:
            return cause
    assert subnet is not None, "the first look answers where there is none"
    patience = STACK_PATIENCE if sighting.stage >= Stage.STACK else PATIENCE
    if 0 <= now - sighting.last < patience:
        return f"it {STAGE_TEXTS[sighting.stage]} {now - sighting.last:.0f} seconds ago", "wait: it may be booting"
    return _BY_STAGE[sighting.stage](sighting, subnet)


def _of_subnet(sighting: Sighting, subnet: Subnet | None) -> Cause | None:
    where = sighting.interface or "the interface that it was heard on"
    if subnet is None:
        return f"nothing is served on {where} any more", "add a [[subnet]] for it to the configuration file"
    if subnet.mode == "off":
        return f'nothing is served on {where}: its mode is "off"', f"choose another mode: {_network_page(subnet)}"
    return None


def _held(subnet: Subnet, others: Sequence[str]) -> Cause:
    text = f"no new addresses are given on {subnet.interface} while another DHCP server, {', '.join(others)}, answers"
    return text, f"switch that server off; or keep it, and switch {subnet.interface} to proxy: {_network_page(subnet)}"


def _network_page(subnet: Subnet) -> str:
    return f"qrm network set {subnet.interface}, or the network page"


def _boots(sighting: Sighting) -> bool:
    """Whether its last signs are those of a boot; a system that starts after it does not hide it."""
    if sighting.firmware not in ("", Firmware.NONE):
        return True
    return sighting.boots_at > 0 and sighting.last - sighting.boots_at <= ROUND_SECONDS


def _of_rules(sighting: Sighting, subnet: Subnet | None) -> Cause | None:
    """What the subnet serves to nobody like it."""
    assert subnet is not None
    if sighting.served is False and subnet.mode == "reservations":
        text = f"only reserved addresses are served on {subnet.interface}, and none is reserved for it"
        return text, f"reserve one: qrm network reservations add {sighting.mac} ADDRESS"
    if _boots(sighting):
        return None
    if sighting.served is False and subnet.mode == "proxy":
        return "it does not network-boot: another server gives it its address", _NETWORK_FIRST
    if sighting.served is False:
        text = f"it does not network-boot, and serve_non_pxe is off on {subnet.interface}"
        return text, f"{_NETWORK_FIRST}; or switch serve_non_pxe on, if it only needs an address"
    if sighting.boots_at == 0:
        return "it does not network-boot: the system on it asked for an address", f"{_NETWORK_FIRST}; or {_FORGET}"
    return "it network-booted earlier, and its own system runs now", f"{_NETWORK_FIRST}, and restart it"


def _of_policy(sighting: Sighting, subnet: Subnet | None) -> Cause | None:
    assert subnet is not None
    hint = f'switch unknown_machines to "enlist" for {subnet.interface}: {_network_page(subnet)}'
    sent_on = sighting.script == "next" and sighting.stage >= Stage.SCRIPT
    if subnet.unknown_machines == "ignore" and (sighting.stage < Stage.SCRIPT or sent_on):
        return f'unknown machines are ignored on {subnet.interface} (unknown_machines = "ignore")', hint
    if subnet.unknown_machines == "local-disk" and sent_on:
        text = f'unknown machines boot their own disk on {subnet.interface} (unknown_machines = "local-disk")'
        return text, hint
    return None


def _of_trouble(sighting: Sighting, subnet: Subnet | None) -> Cause | None:
    """What went wrong, unless the machine came further since."""
    assert subnet is not None
    if not sighting.trouble or sighting.trouble_at < sighting.stage_at:
        return None
    match sighting.trouble:
        case "exhausted":
            hint = "widen its ranges in the configuration file, or forget leases that nobody needs any more"
            return f"no address was left on {subnet.interface}", hint
        case "port-full":
            hint = "look for what floods it there, or raise leases_per_port in the configuration file"
            return f"port {sighting.reason} of a relay has as many addresses as it may", hint
        case "crowded":
            return "too many new machines came at once", "wait: it asks again by itself, and is enlisted in its turn"
        case _:
            reason = f": {sighting.reason}" if sighting.reason else ""
            return f"{sighting.file or 'its boot program'} could not be fetched by TFTP{reason}", _open(
                subnet, tftp=True
            )


def _of_other_server(sighting: Sighting, subnet: Subnet | None) -> Cause | None:
    assert subnet is not None
    early = sighting.stage < Stage.LEASED
    # iPXE asks anew, and takes what comes first; a system that starts after it is another matter.
    in_ipxe = sighting.stage is Stage.IPXE and sighting.firmware != Firmware.NONE
    chose = sighting.other_server and sighting.other_at >= sighting.stage_at
    if not chose or not (early or in_ipxe) or subnet.mode == "proxy":
        return None
    text = f"another DHCP server answered first: it took the address that {sighting.other_server} offered"
    return text, f"switch that server off on this network; or keep it, and switch {subnet.interface} to proxy"


def _open(subnet: Subnet, *, tftp: bool) -> str:
    port = "UDP port 69 (TFTP) and the ports above 1023" if tftp else f"TCP port {subnet.boot_port} (HTTP)"
    return (
        f"let {port} of {subnet.address.ip} through every firewall between, and see to it that no proxy is in the way"
    )


def _without_program(sighting: Sighting) -> Cause | None:
    """Where we have nothing for its kind of firmware."""
    if sighting.firmware not in (Firmware.UNKNOWN, Firmware.UEFI_IA32):
        return None
    kind = "" if sighting.architecture is None else f" (architecture {sighting.architecture:#x})"
    return f"there is no boot program for its kind of firmware{kind}", "boot it in BIOS or 64-bit UEFI mode"


def _asked(sighting: Sighting, subnet: Subnet) -> Cause:
    text = "it asked for an address, and no offer was made to it"
    return _without_program(sighting) or (text, f"look for trouble with {subnet.interface} among the events")


def _offered(sighting: Sighting, subnet: Subnet) -> Cause:
    if subnet.mode == "proxy":
        return _leased(sighting, subnet)
    text = f"it was offered {sighting.address or 'an address'} and never took it"
    reach = f"see to it that replies reach it: VLAN, relay, firewalls (UDP ports 67 and 68); {_EDGE_PORT}"
    return text, f"another DHCP server may have answered first; {reach}"


def _leased(sighting: Sighting, subnet: Subnet) -> Cause:
    if sighting.boots_at == 0:  # no firmware was heard: it fetched nothing because it does not boot
        return "it does not network-boot: the system on it asked for an address", f"{_NETWORK_FIRST}; or {_FORGET}"
    by_http = sighting.firmware.startswith("http")
    text = f"it was told what to boot, and never asked for it by {'HTTP' if by_http else 'TFTP'}"
    return _without_program(sighting) or (text, _open(subnet, tftp=not by_http))


def _program(sighting: Sighting, subnet: Subnet) -> Cause:
    text = f"it fetched {sighting.file or 'its boot program'}, and iPXE was not heard of after that"
    driver = "or iPXE has no driver for this network card"
    if sighting.firmware in (Firmware.BIOS, Firmware.NONE, ""):
        return text, f"{_EDGE_PORT}; {driver}"
    signed = "Secure Boot may have refused it: restart it, it is sent one that is signed when it asks again"
    return text, f"{signed}; {_EDGE_PORT}; {driver}"


def _ipxe(sighting: Sighting, subnet: Subnet) -> Cause:
    text = "iPXE runs on it, and never fetched its boot script"
    return text, f"{_open(subnet, tftp=False)}; {_EDGE_PORT}"


def _script(sighting: Sighting, subnet: Subnet) -> Cause:
    if sighting.script == "none":
        meaning = MEANINGS[Waits.ARCHITECTURE]
        return meaning.text, meaning.todo
    if sighting.script != "stack":
        return "its boot script sent it on to its own disk", f"restart it; {_NETWORK_FIRST}"
    text = "it fetched its boot script, and not the maintenance stack"
    return text, f"look at its screen, which shows the error of iPXE; {_open(subnet, tftp=False)}"


def _stack(sighting: Sighting, subnet: Subnet) -> Cause:
    text = "it fetched the maintenance stack, and the agent in it was not heard of"
    hint = "look at its screen; it may have too little memory, or a network card for which the stack has no driver"
    return text, hint


def _agent(sighting: Sighting, subnet: Subnet) -> Cause:
    return "its agent arrived, and never sent the inventory", "look at its screen and at its timeline; restart it"


_BY_STAGE: dict[Stage, Callable[[Sighting, Subnet], Cause]] = {
    Stage.ASKED: _asked,
    Stage.OFFERED: _offered,
    Stage.LEASED: _leased,
    Stage.PROGRAM: _program,
    Stage.IPXE: _ipxe,
    Stage.SCRIPT: _script,
    Stage.STACK: _stack,
    Stage.AGENT: _agent,
}

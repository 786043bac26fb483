"""Power switches in words: the kinds, what each field of them is for, and the acts. Pure."""

from dataclasses import dataclass

from appliance.power_known import Switch
from appliance.power_order import PowerAction
from appliance.power_switch import PowerKind, PowerState


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of switch is offered."""

    word: str
    says: str
    """Which machines have it, and what it can do."""


KINDS: dict[str, Kind] = {
    PowerKind.REDFISH: Kind(
        "Redfish",
        "Servers of the last ten years, over HTTPS: iDRAC, iLO, XClarity, OpenBMC and others. It can do everything; "
        "take it where the controller has it.",
    ),
    PowerKind.IPMI: Kind(
        "IPMI 2.0", "Servers with a controller (BMC) that has no Redfish, over UDP port 623. It can do everything."
    ),
    PowerKind.WAKE_ON_LAN: Kind(
        "Wake-on-LAN",
        "Desktops and small servers without a controller. It can switch on only, and nobody sees whether it did.",
    ),
    PowerKind.LIBVIRT: Kind(
        "VM of a libvirt host", "A virtual machine on this computer or another, run by libvirt. It can do everything."
    ),
    PowerKind.MANUAL: Kind("By hand", "Somebody presses its power button. The console says when that is needed."),
}

NOTES: dict[str, dict[str, str]] = {
    PowerKind.REDFISH: {
        "address": "Address or host name of the controller, not of the machine itself.",
        "user": "A user of the controller that may switch the machine; give the appliance one of its own.",
        "secret": "Stored encrypted, and never shown again.",
        "port": "Empty: 443.",
        "system": "Its Id, such as 1 or System.Embedded.1. Needed only where the controller looks after several.",
        "fingerprint": "SHA-256 of the controller's certificate, as its own web pages or a browser show it. "
        "Controllers sign theirs themselves, as a rule: empty only where a known authority has signed it.",
    },
    PowerKind.IPMI: {
        "address": "Address or host name of the controller, not of the machine itself.",
        "user": "16 characters at most. Empty: the controller's user without a name.",
        "secret": "20 characters at most. Stored encrypted, and never shown again.",
        "port": "Empty: 623.",
        "cipher_suite": "How the connection is protected. The best that both sides know will do, but for old firmware.",
        "privilege": "What the user may do on the controller. Operator is enough to switch a machine.",
    },
    PowerKind.WAKE_ON_LAN: {
        "address": "Only where the machine is behind a router: the broadcast address of its subnet. Its MAC addresses "
        "are known, and magic packets go out on every network that it may be on.",
        "port": "Empty: 9.",
        "secret": "Only where its network card asks for one: six bytes, as 00:11:22:33:44:55. Stored encrypted.",
    },
    PowerKind.LIBVIRT: {
        "address": "qemu:///system for this computer, qemu+ssh://user@host/system for another.",
        "system": "The VM's name or UUID, as libvirt has it.",
    },
    PowerKind.MANUAL: {},
}
"""What stands below each field."""


@dataclass(frozen=True, slots=True)
class Act:
    """How an action is offered."""

    word: str
    icon: str
    says: str
    at_once: bool = False
    """Whether its button does it without asking: nothing can be lost by it."""


ACTS: dict[str, Act] = {
    PowerAction.ON: Act("Switch on", "power", "A machine that is on stays as it is.", at_once=True),
    PowerAction.OFF: Act("Switch off", "power-off", "At once, without shutting down what runs."),
    PowerAction.CYCLE: Act("Off and on", "refresh-cw", "Off at once, and on again as soon as it is seen to be off."),
    PowerAction.NETWORK_ONCE: Act(
        "Restart from network", "network", "The same, and this one start is from the network, whatever firmware tries."
    ),
    PowerAction.TEST: Act(
        "Test", "plug", "Ask the switch whether the machine is on. Nothing is changed.", at_once=True
    ),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """Power beside the state of a machine."""

    word: str
    icon: str
    tone: str
    meaning: str


def chip(switch: Switch | None) -> Chip | None:
    """What lists and headers show; None for a machine that is switched by hand."""
    if switch is None or switch.settings.kind in (PowerKind.MANUAL, PowerKind.WAKE_ON_LAN):
        return None
    seen = switch.seen
    if seen.state is PowerState.ON:
        return Chip("on", "power", "good", "It has power, says its switch")
    if seen.state is PowerState.OFF:
        return Chip("off", "power-off", "quiet", "It has no power, says its switch")
    if seen.trouble:
        return Chip("unknown", "power", "warn", f"Its power switch cannot be asked: {seen.trouble}")
    return Chip("unknown", "power", "quiet", "Its power switch has not been asked yet")

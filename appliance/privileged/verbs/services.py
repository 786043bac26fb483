"""The units of the appliance: how each is, and a restart of those that may be restarted. Pure."""

from typing import ClassVar

import msgspec

from appliance.privileged.verb import Done, Verb

DAEMON = "appliance.service"
UNITS = {
    DAEMON: "netboot services and console",
    "appliance-helper.service": "privileged helper, started when it is needed",
    "appliance-screen@tty1.service": "text console",
    "appliance-firewall.service": "firewall",
    "systemd-networkd.service": "network",
    "systemd-resolved.service": "name resolution",
    "chrony.service": "clock",
    "ssh.service": "SSH log-in",
    "libvirtd.service": "virtual machines",
    "rauc.service": "updates",
}
"""The units that are told about, with what each is in words."""
RESTARTABLE = (DAEMON, "chrony.service", "libvirtd.service")


class UnitState(msgspec.Struct, frozen=True):
    """One unit, as systemd says it (systemctl(1), ``show``)."""

    unit: str
    about: str
    """What it is, in words."""
    loaded: bool
    """False: this computer does not have it."""
    active: str
    """``active``, ``inactive``, ``failed``, ``activating``, ..."""
    sub: str
    """The same in more detail: ``running``, ``exited``, ``dead``, ..."""
    result: str
    """``success``, or why it failed: ``exit-code``, ``signal``, ``watchdog``, ..."""
    since: str
    """When it came into this state, as systemd writes it; empty where it never did."""
    restarts: int
    """How often systemd has started it again by itself."""


class States(Verb[list[UnitState]], frozen=True):
    """How each of our units is."""

    name: ClassVar[str] = "services.states"


class Restart(Verb[Done], frozen=True):
    """Restart one of ``RESTARTABLE``; answered once systemd has taken it, not when it has happened."""

    name: ClassVar[str] = "services.restart"

    unit: str

"""What set-up decides, as one value: from the browser's five steps, from ``qrm setup``, or from a seed file. Pure."""

from dataclasses import dataclass, field
from typing import Literal

BY_DHCP = "dhcp"
"""In the place of an address: another server gives it."""
DhcpMode = Literal["authoritative", "proxy", "reservations", "off"]
UnknownMachines = Literal["enlist", "local-disk", "ignore"]


@dataclass(frozen=True, slots=True)
class Account:
    """``[account]``: the first administrator."""

    name: str = "admin"
    password_hash: str = ""
    """As ``qrm seed hash`` prints it (argon2id); a password itself stands nowhere. Empty: the account is made by the
    one-time set-up link on the appliance's screen.
    """
    ssh_keys: tuple[str, ...] = ()
    """Public keys that may log in to the appliance itself by SSH, as root; none: SSH stays off."""


@dataclass(frozen=True, slots=True)
class Site:
    """``[site]``: what the appliance is called, and what time it is there."""

    host_name: str = "appliance"
    """One label."""
    domain: str = "lab.test"
    """DNS domain of the appliance, its machines and deployments."""
    time_zone: str = "UTC"
    """Of the tz database: ``Europe/Vienna``."""
    time_servers: tuple[str, ...] = ()
    """Names or addresses of NTP servers; Debian's pool where there are none."""


@dataclass(frozen=True, slots=True)
class Management:
    """``[management]``: where people and programs reach the console."""

    nic: str
    """The MAC address of the interface, or its name."""
    address: str = BY_DHCP
    """``dhcp``, or address and prefix: ``192.0.2.10/24``."""
    gateway: str = ""
    """Beside a fixed address; empty: no way out."""
    dns: tuple[str, ...] = ()
    """Name servers beside a fixed address."""


@dataclass(frozen=True, slots=True)
class Provisioning:
    """``[provisioning]``: where machines network-boot."""

    nic: str
    """The MAC address of the interface, or its name; that of ``[management]`` where one network is both."""
    address: str = ""
    """As that of ``[management]``; empty where one network is both."""
    dhcp: DhcpMode = "authoritative"
    ranges: tuple[str, ...] = ()
    """``FIRST-LAST``: addresses to give."""
    gateway: str = ""
    """Of the machines; the appliance itself where ``nat`` is on."""
    unknown_machines: UnknownMachines = "enlist"
    nat: bool = False
    """Whether machines there get out through the management network, under the appliance's address."""
    package_proxy: str = ""
    """HTTP proxy by which systems that are deployed there get their packages: ``http://192.0.2.3:3128``."""


@dataclass(frozen=True, slots=True)
class Storage:
    """``[storage]``: what images, volumes and VMs are to be kept on."""

    data_disks: tuple[str, ...] = ()
    """Serial numbers or WWNs of whole disks whose content may go; none: the data partition of the appliance's own."""


@dataclass(frozen=True, slots=True)
class SetUp:
    """All of it."""

    management: Management
    account: Account = field(default_factory=Account)
    site: Site = field(default_factory=Site)
    provisioning: Provisioning | None = None
    """None: nothing is served until somebody says where."""
    storage: Storage = field(default_factory=Storage)

    @property
    def one_network(self) -> bool:
        """Whether machines boot on the network that people come over."""
        return self.provisioning is not None and self.provisioning.nic == self.management.nic

    @property
    def provisioning_address(self) -> str:
        """The appliance's own address on the provisioning network, as an address with its prefix or ``dhcp``; empty
        without such a network.
        """
        if self.provisioning is None:
            return ""
        return self.management.address if self.one_network else self.provisioning.address


SECTIONS = {
    "account": Account,
    "site": Site,
    "management": Management,
    "provisioning": Provisioning,
    "storage": Storage,
}
"""The sections of a seed file."""

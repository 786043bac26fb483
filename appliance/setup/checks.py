"""What cannot be in a set-up, as far as it tells by itself: said with section, key, and what would be right. Pure."""

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv4Interface

from appliance.config_subnets import is_package_proxy, parse_range
from appliance.errors import ApplianceError, Invalid
from appliance.machine import check_name, parse_mac
from appliance.setup.value import BY_DHCP, Account, Management, Provisioning, SetUp, Site, Storage

Complain = Callable[[str, str | None, str, str], ApplianceError]
"""(section, key, what is wrong, what is right) -> the error, as the place that it came from words it."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]+")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,2}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_ARGON2 = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}"
)
_DISK = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?")
LEAST_MEMORY, MOST_MEMORY, MOST_TIME = 8, 1 << 20, 50
"""KiB, and passes: less is no hash worth the name, more would make each log-in a burden."""


def form_complaint(section: str, key: str | None, wrong: str, right: str) -> Invalid:
    """As the browser and the API hear it: the field is ``section.key``."""
    field = f"{section}.{key}" if key else section
    return Invalid("setup-invalid", wrong, right, field)


def check(set_up: SetUp, complain: Complain) -> None:
    """Raise what ``complain`` makes of the first thing that cannot be."""
    check_account(set_up.account, complain)
    check_site(set_up.site, complain)
    check_networks(set_up, complain)
    check_storage(set_up.storage, complain)


def check_account(account: Account, complain: Complain) -> None:
    """The first administrator's name, a hash that log-ins can be checked with, and keys that sshd takes."""
    try:
        check_name(account.name)
    except Invalid as error:
        raise complain("account", "name", error.message, error.hint) from error
    if account.password_hash:
        _check_hash(account.password_hash, complain)
    from appliance.authorized_keys import parse_all

    try:
        parse_all(account.ssh_keys, "ssh_keys")
    except Invalid as error:
        raise complain("account", "ssh_keys", error.message, error.hint) from error


def _check_hash(stored: str, complain: Complain) -> None:
    found = _ARGON2.fullmatch(stored)
    right = "make one with: qrm seed hash"
    if found is None:
        raise complain("account", "password_hash", "is no argon2id hash; a password itself must not stand here", right)
    memory, passes = int(found[1]), int(found[2])
    if not LEAST_MEMORY <= memory <= MOST_MEMORY or not 1 <= passes <= MOST_TIME:
        raise complain("account", "password_hash", f"takes {memory} KiB and {passes} passes, which cannot be", right)


def check_site(site: Site, complain: Complain) -> None:
    """Names, the time zone, the time servers."""
    if not _LABEL.fullmatch(site.host_name):
        right = "use a to z, 0 to 9 and -, without a dot: appliance"
        raise complain("site", "host_name", f"{site.host_name[:80]!r} is no host name", right)
    if len(site.domain) > 200 or not all(_LABEL.fullmatch(each) for each in site.domain.split(".")):
        raise complain("site", "domain", f"{site.domain[:80]!r} is no DNS domain", "write it as lab.test")
    if not _ZONE.fullmatch(site.time_zone):
        raise complain("site", "time_zone", f"{site.time_zone[:80]!r} is no time zone", "write it as Europe/Vienna")
    for server in site.time_servers:
        if not _HOST.fullmatch(server):
            right = "write a name or an address: ntp.example.com"
            raise complain("site", "time_servers", f"{server[:80]!r} is no time server", right)
    if len(site.time_servers) > 8:
        raise complain("site", "time_servers", f"are {len(site.time_servers)}", "name at most eight")


def check_networks(set_up: SetUp, complain: Complain) -> None:
    """Both networks, and what one means for the other."""
    _check_management(set_up.management, complain)
    if set_up.provisioning is None:
        return
    _check_provisioning(set_up, set_up.provisioning, complain)
    _check_dhcp(set_up, set_up.provisioning, complain)


def _check_management(management: Management, complain: Complain) -> None:
    _check_nic("management", management.nic, complain)
    address = _address("management", management.address, complain)
    if address is None:
        if management.gateway or management.dns:
            key = "gateway" if management.gateway else "dns"
            raise complain("management", key, "comes from the DHCP server, as the address does", "leave it out")
        return
    if management.gateway:
        gateway = _plain_address("management", "gateway", management.gateway, complain)
        if gateway not in address.network or gateway == address.ip:
            right = f"write another address in {address.network}, or leave it out"
            raise complain("management", "gateway", f"{gateway} is no neighbour of {address}", right)
    for each in management.dns:
        _plain_address("management", "dns", each, complain)


def _check_nic(section: str, nic: str, complain: Complain) -> None:
    if ":" in nic:
        try:
            parse_mac(nic)
        except Invalid as error:
            raise complain(section, "nic", error.message, error.hint) from error
    elif not _INTERFACE.fullmatch(nic):
        right = "name one by its MAC address, as it stands on the card, or by its name: nic0"
        raise complain(section, "nic", f"{nic[:80]!r} is no network interface", right)


def _address(section: str, text: str, complain: Complain) -> IPv4Interface | None:
    """The address; None where another server gives it."""
    if text == BY_DHCP:
        return None
    right = "write dhcp, or an address with its prefix: 192.0.2.10/24"
    try:
        address = IPv4Interface(text)
    except ValueError as error:
        raise complain(section, "address", f"{text[:80]!r} is no address", right) from error
    if "/" not in text or not 8 <= address.network.prefixlen <= 30:
        raise complain(section, "address", f"{text} has no prefix that can be used", right)
    outside = address.ip in (address.network.network_address, address.network.broadcast_address)
    if outside or address.ip.is_loopback or address.ip.is_multicast or address.ip.is_unspecified:
        raise complain(section, "address", f"{address.ip} is no address of a computer in {address.network}", right)
    return address


def _plain_address(section: str, key: str, text: str, complain: Complain) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        raise complain(section, key, f"{text[:80]!r} is not an IPv4 address", "write it as 192.0.2.1") from error


def _check_provisioning(set_up: SetUp, provisioning: Provisioning, complain: Complain) -> None:
    _check_nic("provisioning", provisioning.nic, complain)
    if set_up.one_network:
        if provisioning.address:
            right = "leave it out: it is the one under [management]"
            raise complain("provisioning", "address", "stands beside the same interface's under [management]", right)
        if provisioning.nat:
            right = "leave it out: these machines are on the network that they would get out to"
            raise complain("provisioning", "nat", "is for two networks", right)
    else:
        _check_apart(set_up, provisioning, complain)
    if provisioning.package_proxy:
        _check_proxy(provisioning.package_proxy, complain)


def _check_apart(set_up: SetUp, provisioning: Provisioning, complain: Complain) -> None:
    if not provisioning.address:
        right = "write dhcp, or an address with its prefix: 10.77.0.1/24"
        raise complain("provisioning", "address", "is missing", right)
    address = _address("provisioning", provisioning.address, complain)
    other = _address("management", set_up.management.address, complain)
    if address and other and address.network.overlaps(other.network):
        right = "choose another network, or the same interface for both"
        wrong = f"{address.network} overlaps {other.network} of the management network"
        raise complain("provisioning", "address", wrong, right)


def _check_proxy(text: str, complain: Complain) -> None:
    if not is_package_proxy(text):
        right = "write host and port, and no more: http://192.0.2.3:3128"
        raise complain("provisioning", "package_proxy", f"{text[:80]!r} is no HTTP proxy", right)


def _check_dhcp(set_up: SetUp, provisioning: Provisioning, complain: Complain) -> None:
    given = set_up.provisioning_address
    address = _address("provisioning", given, complain)
    if address is None and provisioning.dhcp != "proxy" and provisioning.dhcp != "off":
        wrong = f"cannot be {provisioning.dhcp} where our own address comes from another DHCP server"
        right = "choose proxy, which leaves the addresses to that server, or give the appliance a fixed address"
        raise complain("provisioning", "dhcp", wrong, right)
    if provisioning.dhcp == "authoritative" and not provisioning.ranges:
        right = f"write a range in {address.network if address else 'its network'}: FIRST-LAST"
        raise complain("provisioning", "ranges", "are missing: there would be no address to give", right)
    _check_ranges(provisioning, address, complain)
    if provisioning.gateway:
        gateway = _plain_address("provisioning", "gateway", provisioning.gateway, complain)
        if address is not None and gateway not in address.network:
            right = f"write an address in {address.network}, or leave it out"
            raise complain("provisioning", "gateway", f"{gateway} is outside {address.network}", right)


def _check_ranges(provisioning: Provisioning, address: IPv4Interface | None, complain: Complain) -> None:
    spans: list[tuple[IPv4Address, IPv4Address]] = []
    for text in provisioning.ranges:
        try:
            first, last = parse_range(text)
        except ValueError as error:
            raise complain("provisioning", "ranges", str(error), "write FIRST-LAST: 10.77.0.50-10.77.0.200") from error
        if address is not None and not (first in address.network and last in address.network):
            right = f"choose a range in it: the appliance has {address}"
            raise complain("provisioning", "ranges", f"{text} is outside {address.network}", right)
        if any(first <= high and low <= last for low, high in spans):
            raise complain("provisioning", "ranges", f"{text} overlaps another range", "keep them apart")
        spans.append((first, last))


def check_storage(storage: Storage, complain: Complain) -> None:
    """That disks are named by something that disks are named by, each once."""
    for disk in storage.data_disks:
        if not _DISK.fullmatch(disk) or disk.startswith("/"):
            right = "name a disk by its serial number or WWN: names such as /dev/sda change from start to start"
            raise complain("storage", "data_disks", f"{disk[:80]!r} names no disk for sure", right)
    if len(set(storage.data_disks)) != len(storage.data_disks):
        raise complain("storage", "data_disks", "name a disk twice", "name each once")

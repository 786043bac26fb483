"""A set-up in words, for people who look before they agree. Pure."""

from appliance.setup.value import BY_DHCP, SetUp


def summary(set_up: SetUp) -> str:
    """In one line, for the event log."""
    served = "no network is served yet"
    if set_up.provisioning is not None:
        served = f"{set_up.provisioning.nic} is served, mode {set_up.provisioning.dhcp}"
    return f"{set_up.site.host_name}.{set_up.site.domain}, reached over {set_up.management.nic}; {served}"


def lines(set_up: SetUp) -> list[tuple[str, str]]:
    """What and how, a pair for each part."""
    account = f"{set_up.account.name}, by the link on the appliance's screen"
    if set_up.account.password_hash:
        account = f"{set_up.account.name}, with the password behind the hash"
    return [
        ("administrator", account),
        ("SSH", _ssh(set_up)),
        ("name", f"{set_up.site.host_name}.{set_up.site.domain}"),
        ("time zone", set_up.site.time_zone),
        ("time servers", ", ".join(set_up.site.time_servers) or "Debian's public servers"),
        ("management", _management(set_up)),
        ("provisioning", _provisioning(set_up)),
        ("data group", ", ".join(set_up.storage.data_disks) or "what the appliance's own disk has left"),
    ]


def _ssh(set_up: SetUp) -> str:
    from appliance.authorized_keys import parse_all

    keys = parse_all(set_up.account.ssh_keys, "ssh_keys")
    return f"as root: {', '.join(key.comment or key.fingerprint for key in keys)}" if keys else "off"


def _management(set_up: SetUp) -> str:
    management = set_up.management
    if management.address == BY_DHCP:
        return f"{management.nic}, address by DHCP"
    ways = [f"gateway {management.gateway}"] if management.gateway else []
    ways += [f"DNS {', '.join(management.dns)}"] if management.dns else []
    return ", ".join([management.nic, management.address, *ways])


def _provisioning(set_up: SetUp) -> str:
    served = set_up.provisioning
    if served is None:
        return "chosen later"
    address = "the same network" if set_up.one_network else served.address
    words = [served.nic, "address by DHCP" if address == BY_DHCP else address, f"DHCP {served.dhcp}", *served.ranges]
    return ", ".join([*words, *(["NAT"] if served.nat else [])])

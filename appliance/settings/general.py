"""Names, clock and DNS of a flashed appliance: read, checked, and changed."""

from dataclasses import asdict, dataclass
from ipaddress import AddressValueError, IPv4Address

from appliance.privileged.verb import Done, Verb
from appliance.privileged.verbs.configuration import HostName, TimeServers, TimeZone
from appliance.settings.present import Change, Present, check_file, complaint, spoken
from appliance.setup.checks import check_site
from appliance.setup.hardware import check_zone
from appliance.setup.value import Site
from appliance.toml_edit import Edit, Put, edited

MOST_FORWARDERS = 8


@dataclass(frozen=True, slots=True)
class General:
    """What it is called, what time it is there, and whom it asks."""

    host_name: str
    domain: str
    time_zone: str
    time_servers: tuple[str, ...] = ()
    """None: those that the image comes with."""
    forwarders: tuple[str, ...] = ()
    """Name servers for all names that are not ours."""


WORDS = {
    "host_name": "Host name",
    "domain": "Domain",
    "time_zone": "Time zone",
    "time_servers": "Time servers",
    "forwarders": "Name servers for other names",
}


def general(of: Present) -> General:
    """As it is now."""
    now = of.configured
    return General(
        now.host_name, of.config.site.domain, now.time_zone, now.time_servers, tuple(of.config.dns.forwarders)
    )


def changed(of: Present, wanted: General, zones: frozenset[str]) -> Change:
    """What it means to have it so; ``zones`` are the time zones that are known. Raises Invalid with the field."""
    before = general(of)
    _check(wanted, zones)
    text = edited(of.configured.text, _edits(of, before, wanted))
    check_file(text)
    return Change(
        "settings.change",
        "general",
        of.configured.text,
        text,
        _lines(of.config.web.hosts, before, wanted),
        _verbs(before, wanted),
        asdict(before),
        asdict(wanted),
    )


def _check(wanted: General, zones: frozenset[str]) -> None:
    check_site(Site(wanted.host_name, wanted.domain, wanted.time_zone, wanted.time_servers), complaint)
    check_zone(wanted.time_zone, zones, complaint)
    for each in wanted.forwarders:
        try:
            IPv4Address(each)
        except AddressValueError as error:
            wrong = f"{each[:80]!r} is not an IPv4 address"
            raise complaint("dns", "forwarders", wrong, "write it as 192.0.2.53") from error
    if len(wanted.forwarders) > MOST_FORWARDERS:
        raise complaint("dns", "forwarders", f"are {len(wanted.forwarders)}", f"name at most {MOST_FORWARDERS}")


def _edits(of: Present, before: General, after: General) -> list[Edit]:
    edits: list[Edit] = []
    if before.domain != after.domain:
        edits.append(Put("site", "domain", after.domain))
    if before.forwarders != after.forwarders:
        edits.append(Put("dns", "forwarders", after.forwarders))
    hosts = _hosts(of.config.web.hosts, before, after)
    if hosts != of.config.web.hosts:
        edits.append(Put("web", "hosts", hosts))
    return edits


def _hosts(hosts: tuple[str, ...], before: General, after: General) -> tuple[str, ...]:
    """Browsers reach the console by its new names; what else somebody named stays."""
    renamed = dict(zip(_names(before), _names(after), strict=True))
    return tuple(dict.fromkeys(renamed.get(each, each) for each in hosts))


def _names(of: General) -> tuple[str, str]:
    return f"{of.host_name}.{of.domain}", of.host_name


def _verbs(before: General, after: General) -> tuple[Verb[Done], ...]:
    verbs: list[Verb[Done]] = []
    if before.host_name != after.host_name:
        verbs.append(HostName(after.host_name))
    if before.time_zone != after.time_zone:
        verbs.append(TimeZone(after.time_zone))
    if before.time_servers != after.time_servers:
        verbs.append(TimeServers(after.time_servers))
    return tuple(verbs)


def _lines(hosts: tuple[str, ...], before: General, after: General) -> tuple[str, ...]:
    was, becomes = asdict(before), asdict(after)
    words = [
        f"{word}: {spoken(becomes[key])} instead of {spoken(was[key])}."
        for key, word in WORDS.items()
        if becomes[key] != was[key]
    ]
    if before.domain != after.domain:
        words.append(f"Machines and deployments are found in {after.domain}, and under {before.domain} no more.")
    if _hosts(hosts, before, after) != hosts:
        words.append(f"The console is reached as {_names(after)[0]}, and no more as {_names(before)[0]}.")
    return tuple(words)

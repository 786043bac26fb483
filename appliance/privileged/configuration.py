"""Carries out the verbs of ``verbs/configuration.py``: files on the state partition, where links in ``/etc`` lead."""

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

from appliance import config
from appliance.config import Config, ConfigError
from appliance.errors import ApplianceError, Invalid
from appliance.networking.follow import followed
from appliance.privileged import durable
from appliance.privileged.computer import Computer, Roots, Tell
from appliance.privileged.verb import Done
from appliance.privileged.verbs.configuration import Configured, HostName, Read, TimeServers, TimeZone, Write

log = logging.getLogger("appliance.privileged")

NAME = "appliance.toml"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 section 2.1
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
MOST_SERVERS = 16


def _file(roots: Roots) -> Path:
    return roots.state / "etc" / "qrm" / NAME


def _chrony(roots: Roots) -> Path:
    return roots.state / "etc" / "chrony"


async def read(verb: Read, on: Computer, tell: Tell) -> Configured:
    """From the state partition, as it was written there."""
    place = on.roots.state / "etc" / "localtime"
    zone = str(place.readlink()).partition("/zoneinfo/")[2] if place.is_symlink() else ""
    lines = (durable.read(_chrony(on.roots) / "sources.d" / "qrm.sources") or "").splitlines()
    return Configured(
        text=durable.read(_file(on.roots)) or "",
        host_name=(durable.read(on.roots.state / "etc" / "hostname") or "").strip(),
        time_zone=zone or "Etc/UTC",
        time_servers=tuple(line.split()[1] for line in lines if line.startswith("server ")),
    )


async def write(verb: Write, on: Computer, tell: Tell) -> Done:
    """Only what the daemon will accept."""
    try:
        config.parse(verb.text, NAME)
    except ConfigError as error:
        raise Invalid(error.code, error.message, error.hint, error.field) from error
    _write(on, verb.text)
    return Done()


def _write(on: Computer, text: str) -> None:
    durable.write(_file(on.roots), text, 0o640, on.group)


def configured(roots: Roots) -> Config:
    """The configuration in force, the defaults where there is none, or none that can be read."""
    with suppress(ApplianceError):
        return config.parse(durable.read(_file(roots)) or "", NAME)
    return Config()


def follow_networks(on: Computer, moved: Mapping[str, str]) -> bool:
    """Subnets go on under the interface's new name; whether anything had to be changed for that.

    What the daemon would not take is never written: it sets a subnet aside that lost its interface, and goes on.
    """
    text = durable.read(_file(on.roots))
    if text is None or (after := followed(text, moved)) == text:
        return False
    try:
        config.parse(after, NAME)
    except ConfigError as error:
        log.error("the configuration stays as it is, since its subnets cannot follow the network: %s", error.message)
        return False
    _write(on, after)
    return True


async def host_name(verb: HostName, on: Computer, tell: Tell) -> Done:
    """At once and for every start to come."""
    if not _LABEL.fullmatch(verb.host_name):
        what = f"{verb.host_name[:80]!r} is no name of a computer"
        raise Invalid("host-name-invalid", what, "use up to 63 lower case letters, digits and hyphens", "host_name")
    durable.write(on.roots.state / "etc" / "hostname", f"{verb.host_name}\n")
    await on.run(["hostname", verb.host_name])
    return Done()


async def time_zone(verb: TimeZone, on: Computer, tell: Tell) -> Done:
    """A link into the time zone database, made beside and renamed."""
    known = on.roots.share / "zoneinfo" / verb.zone
    if not _ZONE.fullmatch(verb.zone) or not known.is_file():
        what = f"{verb.zone[:80]!r} is no time zone that this appliance knows"
        raise Invalid("time-zone-unknown", what, "name one as Europe/Berlin, or Etc/UTC", "zone")
    place = on.roots.state / "etc" / "localtime"
    durable.make_directory(place.parent)
    beside = place.with_name(".localtime.new")
    durable.remove(beside)
    beside.symlink_to(Path("/usr/share/zoneinfo") / verb.zone)
    durable.move(beside, place)
    return Done()


async def time_servers(verb: TimeServers, on: Computer, tell: Tell) -> Done:
    """chrony reads sources again without losing what it has measured; whom it answers it reads when it starts."""
    if len(verb.servers) > MOST_SERVERS or len(verb.serve) > MOST_SERVERS:
        raise Invalid("time-server-invalid", "there are too many", f"{MOST_SERVERS} are the most", "servers")
    sources = "".join(f"server {_server(each)} iburst\n" for each in verb.servers)
    allowed = "".join(f"allow {_network(each)}\n" for each in verb.serve)
    durable.write(_chrony(on.roots) / "sources.d" / "qrm.sources", sources)
    durable.write(_chrony(on.roots) / "conf.d" / "qrm.conf", allowed)
    await on.run(["systemctl", "--no-block", "try-restart", "chrony.service"])
    return Done()


def _server(text: str) -> str:
    if not _has_zone(text):
        with suppress(ValueError):
            return str(ip_address(text))
    if not _HOST.fullmatch(text):
        what = f"{text[:80]!r} is no name or address of a time server"
        raise Invalid("time-server-invalid", what, "write it as pool.ntp.org or 192.0.2.1", "servers")
    return text


def _network(text: str) -> str:
    if not _has_zone(text):
        with suppress(ValueError):
            return str(ip_network(text))
    what = f"{text[:80]!r} is no network"
    raise Invalid("time-server-invalid", what, "write it as 10.77.0.0/24", "serve")


def _has_zone(text: str) -> bool:
    """Of an IPv6 address; Python takes any characters for one, new lines with them (RFC 4007 section 11)."""
    return "%" in text

"""Records that users add to the site's domain: which are good, and what the DNS server is told of them. Pure."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address

from appliance.errors import Conflict, Invalid
from appliance.machine import RESERVED_NAMES
from appliance.names import DnsRecord
from appliance.netboot.dns.names import canonical, is_below, is_host_name
from appliance.netboot.dns.records import Address, Service, Target, Text, Type

TYPES = ("A", "AAAA", "CNAME", "SRV", "TXT")
_WITH_UNDERSCORES = ("CNAME", "SRV", "TXT")
MOST = 5000
"""Records in all."""
MOST_OF_ONE_NAME = 50
LONGEST_TEXT = 1000
"""Octets of a TXT record."""
_STRING = 255
"""Octets of each of its strings (RFC 1035 section 3.3.14)."""


def check_record(name: str, kind: str, value: str, domain: str) -> tuple[str, str, str]:
    """Name, type and value in their normal form; raises Invalid, with the field that is wrong."""
    if kind not in TYPES:
        raise Invalid("record-type", f"{kind[:20]!r} is no type of record", f"use {', '.join(TYPES)}", "type")
    plain = check_domain_name(name, domain, underscores=kind in _WITH_UNDERSCORES)
    checks: dict[str, Callable[[str], str]] = {
        "A": _ipv4,
        "AAAA": _ipv6,
        "CNAME": lambda text: check_target(text, plain, domain),
        "SRV": lambda text: _service(text, domain),
        "TXT": _text,
    }
    return plain, kind, checks[kind](value)


def check_domain_name(name: str, domain: str, *, underscores: bool = False) -> str:
    """A name in the domain, relative to it; raises Invalid."""
    full = canonical(name.strip())
    plain = full.removesuffix(f".{domain}") if is_below(full, domain) else full
    letters = plain.replace("_", "x") if underscores else plain
    if not plain or plain == domain or not is_host_name(letters) or not is_host_name(f"{letters}.{domain}"):
        hint = f"use letters, digits and hyphens, such as www; it becomes www.{domain}"
        raise Invalid("name-invalid", f"{name[:80]!r} cannot be a name in {domain}", hint, "name")
    if plain in RESERVED_NAMES:
        raise Invalid("name-reserved", f"{plain!r} has a meaning of its own in networks", "choose another name", "name")
    return plain


def check_target(text: str, name: str, domain: str) -> str:
    """The full name that an alias leads to; one without a dot is in the domain. Raises Invalid."""
    full = _full_target(text, domain)
    if full is None:
        hint = f"write a name, such as node-1 (in {domain}) or www.example.org"
        raise Invalid("record-value", f"{text[:80]!r} cannot be the target of an alias", hint, "value")
    if full == f"{name}.{domain}":
        raise Invalid("record-loop", f"{full} would be an alias of itself", "choose another target", "value")
    return full


def _full_target(text: str, domain: str) -> str | None:
    """The full name that is meant; one without a dot is in the domain. None for what is no name."""
    plain = canonical(text.strip())
    full = plain if "." in plain else f"{plain}.{domain}"
    return full if plain and is_host_name(full.replace("_", "x")) else None


def _service(text: str, domain: str) -> str:
    """Priority, weight, port and the computer that has the service (RFC 2782), parted by spaces."""
    *numbers, target = text.split() or [""]
    # A dot alone says that there is no such service here.
    full = "." if target == "." else _full_target(target, domain)
    if len(numbers) != 3 or full is None or not all(_is_word(number) for number in numbers):
        hint = f"write priority, weight, port and a name: 0 5 389 node-1 (in {domain}), or 0 0 0 . for none"
        raise Invalid("record-value", f"{text[:80]!r} cannot be an SRV record", hint, "value")
    return " ".join((*(str(int(number)) for number in numbers), full))


def _is_word(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 0xFFFF


def _ipv4(text: str) -> str:
    try:
        address = IPv4Address(text.strip())
    except ValueError:
        raise Invalid("record-value", f"{text[:40]!r} is not an IPv4 address", "write 10.77.0.9", "value") from None
    return _of_one_computer(address)


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text.strip())
    except ValueError:
        raise Invalid("record-value", f"{text[:60]!r} is not an IPv6 address", "write fd00::9", "value") from None
    if address.scope_id is not None:
        raise Invalid("record-value", f"{text[:60]!r} is good on one computer only", "leave %... away", "value")
    return _of_one_computer(address)


def _of_one_computer(address: IPv4Address | IPv6Address) -> str:
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        raise Invalid("record-value", f"{address} is not the address of a computer", "choose another one", "value")
    return str(address)


def _text(text: str) -> str:
    size = len(text.encode(errors="replace"))
    if not 0 < size <= LONGEST_TEXT or not text.isprintable():
        hint = f"1 to {LONGEST_TEXT} octets without control characters"
        raise Invalid("record-value", f"this cannot be a TXT record ({size} octets)", hint, "value")
    return text


def check_fits(new: DnsRecord, others: Sequence[DnsRecord], domain: str) -> None:
    """Raise Conflict where the record does not go together with those that are there."""
    if len(others) >= MOST:
        raise Conflict("records-full", f"there are {MOST} records already", "delete some that nobody needs")
    here = [other for other in others if other.name == new.name]
    if any((other.type, other.value) == (new.type, new.value) for other in here):
        raise Conflict(
            "record-known", f"{new.name} has this {new.type} record already", "nothing is to be done", "name"
        )
    if len(here) >= MOST_OF_ONE_NAME:
        raise Conflict("records-full", f"{new.name} has {MOST_OF_ONE_NAME} records already", "delete some", "name")
    if here and "CNAME" in (new.type, here[0].type):
        # RFC 2181 section 10.1: an alias has no other records.
        text = f"{new.name} has a record already: {here[0].type} {here[0].value[:60]}"
        raise Conflict("name-taken", text, "an alias is alone with its name: delete that record first", "name")
    if new.type == "CNAME":
        _check_chain(new, others, domain)
    if new.type == "SRV":
        _check_target_is_no_alias(new, others, domain)


def _check_chain(new: DnsRecord, others: Sequence[DnsRecord], domain: str) -> None:
    """Aliases that lead back to themselves answer nothing."""
    further = {f"{each.name}.{domain}": each.value for each in others if each.type == "CNAME"}
    target, start = new.value, f"{new.name}.{domain}"
    for _ in range(len(further)):
        if target == start:
            raise Invalid("record-loop", f"{start} would lead back to itself", "choose another target", "value")
        target = further.get(target, target)
    if target == start:
        raise Invalid("record-loop", f"{start} would lead back to itself", "choose another target", "value")


def _check_target_is_no_alias(new: DnsRecord, others: Sequence[DnsRecord], domain: str) -> None:
    """Clients need not follow one from there (RFC 2782)."""
    target = new.value.split()[-1]
    alias = next((each for each in others if each.type == "CNAME" and f"{each.name}.{domain}" == target), None)
    if alias is not None:
        hint = f"name the computer itself: {alias.value}"
        raise Invalid("record-value", f"{target} is an alias, which no SRV record may lead to", hint, "value")


def data_of(record: DnsRecord) -> Address | Service | Target | Text:
    """What the DNS server answers with."""
    match record.type:
        case "A":
            return Address(IPv4Address(record.value))
        case "AAAA":
            return Address(IPv6Address(record.value))
        case "CNAME":
            return Target(Type.CNAME, record.value)
        case "SRV":
            priority, weight, port, target = record.value.split()
            return Service(int(priority), int(weight), int(port), target.removesuffix("."))
        case _:
            octets = record.value.encode()
            return Text(tuple(octets[at : at + _STRING] for at in range(0, len(octets), _STRING)))

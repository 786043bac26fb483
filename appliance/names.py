"""Addresses and names that users keep: reservations of what is no machine, and DNS records. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeptAddress:
    """An address that is leased to this owner only, which is no interface of a machine: a printer, a board, a port."""

    owner: str
    """As ``appliance.lease`` has it: a MAC address, ``uuid:`` and a UUID, ``port:`` and the port of a relay."""
    address: str
    name: str | None
    """Its name in the site's domain, one label; None for none."""
    note: str
    created: float


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A record that a user added to the site's domain."""

    name: str
    """Lower case, relative to the domain: ``www``, ``a.b``."""
    type: str
    """``A``, ``AAAA``, ``CNAME``, ``SRV`` or ``TXT``."""
    value: str
    """In its normal form; the target of a CNAME or SRV is a full name."""
    note: str
    created: float
    id: int = 0

"""Finding a machine's address: the kernel of the lab's network knows who it has talked to."""

import json

from appliance.lab.plan import BRIDGE

ARGV = ("ip", "-j", "neighbour", "show", "dev", BRIDGE)
"""Prints the neighbour table as JSON."""

_USELESS = frozenset({"FAILED", "INCOMPLETE"})


def address_of(macs: frozenset[str], table: str) -> str | None:
    """The IPv4 address last seen with one of ``macs`` (lower case) in the output of ``ARGV``.  Pure."""
    for entry in json.loads(table or "[]"):
        if entry.get("lladdr") in macs and not _USELESS & set(entry.get("state", ())) and ":" not in entry["dst"]:
            return str(entry["dst"])
    return None

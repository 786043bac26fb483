"""Exports: a volume made reachable for exactly one machine, what it is called, and who proves to be that machine. Pure.

Names of iSCSI nodes: RFC 7143, 4.2.7, and RFC 3722 for their letters. Secrets: RFC 7143, 9.2.1 and 12.1.3.
"""

import re
import uuid
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from typing import NewType

from appliance.errors import Invalid
from appliance.volume import VolumeId, check_id

ExportId = NewType("ExportId", str)
"""16 hexadecimal digits."""
DATE = "2026-11"
"""Since when the names are given so; an iqn has to say that (RFC 7143, 4.2.7.1)."""
LONGEST_NAME = 223
"""Bytes of the name of an iSCSI node."""
SECRET_LENGTH = 16
ALPHABET = "ABCDEFGHIJKLMOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz123456789-_.:+~"
"""What secrets are made of: 66 characters, so that 16 of them have the 96 bits that the RFC asks for.

Neither N nor 0 is among them: the kernel's target takes a secret that begins with ``NULL`` for none at all, and
initiators read one that begins with ``0x`` as a number.
"""
NOISE = 32
"""Random bytes that a secret is made from; so many that no character is noticeably likelier than another."""
ONE_ONLY = "end its other export, or stop what uses it; for a further machine make a clone"
"""What to do about a volume that somebody else has."""

_SPACE = uuid.UUID("6f3c2b1e-9a47-4c58-8d0e-51b7a2c9e4d6")
"""Of our own UUIDs that follow from a name (RFC 9562, 5.5)."""
_ID = re.compile(r"[0-9a-f]{16}")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_NODE = re.compile(
    r"iqn\.[0-9]{4}-(0[1-9]|1[0-2])(\.[a-z0-9][a-z0-9-]*){2,}(:[a-z0-9.:-]+)?"
    r"|eui\.[0-9a-f]{16}|naa\.[125c-f][0-9a-f]{15}"
)
"""What the kernel's target is given through rtslib, which takes a little less than the RFC."""
_TARGET = re.compile(rf"iqn\.{DATE}(?:\.[a-z0-9][a-z0-9-]*){{2,}}:([0-9a-f]{{16}})")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,62}")
_SECRET = re.compile(r"[!-~]{12,16}")


class ExportKind(StrEnum):
    """How a machine reaches a volume."""

    NFS = "nfs"
    """As a directory: NFS 4.2, whoever has the machine's address."""
    ISCSI = "iscsi"
    """As a disk: whoever has the initiator's name and its secret."""


@dataclass(frozen=True, slots=True)
class Export:
    """A volume that one machine, and no other, is to reach."""

    id: ExportId
    kind: ExportKind
    volume: VolumeId
    address: str
    """The machine's, IPv4. NFS is served to nobody else; who uses iSCSI proves it by its secret."""
    initiator: str = ""
    """The machine's name as an iSCSI node; empty for NFS."""
    read_only: bool = False


def check_export(of: Export) -> Export:
    """Raises Invalid: ``export-id``, ``volume-id``, ``export-address``, ``initiator-name``."""
    check_export_id(of.id)
    check_id(of.volume)
    check_address(of.address, "address")
    if of.kind is ExportKind.ISCSI:
        check_node(of.initiator)
    elif of.initiator:
        hint = "leave it out: a machine is known to NFS by its address"
        raise Invalid("initiator-name", "an export by NFS has no name of an initiator", hint, "initiator")
    return of


def check_export_id(text: str) -> ExportId:
    """Raises Invalid ``export-id`` for what is none."""
    if not _ID.fullmatch(text):
        raise Invalid("export-id", f"{text[:40]!r} is no id of an export", "it has 16 hexadecimal digits", "id")
    return ExportId(text)


def check_address(text: str, field: str) -> str:
    """One computer's IPv4 address; raises Invalid ``export-address`` for anything else, names and ranges too."""
    try:
        found = IPv4Address(text)
    except AddressValueError:
        found = None
    if found is None or found.is_multicast or found.is_unspecified or found.is_loopback or found.is_reserved:
        hint = "write it as in 192.0.2.17: no name, no range, no address that stands for many"
        raise Invalid("export-address", f"{text[:60]!r} is not the IPv4 address of one computer", hint, field)
    return text


def check_node(name: str) -> str:
    """The name of an initiator in its normal form; raises Invalid ``initiator-name``."""
    if len(name) > LONGEST_NAME or not _NODE.fullmatch(name):
        text = f"{name[:LONGEST_NAME]!r} is no name of an iSCSI initiator"
        hint = 'write it in lower case: "iqn.2026-11.test.lab:web1", "eui." or "naa." and 16 hexadecimal digits'
        raise Invalid("initiator-name", text, hint, "initiator")
    return name


def check_target(name: str, export: ExportId) -> str:
    """The name of this export's target; raises Invalid ``target-name`` for any other."""
    if len(name) > LONGEST_NAME or id_of(name) != export:
        text = f"{name[:LONGEST_NAME]!r} is not the name of the target of export {export}"
        raise Invalid("target-name", text, f'it is "iqn.{DATE}.", a domain in reverse, ":{export}"', "target")
    return name


def check_user(name: str) -> str:
    """A name for CHAP; raises Invalid ``chap-user``."""
    if not _USER.fullmatch(name) or name.startswith("NULL"):
        hint = "letters, digits and . _ : - after the first, at most 63"
        raise Invalid("chap-user", f"{name[:63]!r} is no name for CHAP", hint, "user")
    return name


def check_secret(secret: str) -> str:
    """A secret that every initiator takes; raises Invalid ``chap-secret``, which does not repeat it."""
    if not _SECRET.fullmatch(secret) or secret.startswith(("NULL", "0x", "0X", "0b", "0B")):
        hint = "12 to 16 characters of ASCII without blanks, which begin with neither NULL nor 0x nor 0b"
        raise Invalid("chap-secret", "this is no secret for CHAP", hint, "secret")
    return secret


def chap_secret(noise: bytes) -> str:
    """A secret made from at least ``NOISE`` random bytes; raises ValueError for fewer."""
    if len(noise) < NOISE:
        raise ValueError(f"a secret is made from at least {NOISE} random bytes")
    number, made = int.from_bytes(noise), []
    for _ in range(SECRET_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        made.append(ALPHABET[digit])
    return "".join(made)


def authority(domain: str) -> str:
    """``lab.test`` as names begin that its owner gives: ``iqn.2026-11.test.lab``; raises Invalid ``export-domain``.

    A domain of one label counts as one below ``internal``, which is nobody's: a name has at least two (``_NODE``).
    """
    if len(domain) > 200 or not _DOMAIN.fullmatch(domain):
        raise Invalid("export-domain", f"{domain[:200]!r} is no DNS domain", 'write "lab.test"', "domain")
    labels = domain.split(".")
    return f"iqn.{DATE}.{'.'.join(reversed(labels if len(labels) > 1 else [*labels, 'internal']))}"


def target_name(domain: str, export: ExportId) -> str:
    """What the target of an export is called."""
    return f"{authority(domain)}:{check_export_id(export)}"


def initiator_name(domain: str, machine: str) -> str:
    """What a machine calls itself that has no name of its own: always the same."""
    return check_node(f"{authority(domain)}:machine-{machine.lower()}")


def id_of(target: str) -> ExportId | None:
    """Of the name of a target of ours; None for one that somebody else has given."""
    found = _TARGET.fullmatch(target)
    return ExportId(found[1]) if found else None


def file_system_id(export: ExportId) -> str:
    """What file handles of an export begin with, as a UUID: the same whenever it is granted again.

    The file system's own will not do: that of a clone is the one of what it was cloned from.
    """
    return _derived("export", export)


def serial_number(volume: VolumeId) -> str:
    """What a volume says as its serial number when it is a disk: the same for as long as it is there."""
    return _derived("volume", volume)


def _derived(what: str, key: str) -> str:
    return str(uuid.uuid5(_SPACE, f"{what} {key}"))


def nfs_options(export: ExportId, read_only: bool) -> tuple[str, ...]:
    """How a volume is exported, as exports(5) has it.

    ``no_root_squash``: root of the machine is root of its own root file system. ``mountpoint``: while it is not
    mounted, nothing is exported, and never the empty directory in its place.
    """
    access = "ro" if read_only else "rw"
    return (access, "sync", "sec=sys", "no_root_squash", "no_subtree_check", "mountpoint",
            f"fsid={file_system_id(export)}")  # fmt: skip


ROOT_OPTIONS = ("ro", "sync", "sec=sys", "root_squash", "no_subtree_check", "fsid=0")
"""Of the directory above all exports of one machine: NFS 4 starts there (RFC 7530, 7.3)."""

"""How a machine is switched on and off: which kinds of switch there are, what each can do, what each must know. Pure.

The secret (a password) is no part of the settings: it is stored encrypted, and handed to the driver beside them.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from appliance.errors import ApplianceError, Invalid


class PowerKind(StrEnum):
    """The kinds of switch; one driver each."""

    MANUAL = "manual"
    WAKE_ON_LAN = "wake-on-lan"
    IPMI = "ipmi"
    REDFISH = "redfish"
    LIBVIRT = "libvirt"


class PowerState(StrEnum):
    """What a switch says about its machine. ``off`` is only what was observed to be off: fencing rests on it."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class Ability(StrEnum):
    """What a kind of switch can do."""

    ON = "on"
    OFF = "off"
    CYCLE = "cycle"
    OBSERVE = "observe"
    NETWORK_ONCE = "network-once"


class PowerError(ApplianceError):
    """A switch could not do what was asked. Its code is one of ``POWER_CODES``; no text of it holds a secret."""


POWER_CODES: Mapping[str, str] = {
    "power-unreachable": "no answer, or none in time: trying again may help",
    "power-refused": "user or password are wrong, or may not do this: trying again may lock the account",
    "power-certificate": "the controller shows another certificate than the one that was accepted",
    "power-unsupported": "this switch cannot do that",
    "power-failed": "the switch was reached, and said no or something that makes no sense",
    "power-still-on": "off was asked for, and was not seen in time",
    "power-not-from-network": "it was restarted, and not from the network, which was what was asked for",
}
"""What each code means. Only ``power-unreachable`` and ``power-failed`` are worth repeating unchanged."""

_EVERYTHING = frozenset(Ability)

ABILITIES: Mapping[PowerKind, frozenset[Ability]] = {
    PowerKind.MANUAL: frozenset(),
    PowerKind.WAKE_ON_LAN: frozenset({Ability.ON}),
    PowerKind.IPMI: _EVERYTHING,
    PowerKind.REDFISH: _EVERYTHING,
    PowerKind.LIBVIRT: _EVERYTHING,
}
"""What each kind can do. ``manual`` can do nothing by itself: it tells a person."""


@dataclass(frozen=True, slots=True)
class PowerSettings:
    """How one machine is switched; ``checked`` says whether they can be."""

    kind: PowerKind = PowerKind.MANUAL
    address: str = ""
    """Address or host name of the controller. libvirt: the address of its host, such as ``qemu:///system`` or
    ``qemu+ssh://root@host/system``. Wake-on-LAN: one more address to send to, such as a routed subnet's broadcast."""
    port: int = 0
    """0: the usual one of the kind (``DEFAULT_PORTS``)."""
    user: str = ""
    system: str = ""
    """Redfish: the ``Id`` of the system, "" where there is one only. libvirt: the name or UUID of the VM."""
    fingerprint: str = ""
    """Redfish: SHA-256 of the controller's certificate, 64 lower-case hexadecimal digits. "": its certificate has to
    be signed by an authority that the appliance's system trusts."""
    cipher_suite: int = 0
    """IPMI: the cipher suite (IPMI 2.0, table 22-20), 0: suite 17, and 3 where the controller does not know that."""
    privilege: str = ""
    """IPMI: one of ``PRIVILEGES``; "": the first of them."""


PRIVILEGES = ("administrator", "operator")
CIPHER_SUITES = (17, 3, 8, 12)
"""Those with authentication, integrity and encryption, in the order of choice; 17 rests on SHA-256. Suite 0 asks for
no password."""

DEFAULT_PORTS: Mapping[PowerKind, int] = {PowerKind.WAKE_ON_LAN: 9, PowerKind.IPMI: 623, PowerKind.REDFISH: 443}

FIELDS: Mapping[PowerKind, tuple[str, ...]] = {
    PowerKind.MANUAL: (),
    PowerKind.WAKE_ON_LAN: ("address", "port"),
    PowerKind.IPMI: ("address", "port", "user", "cipher_suite", "privilege"),
    PowerKind.REDFISH: ("address", "port", "user", "system", "fingerprint"),
    PowerKind.LIBVIRT: ("address", "system"),
}
"""What each kind reads of its settings, for forms too; anything else is refused, so that nothing is set in vain."""

REQUIRED: Mapping[PowerKind, tuple[str, ...]] = {
    PowerKind.MANUAL: (),
    PowerKind.WAKE_ON_LAN: (),
    PowerKind.IPMI: ("address",),
    PowerKind.REDFISH: ("address", "user"),
    PowerKind.LIBVIRT: ("address", "system"),
}

SECRETS: Mapping[PowerKind, str] = {
    PowerKind.WAKE_ON_LAN: "SecureOn password",
    PowerKind.IPMI: "password",
    PowerKind.REDFISH: "password",
}
"""What the secret of a kind is called; the others have none."""

SECRET_REQUIRED = frozenset({PowerKind.REDFISH, PowerKind.IPMI})

LONGEST_IPMI_PASSWORD = 20
"""Bytes (IPMI 2.0, section 22.30); ``ipmitool`` cuts what is longer off in silence."""
LONGEST_IPMI_USER = 16
"""Bytes (section 22.28)."""
LONGEST_PASSWORD = 256

_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_LIBVIRT = re.compile(
    r"qemu:///(system|session)(\?socket=/[A-Za-z0-9/_.-]{1,100})?"
    r"|qemu\+ssh://([a-z_][a-z0-9_.-]{0,31}@)?(\[[0-9A-Fa-f:.]{2,39}\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252})(:[0-9]{1,5})?"
    r"/(system|session)"
)
"""Fewer than libvirt knows: others carry commands to run (``?command=``), or talk without encryption."""
_SYSTEM = re.compile(r"[A-Za-z0-9_.:+@ -]{1,255}")
_USER = re.compile(r"[!-~]([ -~]*[!-~])?")
_SECURE_ON = re.compile(r"([0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def abilities(kind: PowerKind) -> frozenset[Ability]:
    """What a kind of switch can do."""
    return ABILITIES[kind]


def port_of(settings: PowerSettings) -> int:
    """The port to send to."""
    return settings.port or DEFAULT_PORTS.get(settings.kind, 0)


def parse_kind(text: str) -> PowerKind:
    """The kind of that name; raises Invalid for any other word."""
    try:
        return PowerKind(text)
    except ValueError:
        hint = f"use one of {', '.join(PowerKind)}"
        raise Invalid("power-kind-invalid", f"{text[:80]!r} is no kind of power switch", hint, "kind") from None


def checked(settings: PowerSettings) -> PowerSettings:
    """The settings in one spelling; raises Invalid with the field that is wrong, missing, or means nothing here."""
    made = replace(
        settings,
        address=settings.address.strip(),
        user=settings.user.strip(),
        system=settings.system.strip(),
        fingerprint=re.sub(r"[:\s]", "", settings.fingerprint).lower(),
        privilege=settings.privilege.strip().lower(),
    )
    for field in _GIVEN:
        _check_given(made, field)
    if made.address:
        _check_address(made)
    _check_numbers(made)
    _check_words(made)
    return made


def check_secret(kind: PowerKind, secret: str) -> str:
    """A secret that a switch of this kind can use; raises Invalid, whose text never repeats it."""
    if secret and kind not in SECRETS:
        raise Invalid("power-secret-unused", f"a switch of kind {kind} has no password", "leave it empty", "secret")
    if not secret and kind in SECRET_REQUIRED:
        raise Invalid("power-secret-missing", f"a switch of kind {kind} needs a password", "type it", "secret")
    if any(letter < " " or letter in "\x7f\ufffd" for letter in secret):  # the last stands for bytes that are no text
        text = "the password has a control character in it, or something that is no character"
        raise Invalid("power-secret-invalid", text, "type it again, without line ends and tabs", "secret")
    if kind is PowerKind.WAKE_ON_LAN and secret and not _SECURE_ON.fullmatch(secret):
        text = "a SecureOn password is six bytes"
        raise Invalid("power-secret-invalid", text, "write it like a MAC address, as 00:11:22:33:44:55", "secret")
    most = LONGEST_IPMI_PASSWORD if kind is PowerKind.IPMI else LONGEST_PASSWORD
    if len(secret.encode()) > most:
        text = f"the password is longer than {most} bytes"
        raise Invalid("power-secret-invalid", text, "give the controller a shorter one", "secret")
    return secret


_GIVEN = ("address", "port", "user", "system", "fingerprint", "cipher_suite", "privilege")


def _check_given(settings: PowerSettings, field: str) -> None:
    given = bool(getattr(settings, field))
    word = field.replace("_", " ")
    if given and field not in FIELDS[settings.kind]:
        text = f"a switch of kind {settings.kind} has no {word}"
        raise Invalid("power-field-unused", text, "leave it empty", field)
    if not given and field in REQUIRED[settings.kind]:
        raise Invalid("power-field-missing", f"a switch of kind {settings.kind} needs its {word}", "", field)


def _check_address(settings: PowerSettings) -> None:
    address = settings.address
    if settings.kind is PowerKind.LIBVIRT:
        if not _LIBVIRT.fullmatch(address):
            hint = "use qemu:///system, or qemu+ssh://user@host/system"
            raise Invalid("power-address-invalid", f"{address[:80]!r} is no host of VMs", hint, "address")
        return
    if not (_is_address(address) or _is_name(address)):
        text = f"{address[:80]!r} is neither an address nor a host name"
        raise Invalid("power-address-invalid", text, "write it as 192.0.2.10 or bmc1.example", "address")


def _is_address(text: str) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not found.is_unspecified and not (found.version == 6 and "%" in text)


def _is_name(text: str) -> bool:
    """Names end in a label with a letter in it (RFC 1123 section 2.1): 10.0.0.300 is a slip, no name."""
    last = text.rpartition(".")[2]
    return _HOST_NAME.fullmatch(text) is not None and not last.isdigit()


def _check_numbers(settings: PowerSettings) -> None:
    if not 0 <= settings.port <= 65535:
        raise Invalid("power-port-invalid", f"{settings.port} is no port", "use 1 to 65535, or 0 for the usual", "port")
    if settings.cipher_suite not in (0, *CIPHER_SUITES):
        hint = f"use one of {', '.join(map(str, CIPHER_SUITES))}, or 0 for 17 and else 3"
        text = f"cipher suite {settings.cipher_suite} protects too little, or is unknown"
        raise Invalid("power-cipher-suite-invalid", text, hint, "cipher_suite")


def _check_words(settings: PowerSettings) -> None:
    longest = LONGEST_IPMI_USER if settings.kind is PowerKind.IPMI else 128
    if settings.user and not (_USER.fullmatch(settings.user) and len(settings.user) <= longest):
        hint = f"use 1 to {longest} printable ASCII characters"
        raise Invalid("power-user-invalid", f"{settings.user[:80]!r} cannot be a user", hint, "user")
    if settings.kind is PowerKind.REDFISH and ":" in settings.user:  # RFC 7617 section 2
        raise Invalid("power-user-invalid", "a user of Redfish cannot have a colon in its name", "", "user")
    if settings.system and not (_SYSTEM.fullmatch(settings.system) and not settings.system.startswith("-")):
        hint = "use its Id, name or UUID as the controller shows it"
        raise Invalid("power-system-invalid", f"{settings.system[:80]!r} cannot name a system", hint, "system")
    if settings.fingerprint and not _FINGERPRINT.fullmatch(settings.fingerprint):
        text = "that is no SHA-256 fingerprint of a certificate"
        raise Invalid("power-fingerprint-invalid", text, "use its 64 hexadecimal digits", "fingerprint")
    if settings.privilege and settings.privilege not in PRIVILEGES:
        hint = f"use {' or '.join(PRIVILEGES)}"
        raise Invalid("power-privilege-invalid", f"{settings.privilege[:40]!r} is no privilege", hint, "privilege")

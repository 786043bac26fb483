"""Boot options for people who keep their own DHCP server, as its configuration wants them (pure).

Each says what our own server says first: the boot program for each kind of firmware, by TFTP or, to HTTP boot, by URL,
and to iPXE the first script, so that it is never sent to load itself again. What our server learns of a machine another
one does not: who has machines with Secure Boot asks for shim, which starts the others as well.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from appliance import bootprogram
from appliance.netboot.dhcp.subnet import Subnet

ServerKind = Literal["dnsmasq", "dhcpd", "kea", "mikrotik", "opnsense"]
"""DHCP servers that there is a snippet for."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """What goes into another server's configuration."""

    kind: ServerKind
    title: str
    """The server's own name."""
    where: str
    """Where it goes, and what to do then; for people."""
    text: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of firmware: its name, what it calls its architecture (option 93), whose boot programs it runs."""

    name: str
    architectures: tuple[int, ...]
    runs: str
    """As ``bootprogram`` names the kind."""
    http: bool = False


_X64_CODES, _ARM64_CODES = (7, 9, 15, 16), (11, 19)
# The vendor class says who boots by HTTP, as for our own server: lists of several architectures mix both kinds.
_KINDS = (
    _Kind("bios", (0,), bootprogram.BIOS),
    _Kind("uefi", _X64_CODES, bootprogram.UEFI),
    _Kind("arm64", _ARM64_CODES, bootprogram.UEFI_ARM64),
    _Kind("http", _X64_CODES, bootprogram.UEFI, http=True),
    _Kind("http-arm64", _ARM64_CODES, bootprogram.UEFI_ARM64, http=True),
)


@dataclass(frozen=True, slots=True)
class _Boot:
    """Where things are."""

    server: str
    """Our address: TFTP, and what iPXE knows as its next server."""
    url: str
    """Start of our URLs."""
    network: str
    """That of the machines."""
    programs: Mapping[str, str]
    """What each kind of firmware loads, as ``bootprogram`` names the kind."""

    @property
    def script(self) -> str:
        return f"{self.url}/boot/start.ipxe"

    def file(self, kind: _Kind) -> str:
        program = self.programs[kind.runs]
        return f"{self.url}/boot/{program}" if kind.http else program


def snippet(subnet: Subnet, kind: ServerKind, *, secure_boot: bool = False) -> Snippet:
    """The boot options of a subnet for this kind of server.

    With ``secure_boot`` UEFI on x86-64 is sent shim, which firmware runs with Secure Boot and without.
    """
    title, where, text = _SNIPPETS[kind]
    programs = _programs(bootprogram.SHIM if secure_boot else bootprogram.AUTOMATIC, subnet.boot_program)
    boot = _Boot(str(subnet.address.ip), subnet.boot_url, str(subnet.network), programs)
    return Snippet(kind, title, where, "\n".join(text(boot)) + "\n")


def _programs(choice: str, preferred: str) -> dict[str, str]:
    """By kind of firmware: what was chosen where it fits, else what the subnet prefers, else what is usual."""
    chosen = {kind: bootprogram.chosen(kind, choice, None, preferred, 0) for kind in bootprogram.ORDER}
    return {kind: program for kind, program in chosen.items() if program is not None}


def _head(boot: _Boot, sign: str = "#") -> list[str]:
    return [f"{sign} Network boot from the appliance at {boot.server}."]


def _dnsmasq(boot: _Boot) -> list[str]:
    lines = [*_head(boot), "dhcp-match=set:qrm-ipxe,175", "dhcp-userclass=set:qrm-ipxe,iPXE"]
    lines.append("dhcp-vendorclass=set:qrm-by-http,HTTPClient")
    for name, codes in (("bios", (0,)), ("x64", _X64_CODES), ("arm64", _ARM64_CODES)):
        lines += [f"dhcp-match=set:qrm-{name},option:client-arch,{code}" for code in codes]
    lines.append(f"dhcp-boot=tag:qrm-ipxe,{boot.script},,{boot.server}")
    for kind in _KINDS:
        family = {_X64_CODES: "x64", _ARM64_CODES: "arm64"}.get(kind.architectures, kind.name)
        tags = f"tag:!qrm-ipxe,tag:{'' if kind.http else '!'}qrm-by-http,tag:qrm-{family}"
        lines.append(f"dhcp-boot={tags},{boot.file(kind)},,{boot.server}")
        if kind.http:
            lines.append(f"dhcp-option-force={tags},option:vendor-class,HTTPClient")
    return lines


def _dhcpd(boot: _Boot) -> list[str]:
    lines = [*_head(boot), "option qrm-arch code 93 = string;", "option qrm-ipxe code 175 = string;"]
    lines += [f"next-server {boot.server};"]
    ipxe = " or ".join(f'substring(option user-class, {at}, 4) = "iPXE"' for at in (0, 1))
    lines += [f"if exists qrm-ipxe or {ipxe} {{", f'  filename "{boot.script}";']
    for kind in sorted(_KINDS, key=lambda each: not each.http):  # the first that holds counts
        codes = " or ".join(f"substring(option qrm-arch, 0, 2) = 00:{code:02x}" for code in kind.architectures)
        by_http = 'substring(option vendor-class-identifier, 0, 10) = "HTTPClient"'
        lines += [f"}} elsif {f'{by_http} and ({codes})' if kind.http else codes} {{"]
        lines += [f'  filename "{boot.file(kind)}";']
        if kind.http:
            lines += [
                '  option vendor-class-identifier "HTTPClient";',
                "  option dhcp-parameter-request-list = concat(option dhcp-parameter-request-list, 3c);",
            ]
    return [*lines, "}"]


def _kea(boot: _Boot) -> list[str]:
    ipxe = "option[175].exists or " + " or ".join(f"substring(option[77].hex,{at},4) == 'iPXE'" for at in (0, 1))
    first = _kea_class("qrm-ipxe", ipxe, boot, boot.script)
    classes = [first, *(_kea_of(kind, boot) for kind in _KINDS)]
    return json.dumps({"client-classes": classes}, indent=2).split("\n")[1:-1]


def _kea_of(kind: _Kind, boot: _Boot) -> dict[str, Any]:
    codes = " or ".join(f"substring(option[93].hex,0,2) == 0x{code:04x}" for code in kind.architectures)
    by_http = f"{'' if kind.http else 'not '}(substring(option[60].hex,0,10) == 'HTTPClient')"
    test = f"not member('qrm-ipxe') and {by_http} and ({codes})"
    made = _kea_class(f"qrm-{kind.name}", test, boot, boot.file(kind))
    if kind.http:
        always = {"name": "vendor-class-identifier", "data": "HTTPClient", "always-send": True}
        made["option-data"] = [always]
    return made


def _kea_class(name: str, test: str, boot: _Boot, file: str) -> dict[str, Any]:
    return {"name": name, "test": test, "next-server": boot.server, "boot-file-name": file}


def _mikrotik(boot: _Boot) -> list[str]:
    """The matchers go by option 60, which says the architecture too: RouterOS compares it as text."""
    options = [f"add name=qrm-server code=66 value=\"s'{boot.server}'\""]
    options += ["add name=qrm-http-client code=60 value=\"s'HTTPClient'\""]
    files = {"ipxe": boot.script, **{kind.name: boot.file(kind) for kind in _KINDS}}
    options += [f"add name=qrm-{name} code=67 value=\"s'{file}'\"" for name, file in files.items()]
    http = {kind.name for kind in _KINDS if kind.http}
    sets = [
        f"add name=qrm-{name} options=qrm-server,qrm-{name}{',qrm-http-client' if name in http else ''}"
        for name in files
    ]
    return [
        *_head(boot),
        "/ip dhcp-server option",
        *options,
        "/ip dhcp-server option sets",
        *sets,
        "/ip dhcp-server matcher",
        *_matchers(),
        "/ip dhcp-server network",
        f"set [find where address={boot.network}] next-server={boot.server}",
    ]


def _matchers() -> Iterable[str]:
    common = "server=dhcp1 matching-type=substring"
    yield f'add name=qrm-ipxe {common} code=77 value="iPXE" option-set=qrm-ipxe'
    for kind in _KINDS:
        client = "HTTPClient" if kind.http else "PXEClient"
        for code in kind.architectures:
            value = f'value="{client}:Arch:{code:05d}"'
            yield f"add name=qrm-{kind.name}-{code} {common} code=60 {value} option-set=qrm-{kind.name}"


def _opnsense(boot: _Boot) -> list[str]:
    return _dnsmasq(boot)


_Text = Callable[[_Boot], Sequence[str]]
_SNIPPETS: Mapping[ServerKind, tuple[str, str, _Text]] = MappingProxyType(
    {
        "dnsmasq": (
            "dnsmasq",
            "A file in /etc/dnsmasq.d/, such as /etc/dnsmasq.d/qrm.conf; then restart dnsmasq. Take out dhcp-boot lines"
            " of your own for these machines.",
            _dnsmasq,
        ),
        "dhcpd": (
            "ISC dhcpd",
            "Into /etc/dhcp/dhcpd.conf, before the first subnet, or inside one to boot that only (the two lines that"
            " begin with option qrm- stay outside); then restart isc-dhcp-server.",
            _dhcpd,
        ),
        "kea": (
            "Kea",
            'Into "Dhcp4" of /etc/kea/kea-dhcp4.conf, beside "subnet4"; classes of your own stay in the same list,'
            " after these. Then reload kea-dhcp4-server.",
            _kea,
        ),
        "mikrotik": (
            "MikroTik RouterOS",
            "Into the terminal of a router with RouterOS 7.4 or later, with the name of your DHCP server, as"
            " /ip dhcp-server print shows it, in place of dhcp1. The matcher for iPXE has to stay the first.",
            _mikrotik,
        ),
        "opnsense": (
            "OPNsense",
            "Where Services, Dnsmasq DNS & DHCP gives the addresses: this file as"
            " /usr/local/etc/dnsmasq.conf.d/qrm.conf, then restart Dnsmasq on its page.",
            _opnsense,
        ),
    }
)
KINDS: tuple[ServerKind, ...] = tuple(_SNIPPETS)

"""Boot decisions as iPXE scripts (https://ipxe.org/scripting). Pure.

Once a script of ours runs, the machine is ours: what cannot be fetched is retried with growing pauses, for ever.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from appliance.machine import MacAddress
from appliance.netboot.fleet import Boot
from appliance.netboot.policy import LocalDisk, MaintenanceStack, NetworkRoot, NextEntry, NoStack
from appliance.netboot.stack_files import HAND_OVER
from appliance.screencode import MEANINGS, Waits, code

_UUID = re.compile(r"[0-9A-Fa-f-]{4,36}")

GRUB = "grub-i386-pc.pxe"
"""Network GRUB, on our TFTP server."""
SCRIPT_QUERY = (
    "uuid=${uuid}&serial=${serial:uristring}&platform=${platform}"
    "&product=${product:uristring}&manufacturer=${manufacturer:uristring}&arch=${buildarch}"
)
"""What a boot script is asked for with, besides the MAC; iPXE fills it in, in a boot file name too."""
PAUSES = (1, 2, 5, 10, 20, 30, 60)
"""Seconds between attempts; the last one repeats."""
BUSY_SECONDS = 10
"""Seconds until a machine asks again that was told that we are busy."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the boot files of one subnet are."""

    server: str
    """Plain HTTP base URL, no slash at the end."""
    control: str
    """HTTPS base URL of the agent control."""
    stack: str
    """Path of the maintenance stack's directory, with its hash."""
    ca_fingerprint: str
    """SHA-256 of the CA certificate, hex."""


def shown(text: str, limit: int = 200) -> str:
    """Text that an ``echo`` prints as it is: no settings, no separators, no line ends, ASCII only."""
    return re.sub(r"[^A-Za-z0-9 .,:;()/@+=_-]", "?", text)[:limit].replace(" || ", " ").replace(" && ", " ")


def start_script(server: str) -> str:
    """The first script of any machine: asks for its own, with everything that iPXE knows of the computer."""
    asking = f"chain --autofree {_script_url(server)}"
    return "\n".join(["#!ipxe", "isset ${netX/ip} || dhcp ||", *_retrying(asking, _unanswered(server)), ""])


def busy_script(server: str, trouble: str, mac: MacAddress) -> str:
    """What is sent in place of an error that passes: the machine waits, and asks for its script again.

    Firmware that has the script's URL from DHCP would take an error for the end, and go on to its next boot entry.
    """
    said = [f"echo {shown(trouble)}. Asking again in {BUSY_SECONDS} s.", *_code(mac, Waits.ROOM)]
    # In place of this script, not inside it: however often it asks, scripts do not pile up.
    asking = f"chain --replace --autofree {_script_url(server)}"
    lines = ["#!ipxe", *said, f"sleep {BUSY_SECONDS} ||", *_retrying(asking, _unanswered(server)), ""]
    return "\n".join(lines)


def _unanswered(server: str) -> list[str]:
    """What to say when there is no boot script; whose it would be only iPXE knows."""
    return [
        f"echo No boot script from {server}: ${{why}}",
        _todo(Waits.SCRIPT),
        _find(f"${{netX/mac:hexraw}}-{Waits.SCRIPT:d}"),
    ]


def _script_url(server: str) -> str:
    return f"{server}/boot/script?mac=${{netX/mac:hexhyp}}&{SCRIPT_QUERY}"


def script(boot: Boot, site: Site, mac: MacAddress) -> str:
    """The script that carries out a boot decision on this machine.

    It goes to whoever sends this MAC address, so it says what, not why: reasons name deployments and are for the
    timeline.
    """
    match boot.spec:
        case MaintenanceStack():
            what, body = "starting the maintenance stack", _stack(boot, site, mac)
        case NetworkRoot() as root:
            what, body = "starting from the network", _network_root(root, boot, site, mac)
        case LocalDisk(esp_partuuid, root_fsuuid):
            host = urlsplit(site.server).hostname
            what, body = "starting from its disk", _local_disk(esp_partuuid, root_fsuuid, f"tftp://{host}", site, mac)
        case NoStack(architecture):
            what, body = f"there is no maintenance stack for {shown(architecture)}", _no_stack(site, mac)
        case NextEntry():
            what, body = "left to its firmware's next boot entry", ["exit 1"]
    head = ["#!ipxe", f"echo {shown(boot.name)}: {what}"]
    return "\n".join([*head, *body, ""])


def stack_arguments(boot: Boot, site: Site, mac: str) -> str:
    """The kernel command line of the maintenance stack, and of the hand-over initrd (ARCHITECTURE.md)."""
    values = {
        "qrm.server": site.server,
        "qrm.control": site.control,
        "qrm.ca": site.ca_fingerprint,
        "qrm.token": boot.token,
        "qrm.nonce": boot.nonce,
        "qrm.mac": mac,
    }
    return " ".join(
        ["console=tty0 console=ttyS0,115200n8 loglevel=4 panic=30", *(f"{k}={v}" for k, v in values.items())]
    )


def _stack(boot: Boot, site: Site, mac: MacAddress) -> list[str]:
    said = "The maintenance stack could not be fetched"
    arguments = stack_arguments(boot, site, mac)
    return _linux(site.stack, arguments, site, mac, ("initrd",), said, Waits.STACK)


def _network_root(root: NetworkRoot, boot: Boot, site: Site, mac: MacAddress) -> list[str]:
    said, arguments = "What mounts its root could not be fetched", root_arguments(root, boot, site, mac)
    return _linux(root.files or site.stack, arguments, site, mac, HAND_OVER, said, Waits.ROOT)


def root_arguments(root: NetworkRoot, boot: Boot, site: Site, mac: MacAddress) -> str:
    """The kernel command line of the hand-over initrd; what is ours comes last, and counts."""
    return " ".join(filter(None, (root.append, stack_arguments(boot, site, mac))))


def _linux(
    files: str, arguments: str, site: Site, mac: MacAddress, initrds: Sequence[str], said: str, waits: Waits
) -> list[str]:
    at = f"{site.server}{files}"
    named = " ".join(f"initrd={name}" for name in initrds)
    kernel = f"{at}/vmlinuz {named} {arguments}"
    fetched = " && ".join(f"initrd --name {name} {at}/{name}" for name in initrds)
    trouble = [f"echo {said} from {at}: ${{why}}", *_code(mac, waits), *_report(site, mac, waits)]
    return _retrying(f"kernel {kernel} && {fetched} && boot", trouble)


def _no_stack(site: Site, mac: MacAddress) -> list[str]:
    """Wait, and ask again now and then: it may be sent to its disk by then."""
    asking = f"chain --replace --autofree {_script_url(site.server)}"
    return [*_code(mac, Waits.ARCHITECTURE), f"sleep {PAUSES[-1]} ||", *_retrying(asking, _unanswered(site.server))]


def _code(mac: MacAddress, waits: Waits) -> list[str]:
    return [_todo(waits), _find(code(mac, waits))]


def _todo(waits: Waits) -> str:
    return f"echo To do: {MEANINGS[waits].todo}"


def _find(short: str) -> str:
    return f"echo Code {short}: in the console press Ctrl-K and type it, or: qrm find {short}"


def _report(site: Site, mac: MacAddress, waits: Waits) -> list[str]:
    """Have the console know of it, where the appliance answers at all."""
    url = f"{site.server}/boot/trouble/{mac}/{waits:d}?error=${{why}}"
    return [f"imgfetch --timeout 3000 --name trouble {url} && imgfree trouble ||"]


def _retrying(command: str, trouble: list[str]) -> list[str]:
    """``command``, again after growing pauses, for ever; in ``trouble``, ``${why}`` is iPXE's number of the error."""
    grow = [f"iseq ${{pause}} {now} && set pause {then} ||" for now, then in reversed(list(pairwise(PAUSES)))]
    return [
        f"set pause {PAUSES[0]}",
        ":again",
        "imgfree ||",
        f"{command} ||",
        "set why ${errno} ||",
        *trouble,
        "echo Trying again in ${pause} s.",
        "sleep ${pause} ||",
        *grow,
        "goto again",
    ]


def _local_disk(esp_partuuid: str | None, root_fsuuid: str | None, tftp: str, site: Site, mac: MacAddress) -> list[str]:
    """UEFI: the fallback loader of the partition with this UUID, whatever its drive number.

    BIOS: drive numbers say nothing of which disk is which, so that network GRUB looks for the file system.
    """
    # The agent of the machine said it: nothing but a UUID gets into a script.
    usable = esp_partuuid is not None and _UUID.fullmatch(esp_partuuid)
    efi = _esp_loop(esp_partuuid, site, mac) if esp_partuuid and usable else ["exit 1"]
    # iPXE hands its lease to GRUB as a packet, which breaks off at a boot file name of more than 128 bytes, such as
    # the URL of this script: GRUB would have no address.
    bios = [f"set netX/filename {GRUB} ||", f"chain {tftp}/{GRUB} ||"] if root_fsuuid else []
    return ["iseq ${platform} efi && goto efi ||", *bios, "exit 1", ":efi", *efi]


def _esp_loop(esp_partuuid: str, site: Site, mac: MacAddress) -> list[str]:
    return [
        f"set esp {esp_partuuid}",
        "set drive:int16 128",
        ":next",
        "sanboot --no-describe --drive ${drive} --uuid ${esp} ||",
        "inc drive",
        "iseq ${drive} 160 || goto next",
        "set why ${errno} ||",
        "echo No disk here has partition ${esp}, or it does not start: ${why}",
        *_code(mac, Waits.DISK),
        *_report(site, mac, Waits.DISK),
        "sleep 5 ||",
        "exit 1",
    ]

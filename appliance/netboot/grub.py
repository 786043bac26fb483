"""Boot decisions as configuration of GRUB. Pure.

Network GRUB for BIOS starts a machine from its disk. Signed GRUB, behind shim, does on UEFI with Secure Boot all that
iPXE does elsewhere: it may load nothing else than what is signed, and iPXE is not.
GRUB's manual is the reference; `(http,ADDRESS:PORT)` is a web server as a device.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import urlsplit

from appliance.machine import MacAddress
from appliance.netboot.fleet import Boot
from appliance.netboot.ipxe import BUSY_SECONDS, PAUSES, Site, root_arguments, shown, stack_arguments
from appliance.netboot.policy import BootSpec, LocalDisk, MaintenanceStack, NetworkRoot, NextEntry, NoStack
from appliance.netboot.stack_files import HAND_OVER
from appliance.screencode import MEANINGS, Waits, code

_UUID = re.compile(r"[0-9A-Fa-f-]{4,36}")
LOADERS = (
    "/EFI/BOOT/BOOTX64.EFI",
    "/EFI/debian/shimx64.efi",
    "/EFI/ubuntu/shimx64.efi",
    "/EFI/fedora/shimx64.efi",
    "/EFI/centos/shimx64.efi",
    "/EFI/redhat/shimx64.efi",
    "/EFI/rocky/shimx64.efi",
    "/EFI/almalinux/shimx64.efi",
    "/EFI/opensuse/shim.efi",
    "/EFI/sles/shim.efi",
    "/EFI/Microsoft/Boot/bootmgfw.efi",
)
"""Where an EFI system partition has what starts its system, the general place first."""


def config(spec: BootSpec, server: str, mac: MacAddress) -> str:
    """For network GRUB: start the boot sector of the disk that holds the deployment's root file system.

    A machine without that disk says so on its screen, and to us by HTTP: ``server`` is our base URL. Anything that is
    not to boot from disk ends at once, and the BIOS goes on with its next device.
    """
    if not isinstance(spec, LocalDisk) or not spec.root_fsuuid or not _UUID.fullmatch(spec.root_fsuuid):
        return 'echo "This machine is not to boot from its disk now."\n'
    uuid = spec.root_fsuuid
    said = [f"echo 'No disk here has the file system {uuid}, or it does not start.'", *_code(mac, Waits.DISK)]
    return _text([*_boot_sector(uuid), *said, _report(server, mac, Waits.DISK)])


def _boot_sector(uuid: str) -> list[str]:
    # Most loaders look for themselves on the first BIOS drive: drivemap makes theirs the first.
    return [
        f"if search --no-floppy --fs-uuid --set=found {uuid}; then",
        """  if regexp --set=1:disk '^(hd[0-9]+)' "$found"; then""",
        """    if [ "$disk" != hd0 ]; then drivemap -s hd0 "$disk"; fi""",
        '    chainloader "($disk)+1"',
        "    boot",
        "  fi",
        "fi",
    ]


def start_config(server: str) -> str:
    """For signed GRUB, the same for all: ask for the machine's own configuration, for ever.

    GRUB knows the card that it was loaded through, and reads the UUID out of SMBIOS.
    """
    ask = ["set heard=", f"source {_device(server)}/boot/grub/$net_default_mac/$uuid"]
    code_line = 'echo "Code $net_default_mac-10: in the console press Ctrl-K and type it, or: qrm find"'
    said = [f"echo 'No boot script from {shown(server)}.'", _todo(Waits.SCRIPT), code_line]
    unheard = ['if [ -z "$heard" ]; then', *(f"  {line}" for line in said), "fi"]
    head = ["smbios --type 1 --get-uuid 8 --set=uuid", 'if [ -z "$uuid" ]; then set uuid=none; fi']
    return _text([*head, *_retrying(ask, unheard)])


def busy_config(trouble: str, mac: MacAddress) -> str:
    """In place of an error that passes: wait; whoever read this asks again."""
    said = [f"echo '{shown(trouble)}. Asking again in {BUSY_SECONDS} s.'", *_code(mac, Waits.ROOM)]
    return _text([_HEARD, *said, f"sleep {BUSY_SECONDS}", "set pause=1"])


def uefi_config(boot: Boot, site: Site, mac: MacAddress) -> str:
    """What carries out a boot decision on this machine: the counterpart of ``ipxe.script``."""
    match boot.spec:
        case MaintenanceStack():
            what, body = "starting the maintenance stack", _stack(boot, site, mac)
        case NetworkRoot() as root:
            what, body = "starting from the network", _network_root(root, boot, site, mac)
        case NoStack(architecture):
            what, body = f"there is no maintenance stack for {shown(architecture)}", _code(mac, Waits.ARCHITECTURE)
        case LocalDisk(esp_partuuid, _):
            what, body = "starting from its disk", _deployments_disk(esp_partuuid, site, mac)
        case NextEntry():
            what, body = "starting what is on its own disks", _any_disk()
    return _text([_HEARD, f"echo '{shown(boot.name)}: {what}'", *body])


def _stack(boot: Boot, site: Site, mac: MacAddress) -> list[str]:
    said = "The maintenance stack could not be fetched"
    arguments = stack_arguments(boot, site, mac)
    return _linux(site.stack, arguments, site, mac, ("initrd",), said, Waits.STACK)


def _network_root(root: NetworkRoot, boot: Boot, site: Site, mac: MacAddress) -> list[str]:
    said, arguments = "What mounts its root could not be fetched", root_arguments(root, boot, site, mac)
    return _linux(root.files or site.stack, arguments, site, mac, HAND_OVER, said, Waits.ROOT)


def _linux(
    files: str, arguments: str, site: Site, mac: MacAddress, initrds: Sequence[str], said: str, waits: Waits
) -> list[str]:
    at = f"{_device(site.server)}{files}"
    # Shim checks the kernel's signature; nobody signs initrds.
    command = [
        f"if linux {at}/vmlinuz {arguments}; then",
        f"  if initrd {' '.join(f'{at}/{name}' for name in initrds)}; then boot; fi",
        "fi",
    ]
    trouble = [f"echo '{said} from {site.server}{files}.'"]
    return _retrying(command, [*trouble, *_code(mac, waits), _report(site.server, mac, waits)])


def _deployments_disk(esp_partuuid: str | None, site: Site, mac: MacAddress) -> list[str]:
    """The fallback loader of the partition with this UUID, its own shim, whatever its drive number.

    A machine without it waits and asks again: a GRUB that exits says that all went well, and firmware shows its menu.
    """
    if not esp_partuuid or not _UUID.fullmatch(esp_partuuid):
        return _any_disk()
    found = [
        "for part in (hd*,gpt*); do",
        "  set found=",
        "  probe --set=found --part-uuid $part",
        f'  if [ "$found" = "{esp_partuuid.lower()}" ]; then',
        *(f"    {line}" for line in _chained("$part", LOADERS[:1])),
        "  fi",
        "done",
    ]
    said = [f"echo 'No disk here has partition {esp_partuuid}, or it does not start.'", *_code(mac, Waits.DISK)]
    return [*found, *said, _report(site.server, mac, Waits.DISK)]


def _any_disk() -> list[str]:
    loaders = [f"  {line}" for line in _chained("$part", LOADERS)]
    return ["for part in (hd*,gpt*) (hd*,msdos*); do", *loaders, "done", "echo 'No disk here starts.'"]


_HEARD = "set heard=1"
"""For whoever reads this: it came."""


def _chained(part: str, loaders: tuple[str, ...]) -> list[str]:
    """A loader is told that it came from `root`, whatever stands before its name: shim looks there for GRUB."""
    tried = [f"if [ -f {part}{name} ]; then if chainloader {name}; then boot; fi; fi" for name in loaders]
    return [f"set root={part}", *tried]


def _code(mac: MacAddress, waits: Waits) -> list[str]:
    short = code(mac, waits)
    find = f"echo 'Code {short}: in the console press Ctrl-K and type it, or: qrm find {short}'"
    return [_todo(waits), find]


def _todo(waits: Waits) -> str:
    return f"echo 'To do: {shown(MEANINGS[waits].todo)}'"


def _report(server: str, mac: MacAddress, waits: Waits) -> str:
    return f"source {_device(server)}/boot/trouble/{mac}/{waits:d}"


def _retrying(command: list[str], trouble: list[str]) -> list[str]:
    """``command``, again after growing pauses, for ever. It may set ``pause`` to begin anew with short ones."""
    grow = [f"  if [ $pause = {now} ]; then set pause={then}; fi" for now, then in reversed(list(pairwise(PAUSES)))]
    return [
        f"set pause={PAUSES[0]}",
        "while true; do",
        *(f"  {line}" for line in (*command, *trouble)),
        '  echo "Trying again in $pause s."',
        "  sleep $pause",
        *grow,
        "done",
    ]


def _device(server: str) -> str:
    """A plain HTTP base URL as GRUB's device."""
    return f"(http,{urlsplit(server).netloc})"


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, ""])

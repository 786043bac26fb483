"""Boot decisions as configuration of network GRUB, for BIOS machines that start from their disk. Pure."""

import re

from appliance.netboot.policy import BootSpec, LocalDisk

_UUID = re.compile(r"[0-9A-Fa-f-]{4,36}")


def config(spec: BootSpec) -> str:
    """GRUB commands that start the boot sector of the disk that holds the deployment's root file system.

    Anything that is not to boot from disk ends at once, and the BIOS goes on with its next device.
    """
    if not isinstance(spec, LocalDisk) or not spec.root_fsuuid or not _UUID.fullmatch(spec.root_fsuuid):
        return 'echo "This machine is not to boot from its disk now."\n'
    uuid = spec.root_fsuuid
    # Most loaders look for themselves on the first BIOS drive: drivemap makes theirs the first.
    return f"""\
if search --no-floppy --fs-uuid --set=found {uuid}; then
  if regexp --set=1:disk '^(hd[0-9]+)' "$found"; then
    if [ "$disk" != hd0 ]; then drivemap -s hd0 "$disk"; fi
    chainloader "($disk)+1"
    boot
  fi
fi
echo "No disk here has the file system {uuid}."
"""

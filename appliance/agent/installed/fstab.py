"""fstab(5) of a system whose root comes over the network: what its image says of disks is of other disks."""

NOT_HERE = "# Left out, since the root comes over the network: "
DISKS = ("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID=")
"""What a block device is named by. systemd waits for those of fstab, and starts nothing without them."""


def fstab_with(text: str, root: str) -> str:
    """An fstab in which nothing is of a disk but the line `root`, "" for none; the rest as before (pure).

    Done twice it is the same. A file for swapping stays out as well: it would be swapped to over the network.
    """
    lines = [line if _stays(line) else NOT_HERE + line for line in text.splitlines() if line != root]
    return "\n".join([*([root] if root else []), *lines, ""])


def _stays(line: str) -> bool:
    fields = line.split()
    if len(fields) < 3 or fields[0].startswith("#"):
        return True
    source, place, kind = fields[:3]
    return place != "/" and kind != "swap" and not source.strip('"').upper().startswith(tuple(map(str.upper, DISKS)))

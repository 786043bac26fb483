"""Lets the user that VMs run as read what is meant for them, in a directory that is nobody else's.

libvirt would make the files that user's own, and then a VM that was broken out of could write them.
"""

import logging
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from appliance.posix_acl import ATTRIBUTE, READ, SEARCH, let_in

log = logging.getLogger(__name__)

USER = "libvirt-qemu"
"""What Debian's libvirt runs VMs as."""


def reader() -> int | None:
    """The number of that user; None where there is no libvirt that has one."""
    try:
        return pwd.getpwnam(USER).pw_uid
    except KeyError:
        return None


def let_read(file: Path, through: Sequence[Path], uid: int | None) -> bool:
    """Let ``uid`` read one file, and pass the directories ``through`` to it without listing them. Blocks.

    False, and a line in the log, where the file system has no access lists, or nobody is there to read.
    """
    if uid is None:
        return False
    try:
        for directory in through:
            _let(directory, uid, SEARCH)
        _let(file, uid, READ)
    except OSError as error:
        log.warning("VMs cannot read %s: access could not be given: %s", file, error.strerror)
        return False
    return True


def _let(path: Path, uid: int, rights: int) -> None:
    mode = path.stat().st_mode
    try:
        found: bytes | None = os.getxattr(path, ATTRIBUTE)
    except OSError:  # there is none yet; where there can be none, setting one says so
        found = None
    os.setxattr(path, ATTRIBUTE, let_in(found, mode, uid, rights))

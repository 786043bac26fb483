"""``python keep_groups.py PROGRAM ...``: run a server that insists on giving up its groups where nobody can.

In a network namespace that an ordinary user made, setgroups(2) is forbidden to all, and in.tftpd and nginx end
without it. The kernel answers it with success here; all other calls are as fast as without.
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SETGROUPS = {"x86_64": 116, "aarch64": 159}
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ANSWER_SUCCESS = 0x7FFF0000, 0x00050000


def main() -> None:
    """Does not return."""
    program = b"".join(
        struct.pack("=HBBI", *each)
        for each in (
            (LOAD_NUMBER, 0, 0, 0),
            (JUMP_IF_EQUAL, 0, 1, SETGROUPS[platform.machine()]),
            (RETURN, 0, 0, ANSWER_SUCCESS),
            (RETURN, 0, 0, ALLOW),
        )
    )
    held = ctypes.create_string_buffer(program)
    filtered = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(held))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filtered)):
        if prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(sys.argv[1], sys.argv[1:])


main()

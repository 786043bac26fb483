"""Start a program with listening sockets the way systemd does (sd_listen_fds(3)).

``python -m appliance.lab.activate FD NAME PROGRAM ARGUMENT...``: the socket ``FD`` becomes descriptor 3. A process
of its own does this because LISTEN_PID must name the process that uses the socket, known only after the fork.
"""

import os
import sys

FIRST = 3
"""SD_LISTEN_FDS_START."""


def main() -> None:
    """Become the program."""
    descriptor, name, *argv = sys.argv[1:]
    if int(descriptor) == FIRST:
        os.set_inheritable(FIRST, True)
    else:
        os.dup2(int(descriptor), FIRST)
    os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES=name, LISTEN_PID=str(os.getpid()))
    os.execvp(argv[0], argv)  # noqa: S606 - the point of this program


if __name__ == "__main__":
    main()

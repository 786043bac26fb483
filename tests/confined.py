"""Runs a program as our systemd unit lets the daemon run: what the unit denies is denied here, without systemd.

    python tests/confined.py systemd/appliance.service WRITABLE... -- PROGRAM ARGUMENT...

To be called with the capabilities of root, also of a user namespace. What follows from the unit's lines: its own
capabilities, a file system that can be written below WRITABLE only, homes and devices that cannot be seen, and its
filter of system calls, made by libseccomp as systemd makes it (systemd.exec(5), seccomp-util.c). What only gives (a
user, a directory) is left to whoever calls; /tmp and /var/tmp stay as they are.
"""

import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

KILL, ALLOW, ERROR = 0x80000000, 0x7FFF0000, 0x00050000
DENY, NOT_SUPPORTED, NOT_THERE = ERROR | errno.EPERM, ERROR | errno.EAFNOSUPPORT, ERROR | errno.ENOSYS
NOT_EQUAL, EQUAL, AT_LEAST, MASKED = 1, 4, 5, 7
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
NEW_MOUNTS = 0x00020000
NEW_NAMESPACES = (NEW_MOUNTS, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}
CAPABILITIES = {"CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13}
NO_NEW_PRIVILEGES, DROP_BOUND, CAPABILITY_VERSION = 38, 24, 0x20080522
BIND, MOVE, RECURSIVE, PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000
AT_CWD, AT_RECURSIVE = -100, 0x8000
AT_HAND = "/mnt"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
ROOTS_CALL = "fchown"
"""Who is not root, as the daemon, does not call it: SQLite gives its files to whom the database belongs."""
TEMPORARY = ("/tmp", "/var/tmp")
"""Not ours alone here, as PrivateTmp= would have it."""
HOMES = ("/home", "/root", "/run/user")


class Comparison(ctypes.Structure):
    """libseccomp's scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


@cache
def libc() -> ctypes.CDLL:
    """The C library."""
    return ctypes.CDLL(None, use_errno=True)


@cache
def seccomp() -> ctypes.CDLL:
    """The library, its calls typed where an int would not do."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    number = ctypes.c_uint
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, number, ctypes.c_int, number, ctypes.c_void_p]
    return library


def number_of(call: str) -> int:
    """On this architecture; below zero where it has none of that name."""
    return int(seccomp().seccomp_syscall_resolve_name(call.encode()))


def settings(unit: Path) -> dict[str, list[str]]:
    """The values of each key of a unit, in their order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def calls_in(name: str) -> set[str]:
    """The calls of a set such as ``@system-service``, those of sets in it with them; of a call itself, the call."""
    if not name.startswith("@"):
        return {name}
    argv = ["systemd-analyze", "syscall-filter", name]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    words = [line.strip() for line in said if line.strip() and not line.strip().startswith("#")]
    return set().union(*map(calls_in, words))


def allowed_calls(lines: Iterable[str]) -> set[str]:
    """What SystemCallFilter= lets through: its first line begins a list of what is allowed."""
    found = calls_in("@default")
    for line in lines:
        named = set().union(*map(calls_in, line.removeprefix("~").split()))
        found = found - named if line.startswith("~") else found | named
    return found


def load(default: int, rules: Iterable[tuple[int, str, list[tuple[int, int, int, int]]]]) -> None:
    """One filter more over this process and all that come from it: (action, call, comparisons of its arguments)."""
    library = seccomp()
    made = library.seccomp_init(ctypes.c_uint32(default))
    for action, call, compared in rules:
        number = number_of(call)
        if number < 0:
            continue  # of another architecture, or newer than the library
        array = (Comparison * max(1, len(compared)))(*(Comparison(*each) for each in compared))
        if code := library.seccomp_rule_add_array(made, action, number, len(compared), array):
            raise OSError(-code, f"a rule for {call}")
    if code := library.seccomp_load(made):
        raise OSError(-code, "the filter")


def refusals(keys: dict[str, list[str]]) -> Iterator[tuple[int, str, list[tuple[int, int, int, int]]]]:
    """What the unit's other lines deny, as systemd has it."""
    if keys["MemoryDenyWriteExecute"] == ["yes"]:
        yield DENY, "mmap", [(2, MASKED, PROT_EXEC | PROT_WRITE, PROT_EXEC | PROT_WRITE)]
        yield DENY, "mprotect", [(2, MASKED, PROT_EXEC, PROT_EXEC)]
        yield DENY, "pkey_mprotect", [(2, MASKED, PROT_EXEC, PROT_EXEC)]
        yield DENY, "shmat", [(2, MASKED, SHM_EXEC, SHM_EXEC)]
    if keys["RestrictNamespaces"] == ["yes"]:
        yield DENY, "setns", []
        yield NOT_THERE, "clone3", []  # its flags are in memory, where no filter looks
        for flag in NEW_NAMESPACES:
            yield DENY, "clone", [(0, MASKED, flag, flag)]
            yield DENY, "unshare", [(0, MASKED, flag, flag)]
    known = sorted(FAMILIES[name] for name in keys["RestrictAddressFamilies"][0].split())
    for family in set(range(max(known))) - set(known):
        yield NOT_SUPPORTED, "socket", [(0, EQUAL, family, 0)]
    yield NOT_SUPPORTED, "socket", [(0, AT_LEAST, max(known) + 1, 0)]
    if os.geteuid() == 0:
        yield ERROR, ROOTS_CALL, []  # does nothing, and says that it is done
    if keys["RestrictRealtime"] == ["yes"]:
        yield DENY, "sched_setscheduler", [(1, NOT_EQUAL, 0, 0)]


def hide_files(writable: list[str]) -> None:
    """ProtectSystem=strict, ProtectHome=yes and PrivateDevices=yes, in a mount namespace of its own."""
    libc().unshare(NEW_MOUNTS)
    mount("none", "/", RECURSIVE | PRIVATE)
    for each in (*TEMPORARY, *writable):
        mount(each, each, BIND | RECURSIVE)
    for home in HOMES:
        if Path(home).is_dir() and not _holds(home, writable):
            mount("none", home, 0, "tmpfs", "mode=000")
    _hide_devices()
    _set_read_only("/", True)
    for each in (*TEMPORARY, *writable):
        _set_read_only(each, False)


def _hide_devices() -> None:
    mount("none", AT_HAND, 0, "tmpfs")
    Path(AT_HAND, "shm").mkdir()
    Path(AT_HAND, "fd").symlink_to("/proc/self/fd")
    for device in DEVICES:
        Path(AT_HAND, device).touch()
        mount(f"/dev/{device}", f"{AT_HAND}/{device}", BIND)
    mount(AT_HAND, "/dev", MOVE)


def _holds(home: str, paths: Iterable[str]) -> bool:
    return any(Path(each).is_relative_to(home) for each in [*paths, sys.prefix, sys.base_prefix, __file__])


def mount(source: str, target: str, flags: int, kind: str = "none", data: str = "") -> None:
    """mount(2): the program of that name does little for who is not root."""
    if libc().mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()):
        raise OSError(ctypes.get_errno(), f"mount of {target}")


def _set_read_only(path: str, read_only: bool) -> None:
    """mount_setattr(2), with all that is mounted below."""
    one = (ctypes.c_uint64 * 4)(*((1, 0) if read_only else (0, 1)), 0, 0)
    arguments = (AT_CWD, path.encode(), AT_RECURSIVE, ctypes.byref(one), ctypes.sizeof(one))
    if libc().syscall(number_of("mount_setattr"), *arguments):
        raise OSError(ctypes.get_errno(), f"mount_setattr of {path}")


def give_up_capabilities(keys: dict[str, list[str]]) -> None:
    """CapabilityBoundingSet=, AmbientCapabilities= and NoNewPrivileges=: who is started has the named ones at most."""
    kept = {CAPABILITIES[name] for name in keys["CapabilityBoundingSet"][0].split()}
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in set(range(last + 1)) - kept:
        libc().prctl(DROP_BOUND, number, 0, 0, 0)
    mine = sum(1 << number for number in kept)
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)(mine, mine, mine)
    if libc().syscall(number_of("capset"), header, sets):  # what is not inheritable is not ambient any more
        raise OSError(ctypes.get_errno(), "capset")
    libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def confine(unit: Path, writable: list[str]) -> None:
    """This process, and all that it starts from here on. The libraries that it needs for that are loaded before."""
    keys = settings(unit)
    calls = allowed_calls(keys["SystemCallFilter"]) | ({ROOTS_CALL} if os.geteuid() == 0 else set())
    seccomp()
    hide_files(writable)
    give_up_capabilities(keys)
    load(ALLOW, list(refusals(keys)))
    load(KILL, [(ALLOW, call, []) for call in sorted(calls)])


def main() -> None:
    """The command line."""
    unit, *rest = sys.argv[1:]
    at = rest.index("--")
    confine(Path(unit), rest[:at])
    os.execvp(rest[at + 1], rest[at + 1 :])


if __name__ == "__main__":
    main()

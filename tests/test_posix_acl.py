"""Access lists: written by us, kept and read by the kernel, and never more than was asked for."""

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.posix_acl import ATTRIBUTE, READ, SEARCH, let_in
from appliance.reconcile.vm_readers import let_read

GUEST, OTHER = 64055, 64056


def entries(text):
    return {(kind, who): allowed for kind, allowed, who in struct.iter_unpack("<HHI", text[4:])}


def test_one_user_gets_in_and_nobody_else():
    text = let_in(None, 0o100600, GUEST, READ)
    nobody = 0xFFFFFFFF
    assert entries(text) == {(1, nobody): 6, (2, GUEST): 4, (4, nobody): 0, (0x10, nobody): 4, (0x20, nobody): 0}
    assert let_in(text, 0o100640, GUEST, READ) == text


def test_a_mask_that_hid_something_hides_it_still():
    """What chmod does to a directory with a list, as systemd does it at each start."""
    shut = bytearray(let_in(None, 0o750, GUEST, SEARCH))
    at = 4 + 8 * sorted(entries(bytes(shut))).index((0x10, 0xFFFFFFFF))
    struct.pack_into("<HH", shut, at, 0x10, 0)
    opened = entries(let_in(bytes(shut), 0o700, GUEST, SEARCH))
    assert (opened[2, GUEST], opened[4, 0xFFFFFFFF], opened[0x10, 0xFFFFFFFF]) == (SEARCH, 0, SEARCH)


@given(st.binary(max_size=80), st.integers(0, 0o777))
def test_any_list_that_is_found_gives_way_to_one_that_can_be_read(found, mode):
    text = let_in(found, mode, GUEST, READ)
    known = entries(text)
    assert known[2, GUEST] == READ
    assert list(known) == sorted(known)
    assert all(allowed <= 7 for allowed in known.values())


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")


def can(uid, path):
    """Whether a user can read a file, asked of the kernel."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            path.read_bytes()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@needs_root
def test_the_kernel_lets_that_user_read_and_nothing_else(tmp_path):
    for each in (tmp_path, *tmp_path.parents[:-2]):
        each.chmod(0o755)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    isos = state / "isos"
    isos.mkdir(mode=0o700)
    disc, secret = isos / "a.iso", isos / "b.iso"
    for each in (disc, secret, state / "store.db"):
        each.write_bytes(b"content")
        each.chmod(0o600)
    assert not can(GUEST, disc)
    for _ in range(2):
        assert let_read(disc, (state, isos), GUEST)
        assert (can(GUEST, disc), can(GUEST, secret), can(GUEST, state / "store.db")) == (True, False, False)
        assert not can(OTHER, disc)
        state.chmod(0o700)  # as systemd does at the next start
        assert not can(GUEST, disc)
    assert os.getxattr(disc, ATTRIBUTE)
    assert state.stat().st_mode & 0o022 == 0


def test_without_that_user_nothing_is_changed(tmp_path):
    disc = tmp_path / "a.iso"
    disc.write_bytes(b"")
    assert not let_read(disc, (tmp_path,), None)
    with pytest.raises(OSError, match="No data"):
        os.getxattr(disc, ATTRIBUTE)


def test_a_file_that_is_gone_is_told_in_the_log(tmp_path, caplog):
    assert not let_read(tmp_path / "gone.iso", (tmp_path,), GUEST)
    assert "VMs cannot read" in caplog.text

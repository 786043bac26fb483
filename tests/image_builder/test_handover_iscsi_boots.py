"""The built hand-over initrd in a machine: a root on a disk by iSCSI, from a target that is not our own (tgt)."""

import json
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import controllers
import pytest
import test_builder_stack_boots
from builder import cpio
from handover_appliance import SEEN_AS
from test_builder_stack_boots import built_stack
from test_handover_boots import MAC, boot, busybox_root
from test_handover_network_roots import INITIATOR, SECRET, TARGET, UUID, iscsi

INIT = b"""#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
cat "/sys/class/iscsi_session/session1/state" >/state
echo written >/written && sync
daemon=$(ps | grep -c '[@]iscsid')
left=$(grep -rl a-secret-of-16ch /run /etc /tmp /dev/shm 2>/dev/null | tr '\\n' ' ')
echo "ROOT $(cat /proc/sys/kernel/hostname) $(cat /state) daemon=$daemon left=[$left]"
mount -o remount,ro /
poweroff -f
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A file system with the root in it, as the appliance makes it."""
    root = busybox_root(tmp_path, built_stack(), INIT)
    made = tmp_path / "root.ext4"
    mke2fs = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin") or "mke2fs"
    subprocess.run([mke2fs, "-q", "-t", "ext4", "-U", UUID, "-d", root, made, "64M"], check=True)
    return made


@pytest.fixture
def port(disk: Path) -> Iterator[int]:
    """Where a target serves it, to one initiator that knows the secret."""
    number, control = controllers.free_port(socket.SOCK_STREAM), str(os.getpid() % 30000)
    daemon = subprocess.Popen(["tgtd", "-f", "-C", control, "--iscsi", f"portal=127.0.0.1:{number}"])
    try:
        for words in (
            f"target --op new --tid 1 --targetname {TARGET}",
            f"logicalunit --op new --tid 1 --lun 1 --backing-store {disk}",
            f"account --op new --user web1 --password {SECRET}",
            "account --op bind --tid 1 --user web1",
            f"target --op bind --tid 1 --initiator-name {INITIATOR}",
        ):
            insist(["tgtadm", "-C", control, "--lld", "iscsi", "--mode", *words.split()])
        yield number
    finally:
        daemon.kill()
        daemon.wait()


def insist(command: list[str]) -> None:
    """Until the daemon has come up."""
    end = time.monotonic() + 20
    while subprocess.run(command, check=False, capture_output=True).returncode:
        assert time.monotonic() < end, command
        time.sleep(0.2)


@pytest.mark.vm
@pytest.mark.slow
@pytest.mark.root
@pytest.mark.timeout(900)
def test_a_root_by_iscsi_is_mounted_and_written(
    tmp_path: Path, disk: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_builder_stack_boots, "LIMIT_SECONDS", 400)
    document = iscsi(portal=f"{SEEN_AS}:{port}")
    document["nic"] = {"mac": MAC}
    given = cpio.Entry("qrm/root.json", stat.S_IFREG | 0o600, json.dumps(document).encode())
    said = boot(built_stack(), tmp_path, "", cpio.archive([cpio.directory("qrm"), given]))
    assert said == "ROOT web1 LOGGED_IN daemon=1 left=[]"
    debugfs = shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin") or "debugfs"
    read = subprocess.run([debugfs, "-R", "cat /written", disk], capture_output=True, text=True, check=True)
    assert read.stdout == "written\n"

"""The hand-over initrd's program with roots that stay on the appliance: by NFS, and on a disk by iSCSI."""

import os
import select
import signal
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from handover_bench import MAC, REACHED, RESTARTED, SHELLS, Bench, ram

SECRET = "a-secret-of-16ch"
TARGET = "iqn.2026-11.test.lab:0123456789abcdef"
INITIATOR = "iqn.2026-11.test.lab:machine-web1"
UUID = "33333333-0000-4000-8000-000000000001"
SESSION = "sys/class/iscsi_session/session1"
NETWORKD = "systemd-networkd.service"
DISK = f"{SESSION}/device/target0:0:0/0:0:0:1/block/sda"


def nfs(**changes: Any) -> dict[str, Any]:
    """A document with a root of the machine's own, by NFS."""
    given = {"server": "10.77.0.1", "path": "/0123456789abcdef", "read_only": False, "overlay": False, **changes}
    return {**ram(), "delivery": "nfs", "ram": None, "nfs": given, "files": []}


def iscsi(**changes: Any) -> dict[str, Any]:
    """A document with a root on a disk."""
    given = {
        "portal": "10.77.0.1:3260",
        "target": TARGET,
        "initiator": INITIATOR,
        "user": "web1",
        "secret": SECRET,
        "root": f"UUID={UUID}",
        **changes,
    }
    return {**ram(), "delivery": "iscsi", "ram": None, "iscsi": given, "files": []}


@pytest.fixture(params=SHELLS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return with_disk(Bench(tmp_path / "machine", request.param))


@pytest.fixture
def dash(tmp_path: Path) -> Bench:
    return with_disk(Bench(tmp_path / "machine", SHELLS[0]))


def with_disk(bench: Bench) -> Bench:
    """A machine whose iSCSI daemon finds a disk, and that has one of its own with the same file system."""
    bench.put("proc/mounts", "")
    bench.put("proc/net/unix", "@ISCSIADM_ABSTRACT_NAMESPACE\n")
    bench.put("sys/module/nfs/parameters/nfs4_unique_id", "")
    for name in ("udevadm", "unshare", "iscsiadm", "blkid", "e2fsck"):
        says(bench, name, "")
    says(bench, "iscsiadm", f'case "$*" in *--login*) mkdir -p "$QRM_AT/{DISK}/sda1" "$QRM_AT/{SESSION}"; '
         f'echo {TARGET} >"$QRM_AT/{SESSION}/targetname" ;; esac')  # fmt: skip
    says(bench, "blkid", f'case "$*" in *UUID*sdb) echo {UUID} ;; *UUID*sda1) echo {UUID} ;; *TYPE*) echo ext4 ;; esac')
    for name in ("sda", "sda1", "sdb"):
        bench.put(f"dev/{name}", "")
    wants = bench.root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / NETWORKD).symlink_to(f"/usr/lib/systemd/system/{NETWORKD}")
    return bench


def says(bench: Bench, name: str, line: str) -> None:
    """A program that notes what it was told, and then does this."""
    first = bench.at / "programs" / "mount"
    bench.program(name, first.read_text().rstrip("\n") + "\n" + line + "\n")


def test_a_root_of_its_own_by_nfs(bench):
    bench.given(nfs())
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    (mount,) = [line for line in ended.told if line.startswith("mount")]
    options = "vers=4.2,proto=tcp,hard,sec=sys,retry=0,rw"
    assert mount == f"mount <-t> <nfs4> <-o> <{options}> <10.77.0.1:/0123456789abcdef> <{bench.root}>"
    assert (bench.at / "sys/module/nfs/parameters/nfs4_unique_id").read_text() == f"qrm-{MAC}"
    assert (bench.at / "proc/sys/kernel/hostname").read_text() == "web1"


def test_a_shared_root_by_nfs_has_a_layer_in_memory(bench):
    bench.given(nfs(read_only=True, overlay=True))
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    mounts = [line for line in ended.told if line.startswith("mount")]
    assert ",ro> <10.77.0.1:/0123456789abcdef> " in mounts[0]
    assert f"<qrm-root> <{bench.root}>" in mounts[-1]


def test_nobody_writes_to_a_root_that_is_shared(dash):
    dash.given(nfs(read_only=True))
    ended = dash.run()
    assert ended.status == RESTARTED
    assert "make no sense: nfs.overlay, which a read-only root needs" in ended.screen


@pytest.mark.parametrize("document", [nfs(), iscsi()], ids=["nfs", "iscsi"])
def test_the_image_leaves_the_card_of_its_root_alone(bench, document):
    bench.given(document)
    told = bench.run().told
    assert not any("flush" in line for line in told)
    network = bench.at / "run/systemd/network/00-qrm-root.network"
    assert {f"MACAddress={MAC}", "KeepConfiguration=yes", "DHCP=ipv4"} <= set(network.read_text().splitlines())
    assert stat.S_IMODE(network.stat().st_mode) == 0o644
    assert stat.S_IMODE(network.parent.stat().st_mode) == 0o755
    assert f"match-device=mac:{MAC}" in (bench.at / "run/NetworkManager/conf.d/90-qrm-root.conf").read_text()
    assert (bench.at / "run/network/ifstate").read_text() == "eth0=eth0\n"


def test_a_server_that_is_away_is_waited_for(dash):
    dash.given(nfs())
    says(dash, "mount", '[ -e "$QRM_AT/second" ] || { : >"$QRM_AT/second"; echo "mount.nfs4: refused" >&2; exit 32; }')
    ended = dash.run()
    assert ended.status == REACHED
    assert "its root 10.77.0.1:/0123456789abcdef does not come by NFS: mount.nfs4: refused" in ended.screen
    assert "code:      4C0101-52" in ended.screen


def test_a_root_by_iscsi_is_what_its_own_session_has(bench):
    bench.given(iscsi())
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    mounts = [line for line in ended.told if line.startswith("mount")]
    assert mounts == [f"mount <-t> <ext4> <-o> <rw> <{bench.at}/dev/sda1> <{bench.root}>"]
    assert f"e2fsck <-p> <{bench.at}/dev/sda1>" in ended.told
    order = [name for line in ended.told if (name := line.split(" ")[0]) in ("iscsiadm", "e2fsck", "mount")]
    assert order == ["iscsiadm", "iscsiadm", "e2fsck", "mount"]
    assert any(line.startswith("unshare <-m> ") for line in ended.told), "the daemon has a room of its own"


def test_the_secret_is_in_a_file_for_root_and_then_gone(bench):
    bench.given(iscsi())
    # As open-iscsi does: it makes a record of what its configuration says.
    says(
        bench,
        "iscsiadm",
        f'''mkdir -p "$QRM_AT/{DISK}/sda1" "$QRM_AT/var/lib/iscsi/nodes/x"
echo {TARGET} >"$QRM_AT/{SESSION}/targetname"
cat "$QRM_AT/etc/iscsi/iscsid.conf" >"$QRM_AT/var/lib/iscsi/nodes/x/default"
stat -c %a "$QRM_AT/etc/iscsi/iscsid.conf" >"$QRM_AT/mode"
cat "$QRM_AT/etc/iscsi/iscsid.conf" >"$QRM_AT/sent"''',
    )
    ended = bench.run()
    assert ended.status == REACHED
    assert (bench.at / "mode").read_text() == "600\n"
    written = (bench.at / "sent").read_text().splitlines()
    assert f"node.session.auth.password = {SECRET}" in written
    assert "node.session.timeo.replacement_timeout = 86400" in written
    assert bench.holding(SECRET) == []
    assert SECRET not in "\n".join([*ended.told, ended.screen, ended.errors])


def test_a_login_that_is_refused_is_told_and_tried_again(dash):
    dash.given(iscsi())
    refusal = 'echo "iscsiadm: initiator reported error (24 - iSCSI login failed due to authorization failure)" >&2'
    login = (dash.at / "programs/iscsiadm").read_text().splitlines()[-1]
    says(dash, "iscsiadm", f'case "$*" in *--login*) [ -e "$QRM_AT/second" ] || {{ : >"$QRM_AT/second"; {refusal}; '
         f"exit 24; }} ;; esac\n{login}")  # fmt: skip
    ended = dash.run()
    assert ended.status == REACHED
    assert f"its disk {TARGET} at 10.77.0.1:3260 does not come by iSCSI: " in ended.screen
    assert "authorization failure" in ended.screen


def test_another_disk_with_the_same_file_system_is_left_alone(dash):
    dash.given(iscsi())
    says(dash, "blkid", f'case "$*" in *UUID*sdb) echo {UUID} ;; *TYPE*) echo ext4 ;; esac')
    dash.program("sleep", '#!/bin/sh\nexec kill -TERM "$PPID"\n')
    ended = dash.run()
    assert f"has no file system with UUID={UUID}" in ended.screen
    assert not any(line.startswith(("mount", "e2fsck")) for line in ended.told)


@pytest.mark.parametrize(("status", "outcome"), [(0, REACHED), (1, REACHED), (2, REACHED), (4, RESTARTED)])
def test_what_the_check_of_a_root_finds(dash, status, outcome):
    dash.given(iscsi())
    says(dash, "e2fsck", f"echo UNEXPECTED INCONSISTENCY; exit {status}")
    ended = dash.run()
    assert ended.status == outcome
    assert any(line.startswith("mount") for line in ended.told) is (outcome == REACHED)


@pytest.mark.parametrize("own", [False, True])
def test_the_daemon_stays_unless_the_image_has_its_own(bench, own):
    bench.given(iscsi())
    (bench.root / "etc/iscsi").mkdir()
    if own:
        bench.put("sysroot/usr/sbin/iscsid", "").chmod(0o755)
    bench.program("unshare", "#!/bin/sh\nexec /bin/sleep 300 >/dev/null 2>&1\n")
    # The daemon's number is gone with the rest when the program ends: it is noted while it logs in.
    note = 'cat "$QRM_AT/run/qrm/iscsid.pid" >"$QRM_AT/daemon"'
    says(bench, "iscsiadm", (bench.at / "programs/iscsiadm").read_text().splitlines()[-1] + "\n" + note)
    ended = bench.run()
    assert ended.status == REACHED
    daemon = int((bench.at / "daemon").read_text())
    stays = (Path("/proc") / str(daemon)).exists() and not has_ended(daemon)
    with suppress(ProcessLookupError):
        os.kill(daemon, signal.SIGKILL)
    assert stays is not own
    assert (bench.root / "etc/iscsi/initiatorname.iscsi").read_text() == f"InitiatorName={INITIATOR}\n"


def has_ended(process: int) -> bool:
    """Whether it ends within a moment."""
    with suppress(ProcessLookupError):
        waiting = os.pidfd_open(process)
        try:
            return bool(select.select([waiting], [], [], 2.0)[0])
        finally:
            os.close(waiting)
    return True


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (nfs(server="10.77.0.1,rw"), "nfs.server"),
        (nfs(server="appliance"), "nfs.server"),
        (nfs(path="/a,exec"), "nfs.path"),
        (nfs(path="/$(reboot)"), "nfs.path"),
        (nfs(overlay="yes"), "nfs.overlay"),
        (iscsi(portal="10.77.0.1"), "iscsi.portal"),
        (iscsi(target="iqn.2026-11.test:a\nnode.x = y"), "iscsi.target"),
        (iscsi(initiator="web1"), "iscsi.initiator"),
        (iscsi(user="web1\nnode.startup = automatic"), "iscsi.user"),
        (iscsi(secret="too-short"), "iscsi.secret"),
        (iscsi(secret="a secret of 16ch"), "iscsi.secret"),
        (iscsi(root="/dev/sda1"), "iscsi.root"),
        (iscsi(root="UUID=$(reboot)"), "iscsi.root"),
    ],
)
def test_hostile_values_go_nowhere(dash, document, where):
    dash.given(document)
    ended = dash.run()
    assert ended.status == RESTARTED
    assert f"make no sense: {where}" in ended.screen
    assert SECRET not in ended.screen
    assert not any(line.startswith(("mount", "iscsiadm", "unshare")) for line in ended.told)

"""Roots that the appliance exports: opened, grown, written to, and given back, whatever happens."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from exported_roots import GROWN, ROOT, SECRET, UUID, Computer, killed_in_the_middle, made, pause

from appliance.agent.disk.listing import is_lent
from appliance.agent.errors import StepFailed
from appliance.agent.exported import mounting, nfs
from appliance.agent.exported.given import ExportedRoot, NfsRoot
from appliance.agent.exported.opening import opened
from appliance.agent.exported.told import exported_root
from appliance.agent.job import Params
from appliance.agent.run import ProgramFailed

NODE = f"iscsiadm --mode node --targetname {ROOT.target} --portal {ROOT.portal}"
NFS = NfsRoot("10.77.0.1", "/0123456789abcdef")
MAC = "52:54:00:00:00:01"


@pytest.fixture
def computer(tmp_path: Path, root_tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Computer]:
    made_one = made(tmp_path / "computer", root_tree, monkeypatch)
    yield made_one
    mounting.unmount(made_one.point)


def use(computer: Computer, root: ExportedRoot = ROOT) -> None:
    """What a step does with it."""
    with opened(root, MAC, computer.point, pause, computer.at) as tree:
        tree.write("/etc/hostname", "web-1\n")


def failure(computer: Computer, root: ExportedRoot = ROOT) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        use(computer, root)
    return caught.value


@pytest.mark.root
class TestIscsi:
    def test_it_is_written_to_and_given_back(self, computer: Computer) -> None:
        use(computer)
        assert computer.read("/etc/hostname") == "web-1\n"
        assert computer.told == [f"{NODE} --op new", f"{NODE} --login", f"{NODE} --op new", f"{NODE} --logout",
                                 "iscsiadm --killiscsid=0"]  # fmt: skip
        computer.check_nothing_is_left()

    def test_it_is_as_large_as_its_disk(self, computer: Computer) -> None:
        with opened(ROOT, MAC, computer.point, pause, computer.at) as tree:
            size = os.statvfs(tree.point)
            assert size.f_blocks * size.f_frsize > GROWN * 0.8

    def test_nothing_of_it_can_be_run_or_be_a_device(self, computer: Computer) -> None:
        with opened(ROOT, MAC, computer.point, pause, computer.at):
            lines = Path("/proc/self/mounts").read_text().splitlines()
            (options,) = [line.split()[3] for line in lines if line.split()[1] == str(computer.point)]
        assert {"nosuid", "nodev", "noexec", "rw"} <= set(options.split(","))

    def test_the_secret_is_in_files_of_root_and_then_gone(self, computer: Computer) -> None:
        use(computer)
        assert f"node.session.auth.password = {SECRET}\n" in (computer.at / "sent").read_text()
        assert (computer.at / "mode").read_text() == "600\n"
        assert computer.holding(SECRET) == []
        assert SECRET not in repr(ROOT)

    def test_what_fails_inside_gives_it_back_and_is_what_is_told(self, computer: Computer) -> None:
        computer.put("keeps")  # the logout fails besides
        with (
            pytest.raises(StepFailed, match="no host name"),
            opened(ROOT, MAC, computer.point, pause, computer.at),
        ):
            raise StepFailed("bad-params", "no host name")
        assert not mounting.is_mounted(computer.point)
        assert computer.holding(SECRET) == []
        (computer.at / "keeps").unlink()
        use(computer)
        computer.check_nothing_is_left()

    def test_a_session_that_stays_is_a_failure(self, computer: Computer) -> None:
        computer.put("keeps")
        with pytest.raises(ProgramFailed, match=f"the session with {ROOT.target} .* does not end"):
            use(computer)
        assert computer.holding(SECRET) == []

    def test_a_login_that_is_refused(self, computer: Computer) -> None:
        computer.put("refuses", "iscsiadm: initiator reported error (24 - authorization failure)")
        error = failure(computer)
        assert error.code == "root-unreachable"
        assert "authorization failure" in error.message
        assert SECRET not in error.message
        computer.check_nothing_is_left()

    def test_a_target_that_sends_it_elsewhere(self, computer: Computer) -> None:
        computer.put("leads", "10.77.0.66\n")
        error = failure(computer)
        assert error.code == "root-unreachable"
        assert "leads to" in error.message
        assert "10.77.0.66:3260" in error.message
        computer.check_nothing_is_left()

    def test_the_same_file_system_on_another_disk_is_left_alone(self, computer: Computer, root_tree: Path) -> None:
        computer.disk_of("dev/sdb", root_tree)
        before = (computer.at / "dev/sdb").read_bytes()
        computer.disk_of("dev/sda", root_tree, "44444444-0000-4000-8000-000000000001")
        error = failure(computer)
        assert error.code == "root-unusable"
        assert f"0 disks of {ROOT} hold an ext4 file system with UUID={UUID}" in error.message
        assert (computer.at / "dev/sdb").read_bytes() == before
        computer.check_nothing_is_left()

    def test_a_file_system_that_needs_a_person(self, computer: Computer) -> None:
        computer.put("programs/e2fsck", "#!/bin/sh\necho UNEXPECTED INCONSISTENCY\nexit 4\n").chmod(0o755)
        error = failure(computer)
        assert error.code == "root-unusable"
        assert "UNEXPECTED INCONSISTENCY" in error.message
        computer.check_nothing_is_left()

    def test_a_root_without_a_system(self, computer: Computer, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        computer.disk_of("dev/sda", tmp_path / "empty")
        assert failure(computer).code == "no-root"
        computer.check_nothing_is_left()

    def test_what_a_killed_agent_left_is_given_back_first(self, computer: Computer) -> None:
        killed_in_the_middle(computer)
        assert mounting.is_mounted(computer.point)
        computer.put("told")
        use(computer)
        assert [line.rpartition(" ")[2] for line in computer.told][:3] == ["new", "--logout", "--killiscsid=0"]
        assert computer.read("/etc/half") == "written"
        assert computer.read("/etc/hostname") == "web-1\n"
        computer.check_nothing_is_left()

    def test_a_killed_agent_whose_daemon_died_with_it(self, computer: Computer) -> None:
        killed_in_the_middle(computer)
        computer.put("proc/net/unix")
        use(computer)
        computer.check_nothing_is_left()


@pytest.mark.root
class TestNfs:
    """The mount program is one of ours, which shows a directory of this computer in the place of the server's."""

    @pytest.fixture
    def served(self, computer: Computer, monkeypatch: pytest.MonkeyPatch) -> Path:
        computer.put("served/etc/os-release", "ID=debian\n")
        bind = f'echo "$@" >>"$QRM_AT/told"; exec /usr/bin/mount --bind {computer.at}/served "$6"'
        computer.put("programs/mount", f"#!/bin/sh\n{bind}\n").chmod(0o755)
        monkeypatch.setattr(nfs, "CLIENT", computer.put("nfs4_unique_id"))
        return computer.at / "served"

    def test_it_is_written_to_and_given_back(self, computer: Computer, served: Path) -> None:
        use(computer, NFS)
        assert (served / "etc/hostname").read_text() == "web-1\n"
        (line,) = computer.told
        assert line.startswith(f"-t nfs4 -o {nfs.OPTIONS},nosuid,nodev,noexec 10.77.0.1:/0123456789abcdef ")
        assert (computer.at / "nfs4_unique_id").read_text() == f"qrm-{MAC}"
        computer.check_nothing_is_left()

    def test_a_mount_that_a_killed_agent_left(self, computer: Computer, served: Path) -> None:
        computer.point.mkdir(parents=True)
        mounting.run(["mount", "-t", "nfs4", "-o", "x", "y", str(computer.point)])
        use(computer, NFS)
        computer.check_nothing_is_left()

    def test_a_server_that_refuses(self, computer: Computer, served: Path) -> None:
        computer.put("programs/mount", "#!/bin/sh\necho mount.nfs4: access denied by server >&2\nexit 32\n")
        error = failure(computer, NFS)
        assert error.code == "root-unreachable"
        assert "the root 10.77.0.1:/0123456789abcdef does not mount" in error.message
        assert "access denied by server" in error.message

    def test_a_server_that_goes_while_it_is_written(
        self, computer: Computer, served: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lost(point: Path) -> None:
            raise OSError(5, "Input/output error", str(point))

        monkeypatch.setattr(mounting, "write_out", lost)
        error = failure(computer, NFS)
        assert error.code == "root-unreachable"
        assert "stopped answering" in error.message
        computer.check_nothing_is_left()


GOOD = {"portal": ROOT.portal, "target": ROOT.target, "initiator": ROOT.initiator, "user": "web1", "secret": SECRET}


def told(delivery: str, **changes: object) -> Params:
    values = {"iscsi": {**GOOD, "root": f"UUID={UUID}"}, "nfs": {"server": NFS.server, "path": NFS.path}}
    return Params({"delivery": delivery, delivery: {**values.get(delivery, {}), **changes}}, "root.")


def test_what_a_step_is_told_of_a_root() -> None:
    assert exported_root(told("iscsi")) == ROOT
    assert exported_root(told("iscsi", root=f"UUID={UUID.upper()}")) == replace(ROOT, uuid=UUID)
    assert exported_root(told("nfs", read_only=False, overlay=False)) == NFS


@pytest.mark.parametrize(
    ("delivery", "key", "value"),
    [
        ("nfs", "server", "10.77.0.1,rw"),
        ("nfs", "server", "appliance"),
        ("nfs", "path", "/a b"),
        ("nfs", "path", "relative"),
        ("iscsi", "portal", "10.77.0.1"),
        ("iscsi", "target", "iqn.2026-11.test:a\nnode.x = y"),
        ("iscsi", "initiator", "web1"),
        ("iscsi", "user", "web1\nnode.startup = automatic"),
        ("iscsi", "secret", "too-short"),
        ("iscsi", "secret", "a secret of 16ch"),
        ("iscsi", "root", "/dev/sda1"),
        ("iscsi", "root", "UUID=$(reboot)"),
        ("aoe", "shelf", "1"),
    ],
)
def test_hostile_values_are_refused_and_not_repeated(delivery: str, key: str, value: str) -> None:
    with pytest.raises(StepFailed) as caught:
        exported_root(told(delivery, **{key: value}))
    assert caught.value.code == "bad-params"
    assert value not in caught.value.message


def test_a_disk_that_open_iscsi_has_brought_is_none_of_the_machines_own() -> None:
    assert is_lent("/sys/devices/platform/host2/session1/target2:0:0/2:0:0:1/block/sda")
    assert not is_lent("/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda")
    assert not is_lent("/sys/devices/pci0000:00/0000:3b:00.2/host7/session1/target7:0:0/7:0:0:0/block/sdb")

"""Writing into a system that may be hostile, and reading how it boots."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from agent_bench import MIB, Bench

from appliance.agent.errors import StepFailed
from appliance.agent.installed import identity, netconfig
from appliance.agent.installed.fstab import fstab_with
from appliance.agent.installed.netconfig import Nic, nics_of, write_network
from appliance.agent.installed.root import Root
from appliance.agent.installed.system import find_boot, find_system, read_entry
from appliance.agent.job import Params
from appliance.agent.steps.configure import configure, personalise
from appliance.agent.steps.hand_over import command_line, hand_over
from appliance.agent.work import run_step

NIC = Nic("52:54:00:aa:bb:cc")
PERSONAL = Params({"hostname": "web-1", "machine_id": "0" * 32, "ssh_keys": [], "network": []})


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What an image must never reach: a file of ours beside its root."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "hostname").write_text("ours")
    (directory / "shadow").write_text("our secrets")
    return directory


@pytest.fixture
def root(tmp_path: Path) -> Root:
    point = tmp_path / "root"
    (point / "etc").mkdir(parents=True)
    return Root(point)


class TestHostileImage:
    def test_a_link_to_an_absolute_path_stays_inside(self, root: Root, outside: Path) -> None:
        (root.point / "etc").rmdir()
        (root.point / "etc").symlink_to(outside)
        with pytest.raises(OSError, match="File exists"):  # the link leads nowhere inside, and is no directory
            root.write("/etc/hostname", "theirs")
        assert (outside / "hostname").read_text() == "ours"

    def test_a_link_that_climbs(self, root: Root, outside: Path) -> None:
        (root.point / "etc").rmdir()
        (root.point / "etc").symlink_to("../../../../../../.." + str(outside))
        assert root.read("/etc/shadow") is None
        assert not root.exists("/etc/hostname")

    def test_dots_in_a_name(self, root: Root, outside: Path) -> None:
        assert root.read("/../outside/shadow") is None
        assert root.read("/etc/../../outside/shadow") is None

    def test_an_absolute_link_means_inside(self, root: Root, outside: Path) -> None:
        (root.point / "real").mkdir()
        (root.point / "etc/link").symlink_to("/real")
        root.write("/etc/link/file", "text")
        assert (root.point / "real/file").read_text() == "text"

    def test_the_last_name_is_replaced_and_not_followed(self, root: Root, outside: Path) -> None:
        for target in (str(outside / "hostname"), "../../outside/hostname"):
            (root.point / "etc/hostname").unlink(missing_ok=True)
            (root.point / "etc/hostname").symlink_to(target)
            root.write("/etc/hostname", "theirs")
            assert (root.point / "etc/hostname").read_text() == "theirs"
            assert not (root.point / "etc/hostname").is_symlink()
        assert (outside / "hostname").read_text() == "ours"

    def test_a_planted_part_file_is_not_followed(self, root: Root, outside: Path) -> None:
        (root.point / "etc/.hostname.qrm-part").symlink_to(outside / "hostname")
        root.write("/etc/hostname", "theirs")
        assert (outside / "hostname").read_text() == "ours"

    def test_proc_like_magic_links(self, root: Root, outside: Path) -> None:
        (root.point / "etc/self").symlink_to("/proc/self/root")
        assert root.read(f"/etc/self{outside}/shadow") is None

    def test_a_name_is_found_while_others_rename_files(self, root: Root, tmp_path: Path) -> None:
        (root.point / "os-release").write_text("ID=debian")
        (root.point / "etc/os-release").symlink_to("../os-release")
        (tmp_path / "a").touch()
        program = "import os\nwhile True:\n    os.rename('a', 'b')\n    os.rename('b', 'a')"
        with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as restless:
            try:
                assert all(root.exists("/etc/os-release") for _ in range(20_000))
            finally:
                restless.kill()

    def test_removing_and_listing_stay_inside(self, root: Root, outside: Path) -> None:
        (root.point / "etc/ssh").symlink_to(outside)
        assert root.names("/etc/ssh") == []
        (root.point / "etc/hostname").symlink_to(outside / "hostname")
        root.remove("/etc/hostname")
        assert (outside / "hostname").exists()

    def test_a_fifo_or_device_in_place_of_a_file(self, root: Root) -> None:
        os.mkfifo(root.point / "etc/hosts")
        assert root.read("/etc/hosts") is None
        identity.write_hostname(root, "web-1")
        assert "127.0.1.1 web-1" in (root.point / "etc/hosts").read_text()

    def test_a_file_without_end(self, root: Root) -> None:
        (root.point / "etc/hosts").touch()
        os.truncate(root.point / "etc/hosts", 64 * MIB)
        with pytest.raises(ValueError, match="larger than"):
            root.read("/etc/hosts")

    def test_a_loop_of_links(self, root: Root) -> None:
        (root.point / "a").symlink_to("b")
        (root.point / "b").symlink_to("a")
        assert not root.exists("/a")
        assert root.read("/a/x") is None

    def test_personalising_leaves_everything_outside_alone(self, root: Root, outside: Path) -> None:
        for name in ("hostname", "hosts", "machine-id", "qrm", "network", "netplan", "ssh"):
            (root.point / "etc" / name).symlink_to(outside)
        (root.point / "root").symlink_to(outside)
        params = {"hostname": "web-1", "machine_id": "0" * 32, "ssh_keys": ["ssh-ed25519 AAAA"], "network": []}
        with pytest.raises(OSError, match="exists"):
            personalise(root, Params(params), "a1")
        assert sorted(path.name for path in outside.iterdir()) == ["hostname", "shadow"]
        assert (outside / "hostname").read_text() == "ours"


class TestIdentity:
    @pytest.mark.parametrize("name", ["", "-web", "web_1", "a" * 64, "web\n127.0.0.1 evil", "../x", "web..1"])
    def test_no_host_name(self, root: Root, name: str) -> None:
        with pytest.raises(StepFailed) as caught:
            identity.write_hostname(root, name)
        assert caught.value.code == "bad-params"

    def test_hosts(self) -> None:
        assert identity.hosts_with("", "web-1").endswith("127.0.1.1 web-1\n")
        before = "# ours\n127.0.0.1 localhost\n127.0.1.1\told.lab old\n10.0.0.1 db\n"
        after = "# ours\n127.0.0.1 localhost\n10.0.0.1 db\n127.0.1.1 web.lab.test web\n"
        assert identity.hosts_with(before, "web.lab.test") == after

    def test_keys_are_added_once(self, root: Root) -> None:
        root.write("/root/.ssh/authorized_keys", "ssh-rsa THERE\n")
        for _ in range(2):
            identity.write_authorized_keys(root, ["ssh-ed25519 AAAA me\n"])
        path = root.point / "root/.ssh/authorized_keys"
        assert path.read_text() == "ssh-rsa THERE\nssh-ed25519 AAAA me\n"
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_key_of_two_lines_is_refused(self, root: Root) -> None:
        with pytest.raises(StepFailed):
            identity.write_authorized_keys(root, ['ssh-ed25519 AAAA\ncommand="x" ssh-ed25519 BBBB'])

    def test_machine_id(self, root: Root) -> None:
        root.write("/var/lib/dbus/machine-id", "golden")
        identity.write_machine_id(root, "ab" * 16)
        assert (root.point / "etc/machine-id").read_text() == "ab" * 16 + "\n"
        assert os.readlink(root.point / "var/lib/dbus/machine-id") == "/etc/machine-id"
        with pytest.raises(StepFailed):
            identity.write_machine_id(root, "AB" * 16)

    def test_a_system_without_ssh_gets_no_keys(self, root: Root) -> None:
        assert identity.write_host_keys(root) == []

    def test_selinux_relabels(self, root: Root) -> None:
        identity.relabel_if_needed(root)
        assert not root.exists("/.autorelabel")
        assert personalise(root, PERSONAL, "a")["relabels"] is False
        root.write("/etc/selinux/config", "# x\nSELINUX=enforcing\n")
        identity.relabel_if_needed(root)
        assert root.exists("/.autorelabel")
        assert personalise(root, PERSONAL, "a")["relabels"] is True, "its first start ends in a restart"


def image_with(root: Root, *names: str) -> None:
    for name in names:
        root.write(name, "")


class TestNetwork:
    def test_networkd_when_it_is_enabled(self, root: Root) -> None:
        image_with(root, netconfig.NETWORKD, "/usr/sbin/ifup", "/etc/network/interfaces")
        root.link(f"{netconfig.WANTS}/{netconfig.NETWORKD_UNIT}", f"/usr/lib/systemd/system/{netconfig.NETWORKD_UNIT}")
        assert write_network(root, [NIC]) == "networkd"
        assert "ClientIdentifier=mac" in root.text("/etc/systemd/network/10-qrm-525400aabbcc.network")

    def test_netplan_before_what_it_configures(self, root: Root) -> None:
        image_with(root, "/usr/sbin/netplan", netconfig.NETWORKD, "/usr/sbin/NetworkManager")
        root.make_directory("/etc/netplan")
        assert write_network(root, [NIC]) == "netplan"
        assert '      match: {macaddress: "52:54:00:aa:bb:cc"}' in root.text("/etc/netplan/60-qrm.yaml").splitlines()
        assert (root.point / "etc/netplan/60-qrm.yaml").stat().st_mode & 0o777 == 0o600

    def test_network_manager(self, root: Root) -> None:
        image_with(root, "/usr/sbin/NetworkManager", netconfig.NETWORKD)
        assert write_network(root, [NIC]) == "NetworkManager"
        path = root.point / "etc/NetworkManager/system-connections/qrm-525400aabbcc.nmconnection"
        assert path.stat().st_mode & 0o777 == 0o600  # NetworkManager ignores files that others can read
        assert "mac-address=52:54:00:aa:bb:cc" in path.read_text()

    def test_ifupdown_gets_names_by_mac(self, root: Root) -> None:
        image_with(root, "/usr/sbin/ifup", "/etc/network/interfaces")
        assert write_network(root, [NIC, Nic("52:54:00:00:00:02")]) == "ifupdown"
        assert "iface lan1 inet dhcp" in root.text("/etc/network/interfaces")
        assert "Name=lan0" in root.text("/etc/systemd/network/10-qrm-525400aabbcc.link")

    def test_networkd_is_switched_on_when_nothing_else_is_there(self, root: Root) -> None:
        image_with(root, netconfig.NETWORKD)
        assert write_network(root, [NIC]) == "networkd, now enabled"
        assert root.is_link(f"{netconfig.WANTS}/{netconfig.NETWORKD_UNIT}")

    def test_nothing_known(self, root: Root) -> None:
        assert write_network(root, [NIC]) == "none"

    def test_cloud_init_does_it_itself(self, root: Root) -> None:
        image_with(root, "/usr/bin/cloud-init", "/usr/sbin/NetworkManager")
        assert write_network(root, [NIC]) == "cloud-init"
        assert not root.exists("/etc/NetworkManager")

    @pytest.mark.parametrize("entry", [{"mac": "eth0"}, {"mac": "52:54:00:aa:bb:cc", "method": "magic"}, {}])
    def test_bad_entries(self, entry: dict[str, str]) -> None:
        with pytest.raises(StepFailed):
            nics_of([Params(entry)])


class TestBootConfigurationInTrees:
    def test_grub_before_others(self, root: Root) -> None:
        root.write("/boot/grub/grub.cfg", "menuentry 'a' {\n linux /boot/a\n}\n")
        root.write("/boot/extlinux/extlinux.conf", "label b\n linux /boot/b\n")
        entry = read_entry(root, "/boot")
        assert entry
        assert entry.linux == "/boot/a"

    def test_blscfg_with_a_saved_entry(self, root: Root) -> None:
        root.write("/boot/grub2/grub.cfg", "insmod blscfg\nblscfg\n")
        root.write(
            "/boot/grub2/grubenv", "# GRUB Environment Block\nsaved_entry=abc-6.1\nkernelopts=root=/dev/x ro\n####"
        )
        for version in ("6.1", "6.9"):
            text = (
                f"title F\nlinux /boot/vmlinuz-{version}\ninitrd /boot/i-{version} $tuned_initrd\noptions $kernelopts\n"
            )
            root.write(f"/boot/loader/entries/abc-{version}.conf", text)
        entry = read_entry(root, "/boot")
        assert entry
        assert (entry.linux, entry.initrds, entry.cmdline) == (
            "/boot/vmlinuz-6.1",
            ("/boot/i-6.1",),
            "root=/dev/x ro",
        )

    def test_nothing(self, root: Root) -> None:
        assert read_entry(root, "/boot") is None


class TestCommandLine:
    def test_a_root_is_named_when_the_boot_loader_named_none(self) -> None:
        assert command_line("quiet", "", "u1") == "quiet root=UUID=u1 ro panic=30"

    def test_own_settings_stay(self) -> None:
        assert command_line("root=/dev/vda2 panic=0", "x=y", "u1") == "root=/dev/vda2 panic=0 x=y"


@pytest.mark.root
class TestOnDisks:
    def test_a_boot_partition_of_its_own(self, bench: Bench, tmp_path: Path) -> None:
        path = bench.add_disk(size=48 * MIB)
        script = "label: gpt\nstart=2048, size=20480\nstart=40960, size=40960\n"
        subprocess.run(["sfdisk", "--quiet", str(path)], input=script, text=True, check=True)
        boot, root = tmp_path / "b", tmp_path / "r"
        (boot / "grub").mkdir(parents=True)
        (boot / "grub/grub.cfg").write_text("menuentry 'a' {\n linux /vmlinuz root=/dev/x\n initrd /initrd\n}\n")
        (boot / "vmlinuz").write_text("kernel")
        (boot / "initrd").write_text("initrd")
        (root / "usr/lib").mkdir(parents=True)
        (root / "usr/lib/os-release").write_text("ID=x")
        (root / "etc").mkdir()
        (root / "etc/os-release").symlink_to("../usr/lib/os-release")
        fill(path, 1 * MIB, boot, "10M")
        fill(path, 20 * MIB, root, "20M")
        disk = bench.computer.disks()[0]
        system = find_system(disk)
        assert system.volume.partition.number == 2
        source = find_boot(disk, system)
        assert source
        assert source.config.partition.number == 1
        outcome = hand_over(bench.job("hand-over", method="kexec"))
        assert outcome.result["method"] == "kexec"
        assert bench.actions[-1]["cmdline"] == "root=/dev/x panic=30"

    def test_a_disk_without_a_system(self, bench: Bench) -> None:
        bench.add_disk()
        with pytest.raises(StepFailed) as caught:
            run_step(configure, bench.job("configure", hostname="x", machine_id="0" * 32))
        assert caught.value.code == "no-root"

    def test_a_boot_configuration_that_names_a_missing_initrd(self, bench: Bench, image: Path) -> None:
        path = bench.add_disk(content=image.read_bytes())
        debugfs = ["debugfs", "-w", "-R", "rm /boot/initrd.img-6.12", f"{path}?offset={2 * MIB}"]
        subprocess.run(debugfs, check=True, capture_output=True)
        outcome = hand_over(bench.job("hand-over", method="kexec"))
        assert outcome.result["method"] == "reboot"
        assert "initrd.img-6.12, which is not there" in outcome.result["reason"]

    def test_nothing_stays_mounted(self, bench: Bench, image: Path) -> None:
        bench.add_disk(content=image.read_bytes())
        before = Path("/proc/mounts").read_text()
        hand_over(bench.job("hand-over", method="kexec"))
        assert Path("/proc/mounts").read_text() == before


def fill(disk: Path, offset: int, tree: Path, size: str) -> None:
    part = tree.with_suffix(".ext4")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(part), size], check=True)
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(part.read_bytes())


class TestFstab:
    IMAGE = (
        "# <file system> <mount point> <type>\n"
        "UUID=11111111-2222-3333-4444-555555555555 / ext4 errors=remount-ro 0 1\n"
        "PARTUUID=0f / ext4 defaults\n"
        "LABEL=EFI /boot/efi vfat umask=0077 0 1\n"
        "/dev/sdb1\t/srv ext4 defaults 0 2\n"
        'uuid="22222222-0000-4000-8000-000000000003" /var xfs defaults 0 2\n'
        "/swapfile none swap sw 0 0\n"
        "tmpfs /tmp tmpfs size=1g 0 0\n"
        "files:/home /home nfs4 _netdev 0 0\n"
        "\n"
    )
    LINE = "UUID=33333333-0000-4000-8000-000000000001 / ext4 defaults 0 0"

    def test_only_what_is_there_is_waited_for(self) -> None:
        after = fstab_with(self.IMAGE, self.LINE)
        counts = [line for line in after.splitlines() if line and not line.startswith("#")]
        assert counts == [self.LINE, "tmpfs /tmp tmpfs size=1g 0 0", "files:/home /home nfs4 _netdev 0 0"]
        assert "# Left out, since the root comes over the network: LABEL=EFI /boot/efi" in after

    def test_a_root_by_nfs_has_no_line(self) -> None:
        after = fstab_with(self.IMAGE, "")
        assert not [line for line in after.splitlines() if line.split()[1:2] == ["/"]]

    @pytest.mark.parametrize("line", [LINE, ""])
    def test_twice_is_the_same(self, line: str) -> None:
        once = fstab_with(self.IMAGE, line)
        assert fstab_with(once, line) == once
        assert fstab_with("", line) == (f"{line}\n" if line else "")


class TestCardOfTheRoot:
    OTHER = Nic("52:54:00:aa:bb:dd")

    def written(self, root: Root, marks: dict[str, str]) -> str:
        for name, text in marks.items():
            root.write(name, text)
        return write_network(root, [NIC, self.OTHER], kept=NIC.mac)

    def test_what_would_take_it_down_does_not_hear_of_it(self, root: Root) -> None:
        assert self.written(root, {"/usr/sbin/ifup": "", "/etc/network/interfaces": ""}) == "ifupdown"
        assert "auto lan1" not in root.text("/etc/network/interfaces")
        assert root.names("/etc/systemd/network") == [f"10-qrm-{self.OTHER.tag}.link"]

    def test_network_manager(self, root: Root) -> None:
        assert self.written(root, {"/usr/sbin/NetworkManager": ""}) == "NetworkManager"
        assert root.names("/etc/NetworkManager/system-connections") == [f"qrm-{self.OTHER.tag}.nmconnection"]

    def test_systemd_networkd_has_both_and_is_told_before(self, root: Root) -> None:
        assert self.written(root, {"/usr/lib/systemd/systemd-networkd": ""}) == "networkd, now enabled"
        assert root.names("/etc/systemd/network")[0] > "00-qrm-root.network"
        assert len(root.names("/etc/systemd/network")) == 2


class TestExportedRoot:
    ISCSI: ClassVar = {
        "portal": "10.77.0.1:3260",
        "target": "iqn.2026-11.test.lab:web1",
        "initiator": "iqn.2026-11.test.lab:machine-1",
        "user": "web1",
        "secret": "a-secret-of-16ch",
        "root": "UUID=33333333-0000-4000-8000-000000000001",
    }
    DELIVERED: ClassVar = {
        "iscsi": ({"delivery": "iscsi", "iscsi": ISCSI}, f"{TestFstab.LINE}\n"),
        "nfs": ({"delivery": "nfs", "nfs": {"server": "10.77.0.1", "path": "/0123"}}, ""),
    }

    @pytest.mark.parametrize("delivery", ["iscsi", "nfs"])
    def test_it_is_made_the_deployments_own(self, bench: Bench, root_tree: Path, delivery: str) -> None:
        told, line = self.DELIVERED[delivery]
        shutil.copytree(root_tree, bench.directory / "exported")
        (bench.directory / "exported/etc/selinux").mkdir()
        (bench.directory / "exported/etc/selinux/config").write_text("SELINUX=enforcing\n")
        (bench.directory / "cmdline").write_text(
            f"qrm.server=http://a qrm.control=https://a qrm.ca={'0' * 64} qrm.token=t qrm.nonce=n qrm.mac={NIC.mac}"
        )
        job = bench.job("configure", disk=None, root=told, **PERSONAL.values)
        outcome = configure(job)
        root = Root(bench.directory / "exported")
        assert root.text("/etc/hostname") == "web-1\n"
        assert root.text("/etc/fstab") == line
        assert len(outcome.result["ssh_host_keys"]) == 2
        assert outcome.result["relabels"] is (delivery == "iscsi"), "what NFS shows has no labels"
        assert outcome.result["network"] == "networkd, now enabled"
        assert "root_fsuuid" not in outcome.result
        opened, given_back = bench.actions
        assert (opened["action"], opened["delivery"]) == ("open-export", delivery)
        assert given_back == {"action": "give-export-back"}
        assert "a-secret-of-16ch" not in json.dumps([bench.actions, bench.told, outcome.result])

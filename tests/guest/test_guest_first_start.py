"""What set-up and a first start rest on, with the real kernel, LVM, resolver, clock and systemd of Debian 13."""

import asyncio
import os
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.installer import gpt
from appliance.installer.identity import renew, table_of
from appliance.privileged import data
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.verbs.data import Prepare
from appliance.setup.configuration import RESOLVER
from tests.guest.inside.disks import Disks
from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
PROJECT = Path(__file__).parents[2]
SECTOR = 512
STATE = "8d7a64a3-0b4b-4c3e-9c53-3f6a7c0e2a17"
"""As in the image: systemd-repart takes a partition of the same type for the one that it is to make."""
UPSTREAM = "192.0.2.53"
NETWORK = f"[Match]\nName=upstream\n[Network]\nAddress={UPSTREAM}/24\nDNS={UPSTREAM}\nLinkLocalAddressing=no\n"
LISTED, EMPTY = Path("/etc/lvm/devices/system.devices"), "# what a fresh state partition has\n"
UNITS = Path("/run/systemd/system")


def divided(disk: Path, *, rest: bool = False) -> None:
    """The image's partitions, and what is made at the first start."""
    words = ["--clear", "--set-alignment=1", "--new=1:2048:+64M", "--change-name=1:esp", "--new=2:0:+256M"]
    words += ["--change-name=2:root-a", *(["--new=3:0:+512M", "--change-name=3:data"] if rest else [])]
    run("sgdisk", *words, str(disk))
    run("udevadm", "settle")


def known(disk: Path) -> dict[str, str]:
    """Partitions as the kernel sees them, with the identifiers that udev found."""
    run("udevadm", "settle")
    told = run("lsblk", "--noheadings", "--list", "--output", "PARTLABEL,PARTUUID", str(disk))
    return dict(line.split() for line in told.splitlines() if line.strip())


# -- identifiers of the disk


def test_the_kernel_takes_the_table_after_every_write(disks: Disks) -> None:
    disk = disks.scsi[0]
    divided(disk)
    before = known(disk)
    now = table_of(str(disk), SECTOR)
    for at, content in gpt.exchange(now, now.renewed(uuid.uuid4)):
        with disk.open("r+b") as file:
            file.seek(at)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        run("udevadm", "settle")  # it looks at a disk that was written, and the kernel reads no table meanwhile
        run("udevadm", "lock", f"--device={disk}", "blockdev", "--rereadpt", str(disk))
        assert known(disk).keys() == before.keys() == {"esp", "root-a"}
    assert not set(known(disk).values()) & set(before.values())


def test_a_disk_in_use_has_other_identifiers_and_gets_its_further_partitions(disks: Disks, tmp_path: Path) -> None:
    disk, definitions = disks.scsi[1], tmp_path / "repart.d"
    divided(disk)
    before = known(disk)
    root = Path(f"{disk}2")
    run("mkfs.ext4", "-q", str(root))
    run("mount", "-o", "ro", str(root), "/mnt")
    try:
        renew(str(disk), SECTOR)
        definitions.mkdir()
        (definitions / "30-state.conf").write_text(f"[Partition]\nType={STATE}\nLabel=state\nFormat=ext4\n")
        run("systemd-repart", "--dry-run=no", f"--definitions={definitions}", str(disk))
        after = known(disk)
    finally:
        run("umount", "/mnt")
    assert after.keys() == {"esp", "root-a", "state"}
    assert not set(after.values()) & set(before.values())
    assert "No problems found" in run("sgdisk", "--verify", str(disk))


# -- the data group


@pytest.fixture(params=[0, 1], ids=["LVM sees all", "LVM keeps a list"])
def paper(request: pytest.FixtureRequest, tmp_path: Path, disks: Disks) -> Iterator[Computer]:
    """The appliance's own disk with something left on it."""
    disk = disks.scsi[2]
    divided(disk, rest=True)
    dev = tmp_path / "dev"
    (dev / "disk/qrm").mkdir(parents=True)
    (dev / "disk/qrm/data").symlink_to(f"{disk}3")
    local = Path("/etc/lvm/lvmlocal.conf")
    local.write_text(f"devices {{\n\tuse_devicesfile = {request.param}\n}}\n")
    LISTED.parent.mkdir(parents=True, exist_ok=True)
    LISTED.write_text(EMPTY)
    yield Computer(Roots(state=tmp_path / "state", dev=dev))
    LISTED.unlink(missing_ok=True)  # LVM removes a list that it finds empty
    local.unlink()


def groups() -> list[str]:
    return run("vgs", "--noheadings", "--options", "vg_name,lv_count").split()


def test_the_data_group_is_made_once_and_outlives_a_factory_reset(paper: Computer) -> None:
    def quiet(progress: float | None, message: str = "") -> None:
        """Nobody listens."""

    asyncio.run(data.prepare(Prepare(()), paper, quiet))
    assert groups() == ["qrm", "0"]
    run("lvcreate", "--yes", "--size", "16M", "--name", "images", "qrm")
    asyncio.run(data.prepare(Prepare(()), paper, quiet))
    assert groups() == ["qrm", "1"]
    run("vgchange", "--activate", "n", "qrm")
    LISTED.write_text(EMPTY)
    asyncio.run(data.prepare(Prepare(()), paper, quiet))
    assert groups() == ["qrm", "1"], "with all that was in it"


# -- names


NAME = b"".join(bytes([len(each)]) + each for each in (b"outside", b"example")) + b"\0"
QUESTION = struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, 0) + NAME + struct.pack("!2H", 1, 1)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[None]:
    """A name server that the network's own configuration names, as DHCP would."""
    run("ip", "link", "add", "upstream", "type", "dummy")
    file = Path("/etc/systemd/network/upstream.network")
    file.write_text(NETWORK)
    run("networkctl", "reload")
    run("/usr/lib/systemd/systemd-networkd-wait-online", "--interface=upstream:routable", "--timeout=60")
    argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]
    argv += ["--bind-interfaces", f"--listen-address={UPSTREAM}", "--address=/outside.example/192.0.2.7"]
    argv += [f"--pid-file={tmp_path / 'pid'}"]
    with subprocess.Popen(argv) as server:
        try:
            asked(UPSTREAM, 53, QUESTION)  # it listens: the resolver says that there is no answer where it does not
            yield
        finally:
            server.kill()
            file.unlink()
            run("ip", "link", "delete", "upstream")
            run("networkctl", "reload")


def asked(server: str, port: int, question: bytes) -> bytes:
    """The answer to a datagram; asked again while nobody listens yet, or nothing comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.settimeout(1.0)
        end.connect((server, port))
        for _ in range(60):
            try:
                end.send(question)
                return end.recv(512)
            except ConnectionRefusedError:  # at once, other than silence
                time.sleep(1.0)
            except TimeoutError:
                continue
    raise RuntimeError(f"{server} does not answer")


def test_the_resolver_asks_whom_the_networks_name(upstream: None) -> None:
    answer = asked(RESOLVER, 53, QUESTION)
    assert answer[:2] == b"\x12\x34"
    assert answer[3] & 0x0F == 0, "no error"
    assert socket.inet_aton("192.0.2.7") in answer


# -- the time


def test_a_rack_without_a_way_out_is_given_the_time() -> None:
    run("systemctl", "stop", "chrony.service")  # the guest's own has the port
    conf = PROJECT / "image-builder/appliance/root/etc/chrony/conf.d"
    with subprocess.Popen(["chronyd", "-d", "-x", "-u", "root", f"confdir {conf}", "cmdport 0"]) as server:
        try:
            answer = asked("127.0.0.1", 123, bytes([0x23]) + bytes(47))
        finally:
            server.kill()
    assert (answer[0] >> 6, answer[1]) == (0, 10), "synchronised, at the stratum of a clock of its own"


# -- the privileged helper


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[Path]:
    """The units with a program in the place of the helper that fails eight times, and then answers."""
    program = tmp_path / "helper"
    program.write_text(
        f"#!/usr/bin/python3\nimport os, pathlib, socket, sys\nleft = pathlib.Path('{tmp_path}/left')\n"
        "count = int(left.read_text())\nleft.write_text(str(count - 1))\nif count > 0:\n    sys.exit(1)\n"
        "peer, _ = socket.socket(fileno=3).accept()\npeer.send(b'here')\n"
    )
    program.chmod(0o755)
    (tmp_path / "left").write_text("8")
    for kind in ("socket", "service"):
        text = (PROJECT / f"systemd/appliance-helper.{kind}").read_text()
        text = text.replace("SocketGroup=appliance", "SocketGroup=root").replace(
            "/opt/qrm/bin/qrm helper", str(program)
        )
        # Its pause between two attempts is the same with less of it.
        (UNITS / f"appliance-helper.{kind}").write_text(text.replace("RestartSec=2", "RestartSec=100ms"))
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "appliance-helper.socket")
    yield Path("/run/appliance/helper.sock")
    run("systemctl", "stop", "appliance-helper.socket", "appliance-helper.service")
    for kind in ("socket", "service"):
        (UNITS / f"appliance-helper.{kind}").unlink()
    run("systemctl", "daemon-reload")


def test_a_helper_that_fails_again_and_again_answers_once_it_can(helper: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(helper))
        assert client.recv(10) == b"here"
    assert run("systemctl", "is-active", "appliance-helper.socket").strip() == "active"

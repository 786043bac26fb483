"""The lease of the card that a root comes through: renewed by the image's own client, or by one that stays."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builder import handover
from handover_bench import IMAGE, REACHED, SERVER, SHELLS, Bench, ram
from test_builder_stack_boots import built_stack
from test_handover_network_roots import NETWORKD, nfs, with_disk

ROOM = "unshare <-m> <{here}/udhcpc-room> <eth0> <10.77.0.20> <{root}>"
ETC, USR = (f"{at}/systemd/system/multi-user.target.wants" for at in ("etc", "usr/lib"))


@pytest.fixture(params=SHELLS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    bench = with_disk(Bench(tmp_path / "machine", request.param))
    (bench.root / ETC / NETWORKD).unlink()
    bench.put("run/resolv.conf", "search test.lab\nnameserver 10.77.0.1\nnameserver 10.77.0.2\n")
    return bench


def rooms(bench: Bench) -> list[str]:
    """What was started for the lease."""
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    return [line for line in ended.told if line.startswith("unshare")]


def test_an_image_without_systemd_networkd_gets_a_client_that_stays(bench):
    bench.given(nfs())
    (room,) = rooms(bench)
    assert room == ROOM.format(here=handover.RECIPE / "90qrm-root", root=bench.root)


@pytest.mark.parametrize("folder", [ETC, USR])
def test_an_image_that_starts_systemd_networkd_needs_none(bench, folder):
    (bench.root / folder).mkdir(parents=True, exist_ok=True)
    (bench.root / folder / NETWORKD).symlink_to(f"/usr/lib/systemd/system/{NETWORKD}")
    bench.given(nfs())
    assert rooms(bench) == []
    assert not (bench.root / "etc/resolv.conf").exists()


def test_a_root_in_memory_needs_none(bench):
    bench.given(ram())
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    assert rooms(bench) == []


def test_name_servers_are_those_of_the_lease(bench):
    (bench.root / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    bench.given(nfs())
    rooms(bench)
    assert (bench.root / "etc/resolv.conf").read_text() == (bench.at / "run/resolv.conf").read_text()
    assert (bench.root / "etc/resolv.conf").stat().st_mode & 0o777 == 0o644
    told = (bench.at / "run/systemd/resolved.conf.d/90-qrm-root.conf").read_text()
    assert told == "[Resolve]\nDNS=10.77.0.1 10.77.0.2\n"
    told = (bench.at / "run/NetworkManager/conf.d/91-qrm-root-names.conf").read_text()
    assert told == "[global-dns-domain-*]\nservers=10.77.0.1,10.77.0.2\n"


def test_a_link_in_its_place_is_for_others_to_follow(bench, tmp_path):
    (tmp_path / "outside").write_text("ours")
    (bench.root / "etc/resolv.conf").symlink_to(tmp_path / "outside")
    bench.given(nfs())
    rooms(bench)
    assert (tmp_path / "outside").read_text() == "ours"
    assert (bench.root / "etc/resolv.conf").is_symlink()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The room with the real client in it, and dnsmasq at the cable's other end: the client, and its files."""
    here, log, busybox = tmp_path / "here", tmp_path / "log", tmp_path / "busybox"
    shutil.copytree(handover.RECIPE / "90qrm-root", here)
    with (here / "udhcpc-kept.script").open("a") as script:
        script.write('echo "$1" >>/said\n')  # only the client knows when it has taken what it was sent
    with (built_stack() / "initrd").open("rb") as initrd:
        subprocess.run(["cpio", "-i", "--quiet", "busybox"], stdin=initrd, cwd=tmp_path, check=True)
    lines = f"""
mount --bind {busybox} "$(readlink -f /usr/bin/busybox)"
mkfifo {tmp_path}/apart {tmp_path}/plugged
unshare --net sh -euc '
echo >{tmp_path}/apart
read _ <{tmp_path}/plugged
ip addr add 192.0.2.1/24 dev there
ip link set there up
exec dnsmasq --conf-file=/dev/null --no-daemon --port=0 --interface=there --bind-interfaces --dhcp-authoritative \
    --dhcp-range=192.0.2.70,192.0.2.80,2m --dhcp-leasefile={tmp_path}/leases --log-facility={log} --log-dhcp' &
read _ <{tmp_path}/apart
ip link add there type veth peer name card
ip link set there netns $!
echo >{tmp_path}/plugged
ip link set card up
ip addr add 192.0.2.77/24 dev card
unshare --mount {here}/udhcpc-room card 192.0.2.77 {tmp_path}/root &
exec ip -4 monitor address >{tmp_path}/changes
"""
    argv = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc=/proc", "--kill-child", "sh", "-euc", lines]
    with subprocess.Popen(argv) as world:
        try:
            until(lambda: log.exists() and "DHCPACK" in log.read_text(), "a lease is given")
            client = child_of(world.pid)
            until(lambda: said(client)[-1:] == ["bound"], "the client has it")
            yield client, tmp_path
        finally:
            world.kill()


def said(client: int) -> list[str]:
    path = Path(f"/proc/{client}/root/said")
    return path.read_text().split() if path.exists() else []


def says_after(client: int, sent: signal.Signals, word: str) -> None:
    before = len(said(client))
    os.kill(client, sent)
    until(lambda: word in said(client)[before:], word)


def child_of(world: int) -> int:
    """The client, as this namespace numbers it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"@/udhcpc\0") and within(int(path.parent.name), world):
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError("no client whose name begins as it must")


def within(process: int, world: int) -> bool:
    while process > 1:
        if process == world:
            return True
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@pytest.mark.root
@pytest.mark.timeout(300)
def test_the_client_renews_and_never_takes_the_address_away(room: tuple[int, Path]) -> None:
    client, directory = room
    for sent, then in ((signal.SIGUSR1, "renew"), (signal.SIGUSR2, "deconfig"), (signal.SIGUSR1, "bound")):
        says_after(client, sent, then)
    assert "Deleted" not in (directory / "changes").read_text()
    assert Path(f"/proc/{client}/root/@").is_dir(), "it has nothing of the initrd"
    assert sorted(path.name for path in Path(f"/proc/{client}/root").iterdir()) == ["@", "bin", "kept", "said"]

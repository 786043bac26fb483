"""Router solicitations of network-booting machines, answered so that they need not wait."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6NDOptSrcLLAddr, IPv6

from appliance.netboot.router import advertisement, solicitor

MAC = "52:54:00:00:00:01"


def test_reads_the_address_of_who_asks() -> None:
    assert solicitor(bytes(ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=MAC))) == MAC


def test_anything_else_is_nobody() -> None:
    assert solicitor(bytes(ICMPv6ND_RS())) is None
    assert solicitor(bytes(ICMPv6ND_RA() / ICMPv6NDOptSrcLLAddr(lladdr=MAC))) is None


@given(st.binary(max_size=64))
def test_no_packet_harms(packet: bytes) -> None:
    assert solicitor(packet) is None or packet[0] == 133


def test_says_that_there_is_no_router() -> None:
    answer = ICMPv6ND_RA(bytes(advertisement()))
    assert (answer.routerlifetime, answer.M, answer.O, bytes(answer.payload)) == (0, 0, 0, b"")


INSIDE = """
import asyncio, socket, struct
from appliance.netboot.router import RouterAnswers, _open

async def ask(mac, seconds):
    asking = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"client")
    asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    loop = asyncio.get_running_loop()
    packet = struct.pack("!BBHI", 133, 0, 0, 0) + bytes([1, 1]) + bytes.fromhex(mac.replace(":", ""))
    asking.sendto(packet, ("ff02::2", 0, 0, socket.if_nametoindex("client")))
    try:
        async with asyncio.timeout(seconds):
            while True:
                answer = await loop.sock_recv(asking, 2048)
                if answer[0] == 134:
                    return True
    except TimeoutError:
        return False

async def main():
    answers = RouterAnswers("server")
    await answers.start()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(answers.run())
        await asyncio.sleep(0)
        answers.booting("52:54:00:00:00:01")
        print(await ask("52:54:00:00:00:01", 5), await ask("52:54:00:00:00:02", 0.5))
        running.cancel()
    answers.close()

asyncio.run(main())
"""

SETUP = """
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
ip link add server type veth peer name client
ip link set server up; ip link set client up
until ip -6 address show dev client scope link | grep -q inet6; do sleep 0.05; done
until ip -6 address show dev server scope link | grep -q inet6; do sleep 0.05; done
"""


def test_answers_machines_that_boot_and_nobody_else() -> None:
    script = SETUP + f"exec {sys.executable} -c '{INSIDE}'"
    namespace = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-ec", script]
    ran = subprocess.run(namespace, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.split() == ["True", "False"], ran.stderr


def test_solicitations_reach_through_ip() -> None:
    """What a real stack would send is what we read."""
    packet = IPv6(dst="ff02::2", hlim=255) / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=MAC)
    assert solicitor(bytes(packet.payload)) == MAC

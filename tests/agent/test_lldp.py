"""What switches say of themselves: real frames, broken ones, hostile ones; and a listener that ends in time."""

import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.neighbours.listen import MOST, Heard, listen, note, told
from appliance.agent.neighbours.lldp import LONGEST, Neighbour, decode

CAPTURES = Path(__file__).parents[1] / "captures"
REAL = [
    bytes.fromhex(line) for line in (CAPTURES / "lldpd_frames.txt").read_text().splitlines() if not line.startswith("#")
]
HEADER = bytes.fromhex("0180c200000e 5254000000fe 88cc")
CHASSIS = (1, b"\x04" + bytes.fromhex("5254000000fe"))
PORT = (2, b"\x05" + b"Gi1/0/3")
LIFE = (3, b"\x00\x78")


def frame(*parts, end=True):
    units = [struct.pack("!H", kind << 9 | len(value)) + value for kind, value in parts]
    return HEADER + b"".join(units) + (b"\0\0" if end else b"")


def test_lldpd_of_debian():
    assert decode(REAL[0]) == Neighbour(
        chassis="3a:91:38:59:cf:b0",
        port="ge-0/0/12",
        seconds=8,
        port_text="to node 12",
        system="sw-rack7",
        system_text="Acme Switch OS 1.2",
        address="10.9.0.1",
    )


def test_all_that_a_switch_may_say():
    vlan = (127, bytes.fromhex("0080c201") + b"\x00\x2a")
    address = (8, b"\x11\x02" + bytes.fromhex("fe800000000000000000000000000001") + b"\x02\x00\x00\x00\x01\x00")
    found = decode(frame(CHASSIS, PORT, LIFE, (4, b"uplink"), (5, b"sw1"), (6, b"OS"), address, vlan, (99, b"?")))
    assert found == Neighbour("52:54:00:00:00:fe", "Gi1/0/3", 120, "uplink", "sw1", "OS", "fe80::1", 42)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEADER,
        frame(PORT, CHASSIS, LIFE),
        frame(CHASSIS, PORT),
        frame(CHASSIS, PORT, (3, b"\x01")),
        frame((1, b""), PORT, LIFE),
        frame((1, b"\x05\x09abc"), PORT, LIFE),
        frame(CHASSIS, PORT, LIFE).replace(b"\x88\xcc", b"\x08\x00"),
        REAL[0][:20],
    ],
)
def test_what_is_no_announcement_says_nothing(data):
    assert decode(data) is None


def test_one_that_is_cut_off_says_what_came_whole():
    whole = frame(CHASSIS, PORT, LIFE, (5, b"switch-1"))
    assert decode(whole[:-5]) == Neighbour("52:54:00:00:00:fe", "Gi1/0/3", 120)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_neighbour_or_none(data):
    for found in (decode(data), decode(HEADER + data), decode(frame(CHASSIS, PORT, LIFE)[:-2] + data)):
        assert found is None or isinstance(found, Neighbour)


@given(
    st.lists(st.tuples(st.integers(4, 127), st.binary(max_size=300)), max_size=6), st.binary(min_size=1, max_size=200)
)
def test_every_text_is_printable_and_short(parts, port):
    found = decode(frame(CHASSIS, (2, b"\x07" + port), LIFE, *parts))
    for text in (found.port, found.port_text, found.system, found.system_text, found.address) if found else ():
        assert text.isprintable()
        assert len(text) <= LONGEST


@given(st.integers(0, len(REAL[0]) * 8 - 1))
def test_a_bit_that_flipped_is_no_trouble(bit):
    data = bytearray(REAL[0])
    data[bit // 8] ^= 1 << bit % 8
    decode(bytes(data))


def test_a_farewell_takes_back_what_was_said_and_many_are_bounded():
    heard = Heard()
    for number in range(MOST + 5):
        note(heard, {"eth0"}, "eth0", frame(CHASSIS, (2, b"\x07port-%02d" % number), LIFE))
    note(heard, {"eth0"}, "eth9", frame(CHASSIS, PORT, LIFE))
    assert len(heard) == MOST
    note(heard, {"eth0"}, "eth0", frame(CHASSIS, (2, b"\x07port-00"), (3, b"\0\0")))
    assert [each["port"] for each in told(heard)] == [f"port-{number:02d}" for number in range(1, MOST)]


LISTENER = """
import json, socket, subprocess, sys, threading, time
sys.path.insert(0, sys.argv[1])
from appliance.agent.neighbours.listen import listen
for line in ("link add a0 type veth peer name b0", "link set a0 up", "link set b0 up"):
    subprocess.run(["ip", *line.split()], check=True)
def speak():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as mouth:
        mouth.bind(("a0", 0))
        while True:
            mouth.send(bytes.fromhex(sys.argv[2]))
            time.sleep(0.05)
threading.Thread(target=speak, daemon=True).start()
print(json.dumps([listen(["b0"], 60.0), listen([], 60.0), listen(["lo"], 0.1)]))
"""


def test_it_hears_its_own_cable_and_ends_once_every_card_has_told():
    """In a network of its own; the frame is the one of the real lldpd."""
    program = [sys.executable, "-c", LISTENER, str(Path(__file__).parents[2]), REAL[0].hex()]
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", *program],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"nic": "b0", "chassis": "3a:91:38:59:cf:b0", "port": "ge-0/0/12"' in done.stdout
    assert done.stdout.rstrip().endswith("}], [], []]")


def test_without_rights_it_says_so(monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(PermissionError):
        listen(["eth0"])

"""The recordings as values: what each client sent, and what it was sent, in order."""

import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = tuple(sorted(path.stem for path in HERE.glob("*.json")))


@dataclass(frozen=True)
class Packet:
    """One datagram, or the head of one HTTP message."""

    by: str
    """``client`` or ``server``."""
    protocol: str
    """``dhcp``, ``tftp`` or ``http``."""
    source: str
    """IP address and port."""
    target: str
    to_mac: str
    pieces: tuple[tuple[str, str], ...]
    """What each part is, and its bytes in hexadecimal."""

    @property
    def data(self) -> bytes:
        """The bytes as they travelled; only the first ones of a file's content are kept."""
        return bytes.fromhex("".join(octets for _, octets in self.pieces))

    @property
    def words(self) -> list[str]:
        """The comments on the parts."""
        return [word for word, _ in self.pieces]


def read(client: str) -> list[Packet]:
    """What a client and the appliance said to each other."""
    found = json.loads((HERE / f"{client}.json").read_text())["packets"]
    return [
        Packet(each["from"], each["protocol"], *each["ends"], each["to_mac"], tuple(map(tuple, each["pieces"])))
        for each in found
    ]


def sent_by_clients(protocol: str) -> list[bytes]:
    """All packets of a protocol that any client sent."""
    packets = (packet for client in CLIENTS for packet in read(client))
    return [packet.data for packet in packets if packet.by == "client" and packet.protocol == protocol]

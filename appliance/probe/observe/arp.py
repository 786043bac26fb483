"""ARP probes (RFC 5227): who has an address. They come from no address, so that nobody learns a wrong one."""

from time import monotonic

from scapy.layers.l2 import ARP, Ether

from appliance.probe.observe import frames
from appliance.probe.observe.wire import NOWHERE, Wire

_SECONDS = 1.0
_TIMES = 2


def who_has(wire: Wire, mac: str, address: str) -> list[str]:
    """MAC addresses of all that answer; ``mac`` is that of our own interface."""
    found: list[str] = []
    asking = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=mac, psrc=NOWHERE, pdst=address)
    for _ in range(_TIMES):
        wire.send(asking)
        for _, packet in wire.frames(monotonic() + _SECONDS):
            if (other := frames.answers_for(packet, address)) and other not in found:
                found.append(other)
    return found

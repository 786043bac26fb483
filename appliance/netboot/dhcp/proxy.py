"""Proxy mode: another server gives the addresses, we only say what to boot (PXE 2.1, section 2.2; pure)."""

from ipaddress import IPv4Network

from appliance.netboot.dhcp import reply
from appliance.netboot.dhcp.effects import Send
from appliance.netboot.dhcp.options import MessageKind
from appliance.netboot.dhcp.packet import NOWHERE
from appliance.netboot.dhcp.reply import Destination
from appliance.netboot.dhcp.request import PROXY_PORT, SERVER_PORT, Request
from appliance.netboot.firmware import BootFile


def proxy_answer(request: Request, network: IPv4Network, boot: BootFile) -> Send | None:
    """An offer to a DISCOVER on port 67, an acknowledgement to a REQUEST or INFORM on port 4011.

    None for all else: a REQUEST on port 67 is the other server's.
    """
    kind, port = request.kind, request.arrival.port
    if kind is MessageKind.DISCOVER and port == SERVER_PORT:
        data = reply.proxy(MessageKind.OFFER, request, request.our_id, boot)
        return Send(data, reply.destination(request, NOWHERE))
    if kind in (MessageKind.REQUEST, MessageKind.INFORM) and port == PROXY_PORT:
        return _acknowledge(request, network, boot)
    return None


def _acknowledge(request: Request, network: IPv4Network, boot: BootFile) -> Send | None:
    """By unicast, from the port that was asked to the one that asked (PXE 2.1, section 2.2.4, step 6).

    The client has its address already.
    """
    client = request.packet.ciaddr if request.packet.ciaddr != NOWHERE else request.arrival.source
    if client not in network:
        return None
    data = reply.proxy(MessageKind.ACK, request, request.our_id, boot)
    return Send(data, Destination(request.arrival.interface, client, request.arrival.source_port), PROXY_PORT)

"""Questions to a DNS server over UDP and TCP, with scapy's messages."""

import secrets
import socket
from ipaddress import IPv4Address

from scapy.layers.dns import DNS, DNSQR

from appliance.probe.observed import Answer

_PORT = 53
_SECONDS = 2.0
_TIMES = 2
_CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


def ask(server: str, source: str, appliance: str, machine: str) -> list[Answer]:
    """The appliance's name and back, over UDP and TCP, and the reverse of an address that a machine may get."""
    reverse = IPv4Address(appliance).reverse_pointer
    answers = [question(server, source, each, reverse, "PTR") for each in ("udp", "tcp")]
    name = next((answer.values[0] for answer in answers if answer.values), None)
    if name:
        answers += [question(server, source, each, name, "A") for each in ("udp", "tcp")]
    if machine:
        answers.append(question(server, source, "udp", IPv4Address(machine).reverse_pointer, "PTR"))
    return answers


def question(server: str, source: str, transport: str, name: str, kind: str) -> Answer:
    """One question; whatever goes wrong is in the answer."""
    number = secrets.randbits(16)
    message = bytes(DNS(id=number, rd=1, qd=DNSQR(qname=name, qtype=kind)))
    try:
        data = _over_tcp(server, source, message) if transport == "tcp" else _over_udp(server, source, message)
        return _read(data, number, Answer(server, transport, name, kind))
    except TimeoutError:
        return Answer(server, transport, name, kind, words="no answer")
    except OSError as error:
        return Answer(server, transport, name, kind, words=error.strerror or str(error))


def _over_udp(server: str, source: str, message: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(_SECONDS)
        channel.bind((source, 0))
        channel.connect((server, _PORT))
        for _ in range(_TIMES - 1):
            channel.send(message)
            try:
                return channel.recv(65535)
            except TimeoutError:
                continue
        channel.send(message)
        return channel.recv(65535)


def _over_tcp(server: str, source: str, message: bytes) -> bytes:
    with socket.create_connection((server, _PORT), _SECONDS, (source, 0)) as channel:
        channel.sendall(len(message).to_bytes(2, "big") + message)
        with channel.makefile("rb") as stream:
            size = int.from_bytes(stream.read(2), "big")
            return stream.read(size)


def _read(data: bytes, number: int, asked: Answer) -> Answer:
    try:
        said = DNS(data)
        right = said.qr == 1 and said.id == number
        code = _CODES.get(int(said.rcode), str(said.rcode))
        values = tuple(_value(record.rdata) for record in said.an or () if record.type in (1, 12))
    except Exception as error:  # scapy raises what it likes on a broken message
        return Answer(asked.server, asked.transport, asked.question, asked.kind, words=f"unreadable: {error}")
    if not right:
        return Answer(
            asked.server, asked.transport, asked.question, asked.kind, words="the answer is to something else"
        )
    return Answer(asked.server, asked.transport, asked.question, asked.kind, code, values)


def _value(data: object) -> str:
    return (data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)).rstrip(".")

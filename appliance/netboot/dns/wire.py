"""Answers of the zone in wire form, made with dnslib; the only place that knows it. Pure.

dnslib packs what we made; it never reads what others sent (see message.py).
"""

from collections.abc import Sequence
from typing import Any

import dnslib
from dnslib.label import DNSBuffer

from appliance.netboot.dns.message import HEADER, Query, Sections
from appliance.netboot.dns.names import labels_of
from appliance.netboot.dns.records import Address, Authority, Record, RecordData, Service, Target, Text, Type

_SECONDS = {"refresh": 3600, "retry": 600, "expire": 86400}
_TARGETS = {Type.CNAME: dnslib.CNAME, Type.NS: dnslib.NS, Type.PTR: dnslib.PTR}


def encode_sections(query: Query, answers: Sequence[Record], authorities: Sequence[Record]) -> Sections:
    """The records in wire form, to follow the header and the question of `query`."""
    buffer = DNSBuffer(bytes(HEADER.size) + query.question.wire)
    buffer.offset = start = len(buffer.data)
    buffer.names[labels_of(query.question.name)] = HEADER.size
    for record in (*answers, *authorities):
        _resource(record).pack(buffer)
    return Sections(bytes(buffer.data[start:]), len(answers), len(authorities))


def _resource(record: Record) -> Any:
    return dnslib.RR(_label(record.name), int(record.data.type), ttl=record.ttl, rdata=_data(record.data))


def _label(name: str) -> dnslib.DNSLabel:
    """By its octets: text would be taken for an international name, and the answer be for another one."""
    return dnslib.DNSLabel(labels_of(name))


def _data(data: RecordData) -> Any:
    match data:
        case Address(address):
            return dnslib.A(str(address)) if address.version == 4 else dnslib.AAAA(str(address))
        case Target(kind, name):
            return _TARGETS[kind](_label(name))
        case Service(priority, weight, port, target):
            return dnslib.SRV(priority, weight, port, _label(target))
        case Text(strings):
            return dnslib.TXT(list(strings))
        case Authority(primary, mailbox, serial, negative_ttl):
            return dnslib.SOA(_label(primary), _label(mailbox), (serial, *_SECONDS.values(), negative_ttl))

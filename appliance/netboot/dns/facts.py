"""What the DNS server tells the rest of the product. Facts, never orders. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DnsUpstreamFailed:
    """The forwarder `upstream` (address and port) stopped answering; others are asked first now."""

    upstream: str
    reason: str


@dataclass(frozen=True)
class DnsUpstreamAnswers:
    """The forwarder `upstream` answers again."""

    upstream: str


@dataclass(frozen=True)
class DnsOverloaded:
    """`count` questions or connections were turned away, the last one for `reason`."""

    count: int
    reason: str


DnsFact = DnsUpstreamFailed | DnsUpstreamAnswers | DnsOverloaded

"""What one client, or many, may take of the DNS server. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DnsLimits:
    """A client is told apart by its address."""

    pending: int = 500
    """Questions upstream at once."""

    waiting: int = 2000
    """Clients waiting for them, in all."""

    waiting_per_source: int = 200
    """The same of one address."""

    waiters: int = 100
    """Clients waiting for the same question."""

    connections: int = 200
    """TCP connections at once."""

    connections_per_source: int = 20
    """The same for one address."""

    idle_seconds: float = 10.0
    """How long a TCP client may keep silent, or leave its answers unread."""

    pipeline: int = 50
    """Questions of one TCP connection in work at once (RFC 7766)."""

    unread_bytes: int = 256 << 10
    """Answers that a TCP connection keeps for a client that does not read; it ends when there are more."""

"""The limits that keep one client, or a forged one, from harming the others. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TftpLimits:
    """Read by the server and by every transfer; the defaults suit a rack of machines on one link."""

    block_size: int = 1468
    """Largest blksize granted, in bytes: what fits an Ethernet frame without IP fragments."""

    window_size: int = 16
    """Largest windowsize granted, in blocks (RFC 7440)."""

    transfers: int = 512
    """Transfers at once, all clients together; a request beyond is dropped and the client asks again."""

    transfers_per_source: int = 16
    """Transfers at once of one IP address."""

    unanswered_per_source: int = 4
    """Of these, how many whose client has not answered yet: the victim of a forged address gets no more."""

    first_timeout: float = 1.0
    """Seconds before the first repetition when the client asked for no timeout; then it doubles."""

    longest_timeout: float = 8.0
    """Seconds; the doubling stops here (a client may ask for a longer one itself)."""

    retries: int = 6
    """Repetitions of one window without any progress before the transfer is given up."""

    unanswered_retries: int = 3
    """The same while the client has never answered at all."""

"""The limits that keep one client, or a forged one, from harming the others. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TftpLimits:
    """Read by the server and by every transfer; the defaults suit a rack of machines on one link."""

    block_size: int = 1468
    """Largest blksize granted, in bytes: what fits an Ethernet frame without IP fragments."""

    window_size: int = 16
    """Largest windowsize granted, in blocks (RFC 7440)."""

    shared: int = 4 << 20
    """Bytes of files that are kept ready while several transfers run: most boot programs, whole."""

    transfers: int = 512
    """Transfers at once, all clients together; a request beyond is dropped and the client asks again."""

    transfers_per_source: int = 16
    """Transfers at once of one IP address."""

    unanswered_per_source: int = 4
    """Of these, how many whose client has not answered yet: the victim of a forged address gets no more."""

    first_timeout: float = 1.0
    """Seconds before the first repetition when the client asked for no timeout and its pace is not known yet."""

    least_timeout: float = 0.25
    """Seconds; the same for a client that is known to answer fast. With each repetition the pause doubles."""

    longest_timeout: float = 8.0
    """Seconds; the doubling stops here (a client may ask for a longer one itself)."""

    retries: int = 8
    """Repetitions of one window without any progress before the transfer is given up."""

    unanswered_retries: int = 3
    """The same while the client has never answered at all."""

    refusals_per_source: int = 32
    """Requests of one IP address that are answered with an error within a second: GRUB asks for ten files in a row."""

    refusals: int = 512
    """The same of all clients together; more is silence, which clients take for a lost packet."""

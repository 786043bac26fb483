"""What the TFTP server tells the rest of the product. Facts, never orders. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TftpFinished:
    """`client` (an IP address) has all of the file `name`: so many `bytes` in so many `seconds`."""

    client: str
    name: str
    bytes: int
    seconds: float


@dataclass(frozen=True)
class TftpFailed:
    """A transfer or a request of `client` ended badly. `reason` is a sentence for the timeline."""

    client: str
    name: str
    reason: str


@dataclass(frozen=True)
class TftpNotFound:
    """`client` asked for `name`, which no file source has."""

    client: str
    name: str


TftpFact = TftpFinished | TftpFailed | TftpNotFound

_LONGEST_SHOWN = 128


def shown(text: str) -> str:
    """A string from the network as facts carry it: one short line without control characters."""
    cleaned = "".join(character if character.isprintable() else "?" for character in text)
    return cleaned if len(cleaned) <= _LONGEST_SHOWN else cleaned[: _LONGEST_SHOWN - 1] + "…"

"""Which of the asked options a transfer gets (RFC 2347, 2348, 2349, 7440). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.netboot.tftp.limits import TftpLimits

SMALLEST_BLOCK, LARGEST_BLOCK, DEFAULT_BLOCK = 8, 65464, 512


@dataclass(frozen=True)
class Terms:
    """What both ends agreed on. `granted` is the content of the OACK; empty means: send none."""

    block_size: int
    window_size: int
    timeout: float | None
    granted: Mapping[str, str]


def negotiate(asked: Mapping[str, str], size: int | None, limits: TftpLimits) -> Terms:
    """The terms for a request's options; what is unknown or out of its range is left out.

    `asked`: lower-case names. `size`: bytes that will travel, None if not known beforehand (netascii).
    """
    block = _lowered(asked.get("blksize"), SMALLEST_BLOCK, min(limits.block_size, LARGEST_BLOCK))
    window = _lowered(asked.get("windowsize"), 1, limits.window_size)
    timeout = _exact(asked.get("timeout"), 1, 255)
    granted: dict[str, str] = {}
    if block is not None:
        granted["blksize"] = str(block)
    if timeout is not None:
        granted["timeout"] = str(timeout)
    if size is not None and _number(asked.get("tsize")) is not None:
        granted["tsize"] = str(size)
    if window is not None:
        granted["windowsize"] = str(window)
    return Terms(block or DEFAULT_BLOCK, window or 1, timeout, granted)


def _number(text: str | None) -> int | None:
    """A decimal number of up to ten digits; int() alone would take signs, blanks, underscores too."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text)


def _lowered(text: str | None, least: int, most: int) -> int | None:
    """The asked number, or the most we grant: never above what was asked."""
    number = _number(text)
    return None if number is None or number < least else min(number, most)


def _exact(text: str | None, least: int, most: int) -> int | None:
    """The asked number itself: the timeout is echoed or left out (RFC 2349)."""
    number = _number(text)
    return number if number is not None and least <= number <= most else None

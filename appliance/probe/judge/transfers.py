"""Boot files as they came, or did not, by TFTP and HTTP. Pure."""

from appliance.probe.finding import Finding, Status
from appliance.probe.observed import Fetch, Transfer

TFTP, HTTP = "tftp", "http"
SLOW_TFTP = 200_000
SLOW_HTTP = 10_000_000
"""Bytes a second below which booting is a nuisance: a stack of 80 MB takes longer than 8 s."""
ENOUGH_BYTES = 1_000_000
"""Of less than that no speed is told."""

_TFTP_TROUBLE = {
    "missing": (
        "the server does not have it",
        "The file that DHCP names must be there.",
        "Look into [boot] programs on the appliance: is the file there, and may the daemon read it? If another TFTP "
        "server runs there, switch it off.",
    ),
    "refused": (
        "nothing listens on UDP port 69",
        "Firmware loads this file by TFTP.",
        "Is [tftp] enabled on the appliance, and is this the right server? A firewall that rejects looks the same.",
    ),
    "silent": (
        "no answer",
        "Firmware loads this file by TFTP.",
        "Let UDP 69 in on the appliance's firewall, and every UDP port above 1023 in both directions: the answer comes "
        "from a new port for each transfer, which a firewall that knows port 69 only drops. So does the firewall of "
        "this computer; switch that off for the probe.",
    ),
    "stalled": (
        "the transfer began and then stopped",
        "Small packets pass and large ones, or those of the transfer's own port, are lost on the way.",
        "See the check mtu: blocks that are larger than the path are lost. If that is fine, let every UDP port above "
        "1023 through the firewalls in between.",
    ),
    "denied": (
        "the server refused it",
        "The file that DHCP names must be readable.",
        "The server's own words are in the details, and more in its log.",
    ),
    "other": (
        "the transfer failed",
        "Firmware loads this file by TFTP.",
        "The details have the words of the client; the appliance's log may have the other side.",
    ),
}
HOPELESS = {"refused", "silent", "stalled"}
"""Troubles of the path, not of the file: another file has them too, and costs the time again."""
_HTTP_TROUBLE = {
    "refused": "Is the appliance running, with [boot] port as in this URL? A firewall that rejects looks the same.",
    "silent": "Let TCP 80, or whatever [boot] port says, in on the appliance's firewall.",
    "other": "The details have the words of the client; the appliance's log may have the other side.",
}


def transfer(seen: Transfer) -> Finding:
    """A file fetched by TFTP."""
    details: dict[str, object] = {
        "server": seen.server,
        "file": seen.name,
        "bytes": seen.size,
        "seconds": round(seen.seconds, 3),
        "blksize": seen.block,
        "words": seen.words,
    }
    if seen.trouble:
        what, reason, hint = _TFTP_TROUBLE[seen.trouble]
        return Finding(TFTP, Status.FAILED, f"{seen.name} from {seen.server}: {what}", reason, hint, details)
    text = f"{seen.name}: {seen.size} bytes in {seen.seconds:.1f} s, blocks of {seen.block} bytes"
    if not seen.size:
        return Finding(TFTP, Status.FAILED, f"{seen.name}: empty", "Firmware starts nothing from it.", "", details)
    if _slow(seen.size, seen.seconds, SLOW_TFTP):
        return Finding(TFTP, Status.WARNING, text, "That is slow: packets are lost.", "See the check mtu.", details)
    return Finding(TFTP, Status.OK, text, details=details)


def fetch(seen: Fetch) -> Finding:
    """A file fetched over HTTP."""
    details: dict[str, object] = {
        "url": seen.url,
        "status": seen.status,
        "bytes": seen.read,
        "size": seen.size,
        "seconds": round(seen.seconds, 3),
        "bytes_per_second": _speed(seen.read, seen.seconds),
        "words": seen.words,
    }
    if wrong := _http_wrong(seen):
        text, reason, hint = wrong
        return Finding(HTTP, Status.FAILED, f"{seen.url}: {text}", reason, hint, details)
    text = f"{seen.url}: {_amount(seen)}"
    if seen.read >= ENOUGH_BYTES and _slow(seen.read, seen.seconds, SLOW_HTTP):
        reason = "Machines load the maintenance stack over this path."
        hint = "Look for a link at 100 Mbit/s or half duplex, a bad cable, or losses; see the check mtu."
        return Finding(HTTP, Status.WARNING, f"{text}, which is slow", reason, hint, details)
    return Finding(HTTP, Status.OK, text, details=details)


def _amount(seen: Fetch) -> str:
    whole = f" of {seen.size}" if seen.size is not None and seen.size != seen.read else ""
    speed = f", {seen.read / seen.seconds / 1e6:.0f} MB/s" if seen.read >= ENOUGH_BYTES and seen.seconds else ""
    return f"{seen.read}{whole} bytes in {seen.seconds:.2f} s{speed}"


def _http_wrong(seen: Fetch) -> tuple[str, str, str] | None:
    """What is wrong with an answer: what, why, what to do."""
    why = "Machines load this at boot."
    if not seen.status:
        what = {"refused": "nothing listens there", "silent": "no answer"}.get(seen.trouble, "no usable answer")
        return what, why, _HTTP_TROUBLE[seen.trouble or "other"]
    if 300 <= seen.status < 400:
        return f"redirected ({seen.status})", "Firmware follows no redirects.", "Take the redirect out of the way."
    if seen.status not in (200, 206):
        return f"HTTP status {seen.status}", why, "The appliance's log says why; is the file there?"
    if seen.trouble or (seen.size is not None and seen.read < seen.size and not seen.partly):
        return f"broke off after {seen.read} bytes", why, "Look for losses on the way; see the check mtu."
    if not seen.partly and seen.head != seen.size:
        return "HEAD does not tell the size", "UEFI asks for the size first.", "A proxy in between may be to blame."
    return None


def _speed(size: int, seconds: float) -> int | None:
    return round(size / seconds) if size >= ENOUGH_BYTES and seconds > 0 else None


def _slow(size: int, seconds: float, least: int) -> bool:
    return seconds > 1 and size / seconds < least

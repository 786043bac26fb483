"""Bundles as RAUC tells them (``rauc info``), and its errors in words that say what to do. Pure."""

import re

import msgspec

from appliance.decoding import decoded
from appliance.errors import ApplianceError, Invalid

COMPATIBLE = "qrm-appliance-amd64"
"""What a bundle for this appliance says it is for; RAUC compares it too."""
LARGEST = 8 << 30
"""Bytes: twice a slot. What is larger is no update."""
NAME = "update.raucb"
"""There is one bundle at a time, and this is its file."""


class Bundle(msgspec.Struct, frozen=True):
    """What a bundle says of itself, once its signature is found to be good."""

    version: str
    build: str
    description: str
    compatible: str


class _Info(msgspec.Struct):
    compatible: str = ""
    version: str | None = None
    build: str | None = None
    description: str | None = None


def parse_info(text: str) -> Bundle:
    """What ``rauc info --output-format=json`` says. Raises Invalid ``bundle-unreadable`` and ``bundle-foreign``."""
    try:
        info = decoded(_json(text), _Info)
    except msgspec.DecodeError as error:
        raise Invalid("bundle-unreadable", f"what the update says of itself cannot be read: {error}") from error
    if info.compatible != COMPATIBLE:
        text = f"the update is for {info.compatible[:80]!r}, and this is {COMPATIBLE!r}"
        raise Invalid("bundle-foreign", text, "get the update of this product and this kind of computer", "file")
    return Bundle(info.version or "", info.build or "", info.description or "", info.compatible)


def _json(text: str) -> str:
    """RAUC writes a line or two before it."""
    return text[max(text.find("{"), 0) :]


_WORDS: tuple[tuple[str, str, str, str], ...] = (
    (
        r"not yet valid",
        "bundle-early",
        "the certificate that signed it is not valid yet",
        "see whether the clock of the appliance is right",
    ),
    (
        r"expired",
        "bundle-expired",
        "the certificate that signed it has ended",
        "see whether the clock of the appliance is right, or get a newer update",
    ),
    (
        r"self.signed certificate|local issuer|unable to get issuer|signer certificate not found",
        "bundle-untrusted",
        "it is signed with a key that this appliance does not trust",
        "get the update from where the appliance came from",
    ),
    (
        r"digest|verification failure|content verify|signature failure|decode error|asn1|signed data type",
        "bundle-changed",
        "it is not what was signed: it was damaged on the way, or changed",
        "fetch it again, and compare its SHA-256",
    ),
    (r"compatible", "bundle-foreign", "it is for another product", "get the update of this product"),
    (r"no space", "bundle-no-room", "there is no room for it", "free some space on the state partition"),
    (
        r"squashfs|magic|signature size|larger than|too small|not a|payload|end of file|failed to read|invalid bundle",
        "bundle-unreadable",
        "this is no update, or not all of it",
        "choose the .raucb file, whole",
    ),
)


def refusal(words: str) -> Invalid:
    """What RAUC's words about a bundle mean."""
    lower = words.lower()
    for pattern, code, text, hint in _WORDS:
        if re.search(pattern, lower):
            return Invalid(code, f"the update was refused: {text}", hint, "file")
    last = words.strip().splitlines()[-1:] or ["rauc said nothing"]
    return Invalid("bundle-refused", f"the update was refused: {last[0][-300:]}", "choose another file", "file")


_PROGRESS = re.compile(r"\s*(\d{1,3})% (.*)")
_FAILED = re.compile(r"(?:LastError|Failed|.*failed): ?(.+)", re.IGNORECASE)


def progress(line: str) -> tuple[float, str] | None:
    """How far ``rauc install`` says it is, 0 to 1, and at what; None for any other line."""
    if (found := _PROGRESS.match(line)) is None:
        return None
    return min(int(found[1]), 100) / 100, found[2].strip().rstrip(".")


def install_failure(words: str) -> ApplianceError:
    """What ``rauc install`` said at its end, where that was a bad one."""
    told = [found[1] for line in words.splitlines() if (found := _FAILED.match(line.strip()))]
    text = told[-1] if told else (words.strip().splitlines() or ["rauc said nothing"])[-1]
    hint = "the version in use was not touched; look at the journal of rauc.service"
    return ApplianceError("update-failed", f"the update was not installed: {text[-300:]}", hint)


def older(version: str, present: str) -> bool:
    """Whether a version comes before the present one; unknown forms do not."""
    one, other = _numbers(version), _numbers(present)
    return bool(one and other) and one < other


def _numbers(version: str) -> tuple[int, ...]:
    head = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in head[0].split(".")) if head else ()

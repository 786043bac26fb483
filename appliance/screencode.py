"""The short codes that stand on machines' screens: which machine, and what it waits for. Pure.

`4C0101-20`: the end of the MAC address of the interface that boots, and a number for what the screen says. A person
types it into the console or after `qrm find`, and is led to the machine.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from appliance.machine import MacAddress


class Waits(IntEnum):
    """What a machine waits for, by the number on its screen."""

    SCRIPT = 10
    """Its boot script."""
    ROOM = 11
    """Its turn: too many machines came at once, or the store is stuck."""
    STACK = 20
    """The maintenance stack, which it cannot fetch."""
    ARCHITECTURE = 21
    """A maintenance stack for its processor, which there is not."""
    ROOT = 22
    """The hand-over initrd, which it cannot fetch."""
    DISK = 30
    """The disk that its deployment is on, which it does not find."""
    NETWORK = 40
    """A link, or an address, in the maintenance stack."""
    APPLIANCE = 41
    """An answer of the appliance, in the maintenance stack."""
    TRUST = 42
    """The appliance whose authority its boot script named."""
    REFUSED = 43
    """A fresh boot: the appliance refused it."""
    TROUBLE = 44
    """The end of some other trouble in the maintenance stack."""
    LET_IN = 45
    """To be let in to its root: it restarted by itself."""
    VALUES = 50
    """Values of its attempt, or an image, that make sense to the hand-over initrd."""
    MEMORY = 51
    """More memory: its root does not fit in."""
    EXPORT = 52
    """Its root, which does not come over the network."""
    WORK = 60
    """Work: all is well."""
    STEP = 61
    """Nothing: it does what it was told."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a number says, in a sentence, and what a person does about it."""

    text: str
    todo: str


MEANINGS: Final = {
    Waits.SCRIPT: Meaning(
        "it asked for its boot script by HTTP and got no answer",
        "see to it that the appliance runs, and let the TCP port of its boot files through every firewall between",
    ),
    Waits.ROOM: Meaning(
        "the appliance told it to wait: too many new machines came at once, or its store is stuck",
        "wait: it asks again by itself; look at the events for troubles of the appliance",
    ),
    Waits.STACK: Meaning(
        "it could not fetch the maintenance stack",
        "look at its screen for the error; give it 1 GiB of memory; let HTTP through",
    ),
    Waits.ARCHITECTURE: Meaning(
        "there is no maintenance stack for its processor: the appliance has one for 64-bit x86 only",
        "switch it off, or leave it to its own disk: set unknown_machines for its subnet",
    ),
    Waits.ROOT: Meaning(
        "it could not fetch the hand-over initrd, which gets its root",
        "look at its screen for the error; let HTTP through",
    ),
    Waits.LET_IN: Meaning(
        "it restarted by itself, and its root on the network is not given to it before somebody says so",
        "let it in: on its page in the console, or by: qrm machines admit",
    ),
    Waits.VALUES: Meaning(
        "the hand-over initrd cannot make anything of what it was told, or of the image",
        "look at its screen, which tells more; retry the deployment, or re-deploy it",
    ),
    Waits.MEMORY: Meaning(
        "its memory is too small to hold its root",
        "give it more memory, or deploy the image in another way",
    ),
    Waits.EXPORT: Meaning(
        "its root does not come over the network: the appliance does not answer, or does not let it in",
        "let TCP ports 2049 (NFS) and 3260 (iSCSI) of the appliance through; retry the deployment",
    ),
    Waits.DISK: Meaning(
        "no disk in it has the partition that its deployment starts from",
        "look whether the disk is plugged in, and in use in its firmware; re-deploy it if the disk is gone",
    ),
    Waits.NETWORK: Meaning(
        "the maintenance stack has no link or no address on the card that it booted from",
        "check the cable and the switch port; a port may take 50 s after power-on (spanning tree)",
    ),
    Waits.APPLIANCE: Meaning(
        "the maintenance stack gets no answer from the appliance",
        "see to it that the appliance runs, and let its ports for boot files and agents through",
    ),
    Waits.TRUST: Meaning(
        "whoever answers as the appliance has another certificate authority than its boot script said",
        "restart it; if it happens again, another computer answers in the appliance's name",
    ),
    Waits.REFUSED: Meaning(
        "the appliance refused its agent; it restarts by itself after some tries",
        "look at its timeline for the reason; restart it",
    ),
    Waits.TROUBLE: Meaning("its agent has a trouble, and tries again", "look at its screen, which tells more"),
    Waits.WORK: Meaning("it is in the maintenance stack and waits for work", "nothing has to be done"),
    Waits.STEP: Meaning("its agent works", "nothing has to be done: its page shows the progress"),
}

_CODE = re.compile(r"([0-9a-f]{6}|[0-9a-f]{12})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class ScreenCode:
    """A code as somebody typed it."""

    mac_end: str
    """The last six hex digits of a MAC address, or all twelve, lower case."""
    waits: Waits

    @property
    def like(self) -> str:
        """The end of the MAC address as it is stored, with colons."""
        return ":".join(self.mac_end[at : at + 2] for at in range(0, len(self.mac_end), 2))


def code(mac: MacAddress, waits: Waits) -> str:
    """The code to show on the screen of the machine with this interface."""
    return f"{mac.replace(':', '')[6:].upper()}-{waits:d}"


_IPXE_ERRORS: Final = {
    0x0F: "the connection was reset",
    0x2D: "there is no such file",
    0x31: "there is not enough memory",
    0x3E: "the network cannot be reached",
    0x4C: "it took too long",
}
"""By the highest octet of iPXE's number, which says what kind of error it is; the rest says where."""


def in_words(error: str) -> str:
    """A boot program's number of an error, with what it means where that is known."""
    if not re.fullmatch(r"(0x)?[0-9a-f]{8}", error):
        return "error not given"
    number = int(error, 16)
    kind = _IPXE_ERRORS.get(number >> 24)
    page = f"https://ipxe.org/{number:08x}"
    return f"{kind}, {page}" if kind else page


def parse(text: str) -> ScreenCode | None:
    """What somebody typed, as a code; None where it is none."""
    found = _CODE.fullmatch(text.strip().lower().replace(" ", "").replace(":", ""))
    if found is None or int(found[2]) not in set(Waits):
        return None
    return ScreenCode(found[1], Waits(int(found[2])))

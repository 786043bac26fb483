"""What was heard of one network interface on its way to a boot, and other DHCP servers that were noticed. Pure."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from msgspec import Struct, structs


class Stage(IntEnum):
    """How far an interface came, in order."""

    ASKED = 1
    """It asked for an address."""
    OFFERED = 2
    """It was offered one."""
    LEASED = 3
    """It took it."""
    PROGRAM = 4
    """It fetched a boot program."""
    IPXE = 5
    """iPXE runs, and asked for an address itself."""
    SCRIPT = 6
    """It fetched its boot script."""
    STACK = 7
    """It fetched the maintenance stack."""
    AGENT = 8
    """The agent arrived."""

    @property
    def word(self) -> str:
        """As the API and ``qrm`` name it."""
        return self.name.lower()


STAGE_TEXTS: dict[Stage, str] = {
    Stage.ASKED: "asked for an address",
    Stage.OFFERED: "was offered an address",
    Stage.LEASED: "took an address",
    Stage.PROGRAM: "fetched a boot program",
    Stage.IPXE: "started iPXE",
    Stage.SCRIPT: "fetched its boot script",
    Stage.STACK: "fetched the maintenance stack",
    Stage.AGENT: "started the agent",
}

ROUND_SECONDS = 600.0
"""A stage counts for as long as the machine may still be in the boot that reached it; a later boot that ends earlier
is what there is to know."""


class Sighting(Struct, frozen=True):
    """One interface; also one sign of it, which is then merged into what was known. Times are Unix seconds.

    Texts that came from the machine are cleaned and short; an empty one says that nothing is known.
    """

    mac: str
    """Lower case, colons."""
    interface: str
    """The interface of ours that it was last heard on; empty where a sign does not tell."""
    first: float
    last: float
    stage: Stage
    """The furthest stage within ROUND_SECONDS of the last sign."""
    stage_at: float
    asked: int = 0
    """DHCP messages."""
    offered: int = 0
    """Offers that we made."""
    fetched: int = 0
    """Files that it fetched."""
    served: bool | None = None
    """Whether its last DHCP message was one that we answer on that subnet; None where that is not known."""
    firmware: str = ""
    """As ``netboot.firmware`` names it, of the last message; ``none``: it does not network-boot."""
    architecture: int | None = None
    """Option 93."""
    vendor_class: str = ""
    user_class: str = ""
    hostname: str = ""
    """What it calls itself."""
    boots_at: float = 0.0
    """When its firmware or iPXE was heard of last; 0: never."""
    address: str = ""
    """IPv4 address that it was offered or leased last."""
    other_server: str = ""
    """Another DHCP server, whose offer it took."""
    other_at: float = 0.0
    file: str = ""
    """What it fetched last, or could not."""
    script: str = ""
    """What its boot script said: ``stack``, ``disk`` or ``next``; ``none``: that there is no stack for its processor;
    or ``busy``: to wait and ask again."""
    trouble: str = ""
    """What kept it from going on: ``exhausted``, ``port-full``, ``tftp-failed`` or ``crowded``; counts while nothing
    followed it.
    """
    trouble_at: float = 0.0
    reason: str = ""
    """The trouble in words, where there are any."""


def merged(old: Sighting, new: Sighting) -> Sighting:
    """What is known after ``new`` came to ``old``."""
    stage, stage_at = _furthest(old, new)
    return structs.replace(
        old,
        interface=new.interface or old.interface,
        first=min(old.first, new.first),
        last=max(old.last, new.last),
        stage=stage,
        stage_at=stage_at,
        asked=old.asked + new.asked,
        offered=old.offered + new.offered,
        fetched=old.fetched + new.fetched,
        boots_at=max(old.boots_at, new.boots_at),
        **_client(old, new),
        address=new.address or old.address,
        file=new.file or old.file,
        script=new.script or old.script,
        **_newest(old, new),
    )


def _furthest(old: Sighting, new: Sighting) -> tuple[Stage, float]:
    if new.stage >= old.stage or new.last - old.stage_at > ROUND_SECONDS:
        return new.stage, new.stage_at
    return old.stage, old.stage_at


def _client(old: Sighting, new: Sighting) -> dict[str, Any]:
    """What the last DHCP message said of its sender; a host name is remembered, since firmware has none."""
    said = new if new.firmware else old
    return {
        "served": old.served if new.served is None else new.served,
        "firmware": said.firmware,
        "architecture": said.architecture,
        "vendor_class": said.vendor_class,
        "user_class": said.user_class,
        "hostname": new.hostname or old.hostname,
    }


def _newest(old: Sighting, new: Sighting) -> dict[str, Any]:
    chose = new if new.other_at >= old.other_at else old
    failed = new if new.trouble_at >= old.trouble_at else old
    return {
        "other_server": chose.other_server,
        "other_at": chose.other_at,
        "trouble": failed.trouble,
        "trouble_at": failed.trouble_at,
        "reason": failed.reason,
    }


@dataclass(frozen=True, slots=True)
class ForeignServer:
    """Another DHCP server on a subnet where we give the addresses. Times are Unix seconds."""

    interface: str
    address: str
    first: float
    last: float
    mac: str = ""
    """Its hardware address, where this computer knows it."""
    client: str = ""
    """The interface that chose it last; empty where the server itself was heard."""
    told: float = 0.0
    """When an event told of it last."""


def noticed_again(old: ForeignServer, new: ForeignServer) -> ForeignServer:
    """What is known of a server after ``new`` came to ``old``."""
    return replace(
        old,
        first=min(old.first, new.first),
        last=max(old.last, new.last),
        mac=new.mac or old.mac,
        client=new.client or old.client,
    )

"""What VMs are made of, as ``qrm vms`` is told: disks and network cards as words with commas between."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from appliance.cli.completion import values
from appliance.cli.storage_words import VolumeSize
from appliance.errors import Invalid
from appliance.sizes import parse_size

F = TypeVar("F", bound=Callable[..., Any])
BUSES = ("virtio-scsi", "virtio-blk", "sata", "nvme")
MODELS = ("virtio", "e1000e", "e1000", "rtl8139")
FIRMWARES = ("bios", "uefi", "secure-boot")
SYSTEMS = ("linux", "windows")
STATES = ("off", "running", "paused", "stopping", "crashed", "asleep", "unknown")
POLICIES = ("load", "memory", "random", "first")


class _Words(click.ParamType):  # type: ignore[type-arg]  # generic in some versions
    """A first word, and further ones with an equals sign in them."""

    first = ""
    known: tuple[str, ...] = ()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """As the API takes it."""
        if isinstance(value, dict):
            return value
        first, *more = str(value).split(",")
        found: dict[str, Any] = {self.first: self.read(self.first, first, param, ctx)}
        for word in more:
            name, equals, text = word.partition("=")
            if not equals or name not in self.known:
                hint = ", ".join(f"{each}=..." for each in self.known)
                self.fail(f"{word!r}: write {hint}, with commas between", param, ctx)
            found[name] = self.read(name, text, param, ctx)
        return found

    def read(self, name: str, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """One value."""
        return text


class DiskWords(_Words):
    """Such as ``20G,pool=fast,bus=sata``; ``-,pool=fast,volume=data`` is a volume that is there."""

    name = "disk"
    first, known = "size", ("pool", "bus", "volume")

    def read(self, name: str, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Its size is in bytes."""
        if name == "bus" and text not in BUSES:
            self.fail(f"{text!r} is no bus: use {', '.join(BUSES)}", param, ctx)
        return (0 if text == "-" else VolumeSize().convert(text, param, ctx)) if name == "size" else text


class NicWords(_Words):
    """Such as ``br0,vlan=7,model=e1000e,mac=52:54:00:12:34:56``."""

    name = "card"
    first, known = "bridge", ("vlan", "model", "mac")

    def read(self, name: str, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A VLAN is a number."""
        if name == "vlan" and not (text.isdecimal() and len(text) < 5):
            self.fail(f"{text!r} is no VLAN: use 1 to 4094", param, ctx)
        if name == "model" and text not in MODELS:
            self.fail(f"{text!r} is no card: use {', '.join(MODELS)}", param, ctx)
        return int(text) if name == "vlan" else text


class AutostartWords(click.ParamType):  # type: ignore[type-arg]  # generic in some versions
    """``no``, or its place in the order with the seconds to wait after it: ``3`` or ``3,30``."""

    name = "order"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Empty: it is not started by itself."""
        if isinstance(value, dict) or value == "no":
            return value if isinstance(value, dict) else {}
        order, _, delay = str(value).partition(",")
        try:
            return {"order": int(order), "delay": float(delay or 0)}
        except ValueError:
            self.fail(f"{value!r}: write no, or an order such as 3, or with seconds to wait after it: 3,30", param, ctx)


class Memory(click.ParamType):  # type: ignore[type-arg]  # generic in some versions
    """Bytes, from a number with a unit; without one it counts MiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(value, "MiB")
        except Invalid as error:
            self.fail(f"{error.message}: write a number with a unit, such as 4G or 512MiB", param, ctx)


_OPTIONS = (
    click.option("--cpus", type=click.IntRange(1), help="How many processors."),
    click.option("--memory", type=Memory(), help="Such as 4G or 512MiB; without a unit it counts MiB."),
    click.option(
        "--nic", "nics", type=NicWords(), multiple=True, metavar="BRIDGE[,vlan=N][,model=M][,mac=A]",
        help="A network card on this bridge of the host; may be given several times.",
    ),
    click.option(
        "--cdrom", "cdroms", multiple=True, metavar="ISO", shell_complete=values("/isos", "name"),
        help="A CD-ROM drive with this ISO, or - for an empty one; may be given several times.",
    ),
    click.option(
        "--boot", multiple=True, metavar="TARGET",
        help="What it starts from, such as sda or the address of a card; several times, in their order.",
    ),
    click.option("--firmware", type=click.Choice(FIRMWARES), help="What it starts with."),
    click.option("--tpm/--no-tpm", default=None, help="With a TPM 2.0, or without."),
    click.option("--system", type=click.Choice(SYSTEMS), help="What is to run in it."),
    click.option("--notes", help="For people."),
    click.option(
        "--autostart", type=AutostartWords(), metavar="ORDER[,SECONDS]|no",
        help="Start it after the appliance's computer was: lower ones first, with seconds to wait after it.",
    ),
)  # fmt: skip


def vm_options(command: F) -> F:
    """Whatever can be said of a VM when it is made, and changed afterwards."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as the API takes them."""
    sent = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    if "cdroms" in sent:
        sent["cdroms"] = ["" if each == "-" else each for each in sent["cdroms"]]
    return {name: value for name, value in sent.items() if value not in (None, [])}

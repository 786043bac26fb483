"""What the screen has done for a person, and what came of it. Values only: ``act`` carries orders out. Pure."""

from dataclasses import dataclass, field

from appliance.installer.disks import Disk
from appliance.networking.layout import Layout
from appliance.networking.served import Served
from appliance.privileged.verbs.network import Seen


@dataclass(frozen=True, slots=True)
class Order:
    """Something to be done; the page of whoever asked waits for what comes of it."""


@dataclass(frozen=True, slots=True)
class Repaint(Order):
    """Draw everything anew: something else wrote on the terminal."""


@dataclass(frozen=True, slots=True)
class Cancel(Order):
    """Leave what goes on."""


@dataclass(frozen=True, slots=True)
class LookAtNetwork(Order):
    """Which interfaces there are, and how the console is reached."""


@dataclass(frozen=True, slots=True)
class TryNetwork(Order):
    """Use other networks for a minute; they last once they are kept."""

    before: Layout
    """Those that were shown: where others are in force by now, nothing is done."""
    after: Layout
    told: tuple[str, ...] = ()
    """What changes, in words, as it was agreed to."""
    unserve: bool = False
    """Whether it was agreed that subnets are not served any more."""


@dataclass(frozen=True, slots=True)
class KeepNetwork(Order):
    """Keep what is tried."""


@dataclass(frozen=True, slots=True)
class RevertNetwork(Order):
    """Take back what is tried."""


@dataclass(frozen=True, slots=True)
class LookAtUsers(Order):
    """Who has an account."""


@dataclass(frozen=True, slots=True)
class ResetPassword(Order):
    """Give a user another password, and end their log-ins."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenShell(Order):
    """A shell, if this is an administrator of the console."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadLog(Order):
    """The last lines of a unit's log."""

    unit: str


@dataclass(frozen=True, slots=True)
class MakeLink(Order):
    """Have the daemon make a set-up link that is good for another day."""


@dataclass(frozen=True, slots=True)
class Restart(Order):
    """Restart the appliance."""


@dataclass(frozen=True, slots=True)
class SwitchOff(Order):
    """Switch the appliance off."""


@dataclass(frozen=True, slots=True)
class FactoryReset(Order):
    """Forget everything and restart."""


@dataclass(frozen=True, slots=True)
class LookForBackups(Order):
    """Backups of the state on sticks that are plugged in."""


@dataclass(frozen=True, slots=True)
class RestoreBackup(Order):
    """Put the state of a backup in the place of the present one."""

    backup: "Backup"
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LookAtDisks(Order):
    """Which disks there are to install onto."""


@dataclass(frozen=True, slots=True)
class InstallOnto(Order):
    """Copy the appliance onto a disk; everything on it is lost."""

    disk: Disk


# -- what comes of them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an order."""


@dataclass(frozen=True, slots=True)
class Failed(Outcome):
    """It was not done; what happened, and what to do."""

    message: str
    hint: str = ""
    field: str = ""
    """Which input was wrong, if one was."""


@dataclass(frozen=True, slots=True)
class Finished(Outcome):
    """It was done; what to tell."""

    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress(Outcome):
    """It goes on."""

    part: float | None
    """0 to 1; None where that is not known."""
    message: str


@dataclass(frozen=True, slots=True)
class NetworkSeen(Outcome):
    """The networks in force, and what the computer has at this moment."""

    layout: Layout
    seen: tuple[Seen, ...] = ()
    served: tuple[Served, ...] = ()
    """Subnets that machines are served on, as far as that is known."""

    def now(self, name: str) -> Seen | None:
        """An interface of the layout as the kernel has it: a NIC is known by its MAC address, all else by its name."""
        of = self.layout.named(name)
        if of is None or of.kind != "nic":
            return next((each for each in self.seen if each.name == name), None)
        return next((each for each in self.seen if each.is_nic and each.mac == of.mac), None)


@dataclass(frozen=True, slots=True)
class NetworkTried(Outcome):
    """The settings are in use until they are kept or taken back."""

    until: float
    """Unix time at which they are taken back."""
    told: tuple[str, ...] = ()
    """What changes, in words."""


@dataclass(frozen=True, slots=True)
class UsersSeen(Outcome):
    """Names of the users, each with what they are."""

    users: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LogRead(Outcome):
    """Lines of a log, oldest first."""

    unit: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backup:
    """A file on a stick."""

    device: str
    """Partition, such as ``/dev/sdb1``."""
    name: str
    """File name on it."""
    about: str
    """Whose state, of when."""
    encrypted: bool


@dataclass(frozen=True, slots=True)
class BackupsSeen(Outcome):
    """What was found, newest first."""

    backups: tuple[Backup, ...]


@dataclass(frozen=True, slots=True)
class DisksSeen(Outcome):
    """Every disk; those that cannot be installed onto say why."""

    disks: tuple[Disk, ...]

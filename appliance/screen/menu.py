"""What can be chosen on the screen, and what each choice leads to: one table of choices, one of forms. Pure.

Who stands before the screen, or before the serial line, has the computer itself: they can take its disk out or start
another system on it. So what they could do anyway needs no log-in here, and is not made harder than a screwdriver:
network settings, a restart, a factory reset, another password for a user. Each leaves its trace in the event log. A
shell is something else: it shows and changes what nobody would see afterwards, so it takes an administrator's name
and password. A line of the log tells no secret, and is needed most where nobody can log in.
"""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.installer.disks import Disk
from appliance.privileged.verbs.journal import KERNEL
from appliance.privileged.verbs.services import DAEMON
from appliance.screen import interface_form, network_form, networks
from appliance.screen.facts import Facts
from appliance.screen.interface_form import Chosen
from appliance.screen.orders import (
    Backup,
    BackupsSeen,
    DisksSeen,
    FactoryReset,
    Failed,
    InstallOnto,
    LookAtDisks,
    LookAtNetwork,
    LookAtUsers,
    LookForBackups,
    MakeLink,
    NetworkSeen,
    OpenShell,
    Order,
    ReadLog,
    ResetPassword,
    Restart,
    RestoreBackup,
    SwitchOff,
    UsersSeen,
)
from appliance.screen.pages import Code, Confirm, Field, Form, Item, Menu, Page, Told

KEEP_WORD = "keep"
RESTART_WORD, OFF_WORD, INSTALL_WORD = "restart", "switch off", "install"
RESET_WORD = "erase everything"
RESTORE_WORD = "restore"


@dataclass(frozen=True, slots=True)
class Begin:
    """Something has to be done before there is a page to show."""

    title: str
    order: Order


Meant = Page | Begin
Choice = Callable[[object, Facts], Meant]


def may_be_left(order: Order) -> bool:
    """Whether somebody who waits for this may end it: what only looks, and an installation."""
    looking = (LookAtNetwork, LookAtUsers, LookForBackups, LookAtDisks, ReadLog)
    return isinstance(order, (*looking, InstallOnto))


def main(facts: Facts) -> Menu:
    """The menu, with what there is to do now."""
    everything = (
        (facts.may_install, Item("Install onto a disk of this computer", "install")),
        (bool(facts.setup), Item("Set-up link as a QR code", "code")),
        (facts.setup_expired, Item("Make a fresh set-up link", "fresh-link", about="restarts the services")),
        (True, Item(networks.TITLE, "network")),
        (True, Item("Log", "log")),
        (not facts.setup, Item("Reset a password", "users")),
        (not facts.setup, Item("Shell", "shell", about="asks for an administrator's name and password")),
        (True, Item("Restore a backup from a USB stick", "backups")),
        (True, Item("Restart", "restart")),
        (True, Item("Switch off", "off")),
        (True, Item("Factory reset", "reset", about="forgets everything")),
    )
    return Menu("Menu", tuple(item for there, item in everything if there))


def _console(value: object, facts: Facts) -> Form:
    assert isinstance(value, NetworkSeen)
    return network_form.form(value)


def _interface(value: object, facts: Facts) -> Menu:
    assert isinstance(value, Chosen)
    return networks.interface(value)


def _change_interface(value: object, facts: Facts) -> Form:
    assert isinstance(value, Chosen)
    return interface_form.form(value)


def _take_away(value: object, facts: Facts) -> Page:
    assert isinstance(value, Chosen)
    return _question(networks.take_away(value), f"Take {value.interface.name} away")


def _nat(value: object, facts: Facts) -> Page:
    assert isinstance(value, NetworkSeen)
    return _question(networks.switch_nat(value), networks.TITLE)


def _question(asked: Confirm | Failed, title: str) -> Page:
    if isinstance(asked, Confirm):
        return asked
    return Told(title, tuple(each for each in (asked.message, asked.hint) if each), good=False)


_URGENT = ("failed", "starting", "stopped", "running", "resting")


def _log_menu(value: object, facts: Facts) -> Menu:
    """What is broken first; then what most questions are about."""
    order = sorted(facts.services, key=lambda each: (_URGENT.index(each.state), each.unit != DAEMON))
    items = [Item(each.about, "read-log", each.unit, about=each.state) for each in order]
    items = items or [Item("netboot services and console", "read-log", DAEMON)]
    return Menu("Log", (*items, Item("kernel", "read-log", KERNEL)), ("Of what?",))


def _read_log(value: object, facts: Facts) -> Begin:
    return Begin("Log", ReadLog(str(value)))


def users(seen: UsersSeen) -> Menu:
    """Whose password is to be another one."""
    items = tuple(Item(name, "password", name, about=role) for name, role in seen.users)
    intro = ("Whose password? All log-ins of that user end, and the event log says that it was reset here.",)
    return Menu("Reset a password", items, intro if items else ("Nobody has an account.",))


def _password(value: object, facts: Facts) -> Form:
    intro = (f"The new password of {value}: 10 characters or more. A sentence is fine.",)
    fields = (Field("password", "New password", secret=True), Field("again", "Once more", secret=True))
    return Form("Reset a password", "password", fields, intro, "Set the password", about=value)


def _read_password(form: Form) -> Order | Confirm | Failed:
    values = form.values()
    if values["password"] != values["again"]:
        return Failed("the two are not the same", "type both again", "password")
    return ResetPassword(str(form.about), values["password"])


def _shell(value: object, facts: Facts) -> Form:
    intro = ("Name and password of an administrator, as in the console. What you do in the shell you do as root.",)
    fields = (Field("name", "Name"), Field("password", "Password", secret=True))
    return Form("Shell", "shell", fields, intro, "Log in")


def _read_shell(form: Form) -> Order | Confirm | Failed:
    values = form.values()
    if not values["name"]:
        return Failed("the name is missing", field="name")
    return OpenShell(values["name"].strip(), values["password"])


def _restart(value: object, facts: Facts) -> Confirm:
    lines = ("Machines that run go on running. Until the appliance is back, none of them can boot from it.",)
    return Confirm("Restart", lines, Restart(), RESTART_WORD)


def _switch_off(value: object, facts: Facts) -> Confirm:
    lines = ("Machines that run go on running. While the appliance is off, none of them can boot from it.",)
    return Confirm("Switch off", lines, SwitchOff(), OFF_WORD)


def _reset(value: object, facts: Facts) -> Confirm:
    lines = (
        "Lost are: all accounts and settings, network settings included; all machines, deployments, images and "
        "kernels; addresses and names that were given; certificates, keys and the logs.",
        "Kept is the version of the appliance that runs now. Disks of machines are not touched. What pools on "
        "other disks of this computer hold stays there, but is no longer known here.",
        "There is no way back but a backup of the state. The appliance restarts as if it were new.",
    )
    return Confirm("Factory reset", lines, FactoryReset(), RESET_WORD)


def backups(seen: BackupsSeen) -> Menu:
    """Which backup."""
    items = tuple(Item(each.name, "backup", each, about=each.about) for each in seen.backups)
    nothing = (
        "No backup was found. They are files whose names end in .qrmstate, at the top of a FAT, exFAT or ext4 stick.",
        "Make one with: qrm state backup DIR",
    )
    return Menu("Restore a backup", items, ("Which one?",) if items else nothing)


def _backup(value: object, facts: Facts) -> Meant:
    assert isinstance(value, Backup)
    if not value.encrypted:
        return _confirm_restore(value, "")
    fields = (Field("passphrase", "Passphrase", secret=True),)
    return Form("Restore a backup", "backup", fields, (f"{value.name} is encrypted.",), about=value)


def _read_backup(form: Form) -> Order | Confirm | Failed:
    assert isinstance(form.about, Backup)
    if not form.values()["passphrase"]:
        return Failed("the passphrase is missing", field="passphrase")
    return _confirm_restore(form.about, form.values()["passphrase"])


def _confirm_restore(backup: Backup, passphrase: str) -> Confirm:
    lines = (
        f"{backup.name}: {backup.about}.",
        "The present state is moved aside and the one of the backup takes its place, with its accounts and passwords. "
        "It is read and checked as a whole first. The services of the appliance stop meanwhile. The configuration "
        "comes back where there is none yet.",
    )
    return Confirm("Restore a backup", lines, RestoreBackup(backup, passphrase), RESTORE_WORD)


def disks(seen: DisksSeen) -> Menu:
    """Onto which disk."""
    items = tuple(Item(str(each), "disk", each, about=_disk_note(each), refused=each.refused) for each in seen.disks)
    intro = "Onto which disk? This stick stays as it is." if items else "This computer has no disk that can be seen."
    return Menu("Install onto a disk", items, (intro,))


def _disk_note(disk: Disk) -> str:
    return disk.refused or ("holds data" if disk.holds else "empty")


def _disk(value: object, facts: Facts) -> Confirm:
    assert isinstance(value, Disk)
    if not value.holds:
        lines = (str(value), "Nothing known is on it. It becomes the disk of the appliance.")
        return Confirm("Install onto a disk", lines, InstallOnto(value), INSTALL_WORD)
    found = tuple(f"  {each}" for each in value.holds[:8])
    more = (f"  and {len(value.holds) - 8} more",) if len(value.holds) > 8 else ()
    lines = (str(value), "All of this is lost:", *found, *more, f"Its serial number is {value.identifier}.")
    return Confirm("Install onto a disk", lines, InstallOnto(value), value.identifier)


CHOICES: dict[str, Choice] = {
    "install": lambda value, facts: Begin("Looking at the disks", LookAtDisks()),
    "disk": _disk,
    "code": lambda value, facts: Code(),
    "fresh-link": lambda value, facts: Begin("Set-up link", MakeLink()),
    "network": lambda value, facts: Begin("Looking at the network", LookAtNetwork()),
    "console": _console,
    "interface": _interface,
    "change-interface": _change_interface,
    "make": _change_interface,
    "take-away": _take_away,
    "nat": _nat,
    "log": _log_menu,
    "read-log": _read_log,
    "users": lambda value, facts: Begin("Looking at the users", LookAtUsers()),
    "password": _password,
    "shell": _shell,
    "backups": lambda value, facts: Begin("Looking for backups", LookForBackups()),
    "backup": _backup,
    "restart": _restart,
    "off": _switch_off,
    "reset": _reset,
}
"""By the names that items carry."""

FORMS: dict[str, Callable[[Form], Order | Confirm | Failed]] = {
    "network": network_form.read,
    "interface": interface_form.read,
    "password": _read_password,
    "shell": _read_shell,
    "backup": _read_backup,
}
"""By the names that forms carry."""

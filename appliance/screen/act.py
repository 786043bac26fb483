"""Carries out what the screen is asked for; what changes the system goes through verbs of the privileged helper.

Where its socket is gone, the same verbs are carried out here: this is root's process, and it must be able to help most
where least of the appliance runs.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from appliance import command
from appliance.accounts import Role
from appliance.config import Config
from appliance.config_fitting import served
from appliance.errors import ApplianceError, Conflict, Denied
from appliance.installer import act as installer
from appliance.installer.disks import Disk
from appliance.networking.plan import plan
from appliance.networking.served import Served
from appliance.privileged.client import Privileged
from appliance.privileged.computer import Computer, running_as_root
from appliance.privileged.table import TABLE
from appliance.privileged.verb import Verb
from appliance.privileged.verbs import network
from appliance.privileged.verbs.journal import Lines
from appliance.privileged.verbs.power import PowerOff, Reboot
from appliance.privileged.verbs.reset import Factory
from appliance.privileged.verbs.services import DAEMON, UNITS
from appliance.privileged.verbs.services import Restart as RestartUnit
from appliance.screen import book, orders, sticks
from appliance.screen.facts import Facts
from appliance.screen.gather import Gatherer, in_thread
from appliance.screen.limits import Attempts
from appliance.screen.orders import Failed, Finished, Order, Outcome, Progress
from appliance.web import recovery
from appliance.web.passwords import Passwords, default_hasher

R = TypeVar("R")
LOG_LINES = 1000
SHELL = ("/bin/bash", "--login")
SHELL_IDLE_SECONDS = 900

Say = Callable[[Outcome], None]
Lend = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
"""Gives the terminal to somebody else as long as a function runs."""


@dataclass
class Acting:
    """Does what one screen asks for."""

    gatherer: Gatherer
    lend: Lend
    helper: Privileged = field(default_factory=Privileged)
    computer: Computer = field(default_factory=Computer)
    stick: Path = Path("/run/appliance-screen/stick")
    """Where sticks are mounted."""
    shell: tuple[str, ...] = SHELL

    async def carry(self, order: Order, facts: Facts, say: Say) -> Outcome:
        """What came of an order; raises nothing but CancelledError."""
        try:
            return await ACTS[type(order)](self, order, facts, say)
        except ApplianceError as error:
            return Failed(error.message, error.hint, error.field)
        except OSError as error:
            return Failed(f"{error.filename or 'the computer'}: {error.strerror or error}", "look at the log")
        except Exception as error:  # a defect in one order must not take the screen away
            return Failed(f"this failed: {type(error).__name__}: {error}", "this is a defect of the appliance")

    async def _privileged(self, verb: Verb[R], say: Say) -> R:
        """The result of a verb of the privileged helper; raises ApplianceError."""

        def hears(progress: float | None, message: str = "") -> None:
            say(Progress(progress, message))

        try:
            return await self.helper.call(verb, hears)
        except ApplianceError as error:
            nobody = error.code in ("helper-missing", "helper-down")
            if not nobody or not (self.gatherer.is_appliance() and running_as_root()):
                raise
        return cast("R", await TABLE[verb.name].act(verb, self.computer, hears))

    # -- the appliance

    async def restart(self, order: orders.Restart, facts: Facts, say: Say) -> Outcome:
        """Restart it."""
        await self._privileged(Reboot(), say)
        return Finished(("The appliance restarts.",))

    async def make_link(self, order: orders.MakeLink, facts: Facts, say: Say) -> Outcome:
        """The daemon makes a fresh one when it starts."""
        await self._privileged(RestartUnit(DAEMON), say)
        return Finished(("The services start again; a fresh link is on the first page in a moment.",))

    async def switch_off(self, order: orders.SwitchOff, facts: Facts, say: Say) -> Outcome:
        """Switch it off."""
        await self._privileged(PowerOff(), say)
        return Finished(("The appliance switches itself off.",))

    async def read_log(self, order: orders.ReadLog, facts: Facts, say: Say) -> Outcome:
        """The last lines of the journal."""
        read = await self._privileged(Lines(order.unit, LOG_LINES), say)
        return orders.LogRead(UNITS.get(order.unit, order.unit), tuple(read.lines))

    async def factory_reset(self, order: orders.FactoryReset, facts: Facts, say: Say) -> Outcome:
        """The next start begins with nothing."""
        await self._privileged(Factory(), say)
        return Finished(("The appliance restarts, and is as new then.",))

    # -- the network

    async def look_at_network(self, order: orders.LookAtNetwork, facts: Facts, say: Say) -> Outcome:
        """All of it; a change that waits to be confirmed, from wherever it came, comes first."""
        status = await self._privileged(network.Status(), say)
        if status.trial is not None:
            return orders.NetworkTried(status.trial.until, plan(status.layout, status.trial.layout, "", {}).lines)
        return orders.NetworkSeen(status.layout, status.seen, await in_thread(self._served))

    def _served(self) -> tuple[Served, ...]:
        """Where machines are served; unknown where the configuration cannot be read, and then none."""
        with suppress(ApplianceError):
            return served(self.gatherer.config())
        return ()

    async def try_network(self, order: orders.TryNetwork, facts: Facts, say: Say) -> Outcome:
        """Put the settings on for a minute."""
        status = await self._privileged(network.Status(), say)
        if status.layout != order.before:
            what = "somebody has changed the networks meanwhile"
            raise Conflict("network-changed", what, "leave this page, and look at them again")
        lines = order.told
        try:
            trial = await self._privileged(network.Apply(order.after, order.unserve), say)
        except Conflict as error:
            if error.code != "network-unserved":
                raise
            # It is on trial, and what it costs is read before it is kept: the screen is there to get in at all.
            trial = await self._privileged(network.Apply(order.after, unserve=True), say)
            lines = (*lines, error.message)
        return orders.NetworkTried(trial.until, lines)

    async def keep_network(self, order: orders.KeepNetwork, facts: Facts, say: Say) -> Outcome:
        """What is tried lasts."""
        await self._privileged(network.Confirm(), say)
        return Finished(("The new settings are kept.",))

    async def revert_network(self, order: orders.RevertNetwork, facts: Facts, say: Say) -> Outcome:
        """What was before is in force again."""
        await self._privileged(network.Revert(), say)
        return Finished(("The settings of before are in force again.",))

    # -- people

    async def look_at_users(self, order: orders.LookAtUsers, facts: Facts, say: Say) -> Outcome:
        """Everybody with an account."""
        return orders.UsersSeen(await in_thread(lambda: book.users(self._state_dir())))

    async def reset_password(self, order: orders.ResetPassword, facts: Facts, say: Say) -> Outcome:
        """As ``qrm state reset-password``."""
        has_admin = await recovery.reset_password(self._state_dir(), order.user, order.password, time.time())
        told = [f"{order.user} has a new password. All of their log-ins ended."]
        if not has_admin:
            told.append("Nobody here is an administrator any more: restore a backup from when there was one.")
        return Finished(tuple(told))

    async def open_shell(self, order: orders.OpenShell, facts: Facts, say: Say) -> Outcome:
        """A shell of root's, for an administrator of the console."""
        name = await self._administrator(order.name, order.password)
        with suppress(ApplianceError):  # a store that cannot be written to is why somebody needs this shell
            await in_thread(lambda: recovery.note_shell(self._state_dir(), name, time.time()))
        environment = {"TMOUT": str(SHELL_IDLE_SECONDS), "QRM_USER": name, "HOME": "/root"}

        async def use() -> None:
            await in_thread(lambda: command.attended(self.shell, environment))

        await self.lend(use)
        return Finished()

    async def _administrator(self, name: str, password: str) -> str:
        attempts = Attempts(self.gatherer.places.attempts)
        await in_thread(attempts.begin)
        user = await in_thread(lambda: book.find_user(self._state_dir(), name))
        same = await Passwords(default_hasher()).matches(user.password if user else None, password)
        if user is None or not same or user.disabled:
            raise Denied("login-wrong", "name or password is wrong", "a lost password is reset in the menu", "name")
        if user.role != Role.ADMIN:
            raise Denied("role-missing", f"{name} is no administrator", "a shell takes one", "name")
        await in_thread(attempts.succeeded)
        return user.name

    def _state_dir(self) -> Path:
        """Where the store is, also where the configuration cannot be read."""
        with suppress(ApplianceError):
            return self.gatherer.config().site.state_dir
        return Config().site.state_dir

    # -- backups and disks

    async def look_for_backups(self, order: orders.LookForBackups, facts: Facts, say: Say) -> Outcome:
        """On all sticks."""
        return orders.BackupsSeen(await in_thread(lambda: sticks.find(self.stick)))

    async def restore_backup(self, order: orders.RestoreBackup, facts: Facts, say: Say) -> Outcome:
        """The state of the backup takes the place of the present one."""
        config = self.gatherer.places.configs[0]
        say(Progress(None, "reading and checking the whole backup"))
        done = await in_thread(lambda: sticks.bring_back(order.backup, order.passphrase, config, self.stick))
        told = [f"This is the state of {done.host} again. The services start now."]
        told += [] if done.configuration else ["The configuration of this appliance stayed as it was."]
        told += [f"The state that was there is in {done.aside}."] if done.aside else []
        told += [f"{name} has no content here: upload it again." for name in done.missing[:10]]
        return Finished(tuple(told))

    async def look_at_disks(self, order: orders.LookAtDisks, facts: Facts, say: Say) -> Outcome:
        """All that there are, to install onto."""
        source = self._source()
        return orders.DisksSeen(await in_thread(lambda: installer.list_disks(source)))

    async def install_onto(self, order: orders.InstallOnto, facts: Facts, say: Say) -> Outcome:
        """Copy the appliance onto a disk; it can be stopped, and the disk does not boot then."""
        source, loop, wanted = self._source(), asyncio.get_running_loop(), threading.Event()
        wanted.set()

        def tell(part: float, message: str) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(say, Progress(part, message))

        def work() -> None:
            disk = installer.find_disk(source, order.disk)
            installer.install(source, facts.slot, disk, tell, wanted.is_set)

        return await _stoppable(in_thread(work), wanted, order.disk)

    def _source(self) -> Path:
        source = self.gatherer.source_disk()
        if source is None:
            text = "the disk that the appliance runs from cannot be found"
            raise ApplianceError("install-source", text, "only a flashed appliance can install itself")
        return source


async def _stoppable(work: "asyncio.Future[None]", wanted: threading.Event, disk: Disk) -> Outcome:
    """What an installation comes to; who cancels it waits until it has really stopped."""
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        wanted.clear()
        try:
            await work
        except ApplianceError as error:
            return Failed(error.message, error.hint)
    return Finished((
        f"The appliance is on {disk}.", "Take the stick out and restart: it starts from there, as a new one.",
    ))  # fmt: skip


ACTS: Mapping[type[Order], Callable[[Acting, Any, Facts, Say], Awaitable[Outcome]]] = {
    orders.Restart: Acting.restart,
    orders.MakeLink: Acting.make_link,
    orders.SwitchOff: Acting.switch_off,
    orders.FactoryReset: Acting.factory_reset,
    orders.ReadLog: Acting.read_log,
    orders.LookAtNetwork: Acting.look_at_network,
    orders.TryNetwork: Acting.try_network,
    orders.KeepNetwork: Acting.keep_network,
    orders.RevertNetwork: Acting.revert_network,
    orders.LookAtUsers: Acting.look_at_users,
    orders.ResetPassword: Acting.reset_password,
    orders.OpenShell: Acting.open_shell,
    orders.LookForBackups: Acting.look_for_backups,
    orders.RestoreBackup: Acting.restore_backup,
    orders.LookAtDisks: Acting.look_at_disks,
    orders.InstallOnto: Acting.install_onto,
}
"""Every order, and who carries it out."""

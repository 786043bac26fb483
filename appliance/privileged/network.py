"""Carries out the verbs of ``verbs/network.py``, in the steps that ``network_state`` writes down."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from appliance.config_fitting import served
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.networking.check import check
from appliance.networking.edit import settled
from appliance.networking.follow import moves
from appliance.networking.layout import Interface, Layout
from appliance.networking.plan import SECONDS
from appliance.networking.render import stale
from appliance.networking.served import ended_by
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.configuration import configured, follow_networks
from appliance.privileged.firewall import put_rules
from appliance.privileged.network_seen import look
from appliance.privileged.network_state import NetworkState
from appliance.privileged.verb import Done
from appliance.privileged.verbs.network import (
    Admit,
    Admitted,
    Apply,
    Confirm,
    NetworkStatus,
    Revert,
    Reverted,
    Status,
    Trial,
)
from appliance.privileged.verbs.services import DAEMON

log = logging.getLogger("appliance.privileged")

NETWORKD = "systemd-networkd.service"
TIMER = "appliance-network-revert.timer"
REVERTING = "appliance-network-revert-now.service"
SETTLE_SECONDS = 10
NOT_CONFIRMED = f"nobody confirmed it within {SECONDS} seconds"
RESTARTED = "the appliance was restarted before anybody confirmed it"
TAKEN_BACK = "it was taken back by hand"
Clock = Callable[[], float]


async def status(verb: Status, on: Computer, tell: Tell) -> NetworkStatus:
    """Asked of the disk and the kernel each time."""
    state = NetworkState(on.roots)
    layout, trial = state.confirmed() or Layout(), state.tried()
    seen = await look(on, trial.layout if trial else layout)
    return NetworkStatus(layout, trial, state.reverted(), seen)


async def apply(verb: Apply, on: Computer, tell: Tell, clock: Clock = time.time) -> Trial:
    """A change that networkd or the firewall does not take is taken back at once."""
    check(verb.layout)
    state = NetworkState(on.roots)
    with state.alone():
        if state.is_trying:
            hint = "confirm the last change or take it back first"
            raise Conflict("network-trying", "another change of the network waits to be confirmed", hint)
        before = state.confirmed() or Layout()
        if verb.layout == before:
            raise Conflict("network-same", "the network is like this already", "change something first")
        _check_nics(before, verb.layout)
        if not verb.unserve:
            await _check_served(on, before, verb.layout)
        # Where it failed after it had taken the last change back, it is tried again, and would take this one back.
        await on.run(["systemctl", "stop", REVERTING])
        await on.run(["systemctl", "restart", TIMER])
        trial = Trial(verb.layout, clock() + SECONDS)
        state.begin(trial, moves(before, verb.layout))
        try:
            state.write_files(verb.layout)
            await _load(on, before, verb.layout)
            await put_rules(on, verb.layout)
        except (ApplianceError, OSError) as error:
            await _take_back(on, state, f"it could not be put on: {error}", clock)
            raise
        return trial


def _check_nics(before: Layout, after: Layout) -> None:
    """NICs are found by the computer, not by users: each stays what it is, under its name."""

    def nics(layout: Layout) -> set[tuple[str, str]]:
        return {(each.name, each.mac) for each in layout.interfaces if each.kind == "nic"}

    if strange := nics(after) - nics(before):
        name, mac = min(strange)
        hint = f"the NICs are {', '.join(f'{each} ({its})' for each, its in sorted(nics(before)))}"
        raise Invalid("network-invalid", f"the appliance has no NIC {name} with the address {mac}", hint, f"{name}.mac")


async def _check_served(on: Computer, before: Layout, after: Layout) -> None:
    """The daemon sets aside what does not fit; nobody is to find that out from machines that do not boot."""
    live = {each.name: each.addresses for each in await look(on, before)}
    ended = ended_by(served(configured(on.roots)), before, after, live)
    if ended:
        what = "; ".join(f"machines on {subnet} would not be served any more: {why}" for subnet, why in ended.items())
        raise Conflict("network-unserved", what, "change or remove these subnets first, or agree to that")


async def confirm(verb: Confirm, on: Computer, tell: Tell) -> Done:
    """One rename; what follows from it is done by the timer or at boot, should this be cut off."""
    state = NetworkState(on.roots)
    with state.alone():
        trial = state.tried()
        if trial is None:
            raise _nothing()
        before = state.confirmed() or Layout()
        state.keep()
        await _finish(on, state, _served(before) != _served(trial.layout))
        with suppress(ApplianceError):  # it would find nothing to take back
            await on.run(["systemctl", "stop", TIMER])
    return Done()


async def _finish(on: Computer, state: NetworkState, restart: bool) -> None:
    """What follows from a change that was confirmed just now, or before all was cut off."""
    kept = state.unfinished()
    if kept is None:
        return
    if follow_networks(on, kept.moves) or restart:
        await on.run(["systemctl", "--no-block", "restart", DAEMON])
    state.finish(kept.layout)


def _served(layout: Layout) -> list[Interface]:
    """What the daemon reads once, when it starts: the networks that machines boot from."""
    return sorted(layout.with_role("provisioning"), key=lambda each: each.name)


async def revert(verb: Revert, on: Computer, tell: Tell) -> Done:
    """At once."""
    if not await take_back(on, TAKEN_BACK, wait=False):
        raise _nothing()
    return Done()


def _nothing() -> Conflict:
    hint = "look at the network: a change that nobody confirms in time is taken back"
    return Conflict("network-not-trying", "no change of the network waits to be confirmed", hint)


async def take_back(on: Computer, why: str, wait: bool = True, clock: Clock = time.time) -> bool:
    """The confirmed layout is on again; whether there was anything to take back.

    This is what the timer does, in a process of its own: neither daemon nor helper need be alive.
    """
    state = NetworkState(on.roots)
    with state.alone(wait):
        if not state.is_trying:
            await _finish(on, state, restart=True)
            return False
        trial, before = state.tried(), state.confirmed() or Layout()
        await _take_back(on, state, why, clock)
        if trial is None or _served(trial.layout) != _served(before):
            # It may have been started while the change was on, and have read addresses that are gone.
            await on.run(["systemctl", "--no-block", "restart", DAEMON])
        return True


async def _take_back(on: Computer, state: NetworkState, why: str, clock: Clock) -> None:
    """Removes the mark last: cut off anywhere, or where networkd does not do it, it is done again."""
    trial, before = state.tried(), state.confirmed() or Layout()
    state.write_files(before)
    await _load(on, trial.layout if trial else before, before)
    try:
        await put_rules(on, before)
    except ApplianceError as error:
        log.error("the rules of before are not on: %s", error.message)  # the network is, and that is the way back
    _forget(state, why, clock)


def _forget(state: NetworkState, why: str, clock: Clock) -> None:
    trial = state.tried()
    if trial is not None:
        state.note_reverted(Reverted(trial.layout, clock(), why))
    state.end()


async def _load(on: Computer, before: Layout, after: Layout) -> None:
    """Have read what was written."""
    gone = stale(before, after)
    present = {each.name for each in await look(on, before)}
    for name in gone:
        if name in present:
            await on.run(["ip", "link", "delete", "dev", name])
    if not gone:
        try:
            await on.run(["networkctl", "reload"])
            return
        except ApplianceError as error:
            log.warning("networkd is restarted, since it does not reload: %s", error.message)
    # `networkctl reload` makes what is new, but keeps its memory of what was made before (systemd 257).
    await on.run(["systemctl", "restart", NETWORKD])


async def settle(on: Computer, clock: Clock = time.time) -> Layout:
    """At boot, before networkd starts: what was not confirmed is taken back, NICs get their names.

    The files are written in any case, so that whatever was cut off before is made whole. Returns the layout.
    """
    state = NetworkState(on.roots)
    with state.alone(wait=True):
        before = state.confirmed()
        seen = await look(on, Layout())
        layout = settled(before, [each.mac for each in seen])
        state.write_files(layout)
        if state.is_trying:
            await _tell_networkd(on, state, layout)
            _forget(state, RESTARTED, clock)
        if kept := state.unfinished():
            follow_networks(on, kept.moves)
        if layout.interfaces and (kept or layout != before):
            state.finish(layout)
        await _name(on, {each.name: each.mac for each in seen}, layout)
    return layout


async def admit(verb: Admit, on: Computer, tell: Tell) -> Admitted:
    """The same for NICs that came since, while everything runs: nothing else is touched."""
    state = NetworkState(on.roots)
    await on.run(["udevadm", "settle", f"--timeout={SETTLE_SECONDS}"])  # it gives a NIC its first name by itself
    with state.alone():
        if state.is_trying:
            hint = "confirm the last change or take it back first"
            raise Conflict("network-trying", "a change of the network waits to be confirmed", hint)
        before, seen = state.confirmed() or Layout(), await look(on, Layout())
        layout = settled(before, [each.mac for each in seen if each.is_nic])
        added = tuple(each for each in layout.interfaces if before.named(each.name) is None)
        if added:
            state.write_files(layout)
            new = {each.mac for each in added}
            await _name(on, {each.name: each.mac for each in seen if each.mac in new}, layout)
            await _load(on, before, layout)
            await put_rules(on, layout)
            state.finish(layout)  # last: cut off before, it is done again
    return Admitted(added)


async def _tell_networkd(on: Computer, state: NetworkState, layout: Layout) -> None:
    """Where this comes late, since it failed before: networkd runs already, with the files of the trial."""
    try:
        await on.run(["systemctl", "is-active", "--quiet", NETWORKD])
    except ApplianceError:
        return
    trial = state.tried()
    await _load(on, trial.layout if trial else layout, layout)


async def _name(on: Computer, present: dict[str, str], layout: Layout) -> None:
    """NICs are called as the layout says, from the first boot on: udev reads its files only when a NIC appears."""
    called = {each.mac: each.name for each in layout.interfaces if each.kind == "nic"}
    wanted = {name: called[mac] for name, mac in present.items() if called.get(mac, name) != name}
    for number, name in enumerate(wanted):
        await on.run(["ip", "link", "set", "dev", name, "down"])
        await on.run(["ip", "link", "set", "dev", name, "name", f"pinning{number}"])  # two may swap their names
    for number, name in enumerate(wanted.values()):
        await on.run(["ip", "link", "set", "dev", f"pinning{number}", "name", name])

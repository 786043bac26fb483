"""Set-up's seam to a real appliance: the privileged helper, and what needs no privilege."""

import asyncio
import logging
import zoneinfo
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import PurePath

from appliance.errors import ApplianceError, Conflict
from appliance.networking.layout import Layout
from appliance.privileged.client import Privileged
from appliance.privileged.verb import Done, Verb
from appliance.privileged.verbs import configuration as configuration_verbs
from appliance.privileged.verbs import disks as disk_verbs
from appliance.privileged.verbs import network as network_verbs
from appliance.privileged.verbs.data import GROUP, Prepare
from appliance.privileged.verbs.firewall import Renew
from appliance.privileged.verbs.lvm import Group, Report
from appliance.privileged.verbs.services import DAEMON, Restart
from appliance.privileged.verbs.ssh import Authorize
from appliance.setup.appliance import Trial
from appliance.setup.configuration import configuration
from appliance.setup.hardware import Found, FoundDisk, FoundNic
from appliance.setup.layout import layout
from appliance.setup.value import Management, SetUp

log = logging.getLogger(__name__)

Look = Callable[[str], Awaitable[set[str]]]
"""Addresses of the DHCP servers that answer on an interface."""


class HelperAppliance:
    """See ``Appliance``."""

    def __init__(self, helper: Privileged | None = None, look: Look | None = None) -> None:
        """``look`` looks for DHCP servers; None: nobody can."""
        self._helper, self._look = helper or Privileged(), look

    async def found(self) -> Found:
        """Asked of the kernel each time."""
        status = await self._helper.call(network_verbs.Status())
        disks = await self._helper.call(disk_verbs.List())
        taken = _taken(await self._groups())
        zones = await asyncio.to_thread(zoneinfo.available_timezones)
        # One that was just put in has no place in the layout yet: it would be chosen, and left as it is.
        known = {each.mac for each in status.layout.interfaces if each.kind == "nic"}
        nics = tuple(_nic(each) for each in status.seen if each.is_nic and each.mac in known)
        return Found(nics, tuple(_disk(each, taken) for each in disks), frozenset(zones), _management(status.layout))

    async def _groups(self) -> list[Group]:
        """None where LVM does not answer: what belongs to a pool is refused at the end, too."""
        try:
            return await self._helper.call(Report())
        except ApplianceError as error:
            log.warning("which disks belong to a pool is not known: %s", error.message)
            return []

    async def servers(self, nic: str) -> tuple[str, ...]:
        """Asks as a computer without an address does."""
        if self._look is None:
            return ()
        try:
            return tuple(sorted(await self._look(nic)))
        except OSError as error:
            raise ApplianceError("look-failed", f"{nic}: {error.strerror or error}", "plug a cable in") from error

    async def try_network(self, set_up: SetUp) -> Trial | None:
        """As the helper does it, with its own deadline."""
        status = await self._helper.call(network_verbs.Status())
        try:
            tried = await self._helper.call(network_verbs.Apply(layout(set_up, status.layout)))
        except Conflict as error:
            if error.code != "network-same":
                raise
            return None
        return Trial(tried.until)

    async def trial(self) -> Trial | None:
        """What waits to be confirmed."""
        tried = (await self._helper.call(network_verbs.Status())).trial
        return Trial(tried.until) if tried else None

    async def keep_network(self) -> None:
        """One that somebody else has confirmed meanwhile is kept as well."""
        try:
            await self._helper.call(network_verbs.Confirm())
        except Conflict as error:
            if error.code != "network-not-trying":
                raise

    async def write(self, set_up: SetUp) -> None:
        """The configuration comes after the disks: with it the appliance counts as set up."""
        site = set_up.site
        verbs: tuple[Verb[Done], ...] = (
            configuration_verbs.HostName(site.host_name),
            configuration_verbs.TimeZone(site.time_zone),
            configuration_verbs.TimeServers(site.time_servers),
            Prepare(set_up.storage.data_disks),
            configuration_verbs.Write(configuration(set_up)),
            Renew(),
        )
        for verb in verbs:
            await self._helper.call(verb)

    async def let_in(self, set_up: SetUp) -> None:
        """Those that are let in already stay where it names nobody."""
        if set_up.account.ssh_keys:
            await self._helper.call(Authorize(set_up.account.ssh_keys))

    async def restart(self) -> None:
        """The helper answers before systemd stops us."""
        await self._helper.call(Restart(DAEMON))


def _nic(seen: network_verbs.Seen) -> FoundNic:
    addresses = tuple(each for each in seen.addresses if ":" not in each)
    return FoundNic(seen.name, seen.mac, seen.link, seen.speed or None, seen.driver, addresses)


def _management(of: Layout) -> Management | None:
    """As it was confirmed, where that is a fixed address of a card."""
    fixed = (each for each in of.with_role("management") if each.kind == "nic" and each.method == "static")
    return next((Management(each.name, each.addresses[0], each.gateway, each.dns) for each in fixed), None)


def _taken(groups: Iterable[Group]) -> dict[str, str]:
    """The kernel's names of devices that are in a volume group, and why that keeps them from being given away.

    The data group's own stay in it as they are.
    """
    return {
        PurePath(member.device).name: "" if group.name == GROUP else f"it belongs to the pool {group.name}"
        for group in groups
        for member in group.members
        if group.is_pool or group.name == GROUP
    }


def _disk(state: disk_verbs.DiskState, taken: Mapping[str, str]) -> FoundDisk:
    return FoundDisk(
        state.name,
        state.size,
        state.model,
        state.serial,
        state.wwn,
        "; ".join(state.holds),
        own=state.own,
        in_use="" if state.own else _in_use(state, taken),
        removable=state.removable and state.transport == "usb",  # ports that may be opened say so of any disk
    )


def _in_use(state: disk_verbs.DiskState, taken: Mapping[str, str]) -> str:
    if state.mounted:
        return f"it is mounted on {state.mounted}"
    places = (state.name, *(each.name for each in state.partitions))
    said = [taken[each] for each in places if each in taken]
    return next(filter(None, said), "") if said else f"{state.held} is on it" if state.held else ""

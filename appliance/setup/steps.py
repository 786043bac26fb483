"""The steps of set-up: each answer is checked before it is accepted, and kept."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from appliance.accounts import Asker
from appliance.errors import ApplianceError, Conflict
from appliance.events import Bus
from appliance.reconcile import audit
from appliance.reconcile.record import Tell, record
from appliance.setup import stored
from appliance.setup.appliance import Appliance
from appliance.setup.checks import check_networks, check_site, check_storage, form_complaint
from appliance.setup.draft import Draft, Progress, Step, without_typed
from appliance.setup.hardware import Found, check_disks, check_nics, check_zone, lost, resolved, to_type
from appliance.setup.value import Management, Provisioning, SetUp, Site, Storage
from appliance.store.store import Store

HEARD_SECONDS = 120.0
"""How long it counts that a DHCP server was heard, or that none was."""
LONGEST_TYPED = 4000
"""Characters of one field that are kept although they were refused."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The DHCP servers on one network."""

    servers: tuple[str, ...]
    at: float
    """When it was looked; Unix time."""
    problem: str = ""
    """Why nobody could look."""


class SetUpSteps:
    """Raises Invalid with the field that is wrong, and Conflict where it is too late or something was not agreed to."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float], appliance: Appliance) -> None:
        self._store, self._bus, self._clock, self.appliance = store, bus, clock, appliance
        self._heard: dict[str, Heard] = {}

    async def draft(self) -> Draft:
        """What was answered so far."""
        return await self._store.read(stored.draft)

    async def progress(self) -> Progress:
        """How far it has gone."""
        return await self._store.read(stored.progress)

    async def found(self) -> Found:
        """Interfaces, disks and time zones of the appliance."""
        return await self.appliance.found()

    def heard(self, nic: str) -> Heard | None:
        """What the last look on an interface heard; None where nobody has looked lately."""
        found = self._heard.get(nic)
        return found if found and 0 <= self._clock() - found.at < HEARD_SECONDS else None

    async def look(self, nic: str) -> Heard:
        """Look for DHCP servers on an interface now; takes some seconds."""
        try:
            servers, problem = await self.appliance.servers(nic), ""
        except ApplianceError as error:
            servers, problem = (), error.message
        self._heard[nic] = Heard(servers, self._clock(), problem)
        return self._heard[nic]

    async def keep_typed(self, step: Step, typed: Mapping[str, str]) -> None:
        """What was refused is kept as it was typed."""

        def job(db: sqlite3.Connection) -> None:
            before = stored.draft(db)
            kept = {name: value[:LONGEST_TYPED] for name, value in typed.items()}
            stored.put_draft(db, replace(before, typed={**before.typed, step: kept}))

        await self._store.write(job)

    async def answer_site(self, site: Site, by: Asker) -> Draft:
        """Names, time zone, time servers."""
        check_site(site, form_complaint)
        check_zone(site.time_zone, (await self.found()).zones, form_complaint)
        return await self._keep("site", lambda before: replace(before, site=site), by)

    async def answer_networks(
        self, management: Management, provisioning: Provisioning | None, by: Asker, *, despite_dhcp: bool = False
    ) -> Draft:
        """Both networks; ``despite_dhcp``: the other DHCP server that was found is going to be switched off.

        Raises Conflict ``dhcp-foreign`` where one was found, and that was not said.
        """
        nics = (await self.found()).nics
        asked = SetUp(management, provisioning=provisioning)
        check_nics(asked, nics, form_complaint)
        set_up = resolved(asked, nics)
        check_networks(set_up, form_complaint)
        if set_up.provisioning is not None and set_up.provisioning.dhcp == "authoritative" and not despite_dhcp:
            await self._refuse_beside_another(set_up.provisioning.nic)
        chosen, served = set_up.management, set_up.provisioning
        return await self._keep("networks", lambda was: replace(was, management=chosen, provisioning=served), by)

    async def _refuse_beside_another(self, nic: str) -> None:
        heard = self.heard(nic) or await self.look(nic)
        if heard.servers:
            message = f"Another DHCP server answers on {nic}: {', '.join(heard.servers)}"
            hint = "choose proxy, which works beside it, or say that it will be switched off"
            raise Conflict("dhcp-foreign", message, hint, "provisioning.dhcp")

    async def answer_storage(self, storage: Storage, confirm: str | None, by: Asker) -> Draft:
        """Which disks make the data group; ``confirm`` names those whose content goes, with commas between.

        Raises Conflict ``confirmation-needed`` where it does not.
        """
        check_storage(storage, form_complaint)
        disks = (await self.found()).disks
        check_disks(storage, disks, form_complaint)
        gone = lost(storage, disks)
        wanted = to_type(storage, disks)
        if wanted and " ".join((confirm or "").split()) != wanted:
            message = f"everything on these disks is lost: {'; '.join(gone)}"
            raise Conflict("confirmation-needed", message, f"type exactly: {wanted}", "storage.confirm")
        return await self._keep("storage", lambda before: replace(before, storage=storage, agreed=tuple(gone)), by)

    async def _keep(self, step: Step, change: Callable[[Draft], Draft], by: Asker) -> Draft:
        def job(db: sqlite3.Connection, _: Tell) -> Draft:
            if stored.progress(db).phase != "asking":
                raise Conflict("setup-going-on", "the set-up is being carried out", "wait until it has ended")
            before = stored.draft(db)
            after = without_typed(change(before), step)
            stored.put_draft(db, after)
            was, became = replace(before, typed={}), replace(after, typed={})
            audit.note(db, by, f"setup.{step}", ("appliance", "set-up", "set-up"), was, became, now=self._clock())
            return after

        return await record(self._store, self._bus, job)

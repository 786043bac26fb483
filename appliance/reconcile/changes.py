"""What users change of deployments, images and kernels after they were made."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from appliance.accounts import Asker
from appliance.catalogue import LONGEST_DESCRIPTION, Image, Kernel, check_cmdline
from appliance.delivery import check_root_size
from appliance.deployment import Deployment, Requirements, check_disk_wishes, check_kernel_wish, check_volume_wishes
from appliance.errors import Conflict
from appliance.events import Bus, Event
from appliance.machine import check_length, check_name, check_tags
from appliance.reconcile import audit
from appliance.reconcile.choosing import pool_for_roots
from appliance.reconcile.record import Tell, record
from appliance.reconcile.root_kernels import kernel_for_roots
from appliance.reconcile.seeds import SealedSeed, keep, with_seed
from appliance.ssh_keys import check_lines
from appliance.store import attempts, catalogue, deployments
from appliance.store.store import Store
from appliance.volume import rounded
from appliance.wiping import check_method


@dataclass(frozen=True, slots=True)
class DeploymentChange:
    """What to change of a deployment; None leaves it as it is."""

    name: str | None = None
    image: str | None = None
    """Id or name; written by the next deploy."""
    requirements: Requirements | None = None
    ssh_keys: Sequence[str] | None = None
    """All of them from the next deploy on."""
    wipe_on_release: bool | None = None
    wipe_method: str | None = None
    pool: str | None = None
    """Name or number of the pool that its next root volume is made in; empty takes the first that fits."""
    root_size: int | None = None
    """Bytes that its next root volume has at least; 0 has it chosen by the image."""
    kernel: str | None = None
    """Name or number of the kernel that its next start takes; empty takes the appliance's own."""
    seed: SealedSeed = field(default_factory=dict)
    """What its next deploy gives to cloud-init; what is not in it stays."""


class Changes:
    """Changes that touch nothing but what is stored: what runs goes on as it is."""

    def __init__(self, store: Store, bus: Bus, clock: Callable[[], float]) -> None:
        self._store, self._bus, self._clock = store, bus, clock

    async def deployment(self, key: str, change: DeploymentChange, by: Asker) -> Deployment:
        """Change a deployment. Raises Conflict while an attempt goes on, and for the name of what is on a machine."""

        def job(db: sqlite3.Connection, tell: Tell) -> Deployment:
            before = deployments.get(db, key)
            after = self._changed(db, before, change)
            if after != before:
                _refuse_unsafe(db, before, after)
                deployments.put(db, after)
                keep(db, after, change.seed)
                text = f"{by} changed {before.name}: {', '.join(_changes(before, after))}"
                about = Event("deployment.changed", self._clock(), text, machine=after.machine, deployment=after.id)
                tell(about)
                subject = ("deployment", after.id, after.name)
                audit.note(db, by, "deployment.change", subject, before, after, now=self._clock())
            return after

        return await record(self._store, self._bus, job)

    def _changed(self, db: sqlite3.Connection, of: Deployment, change: DeploymentChange) -> Deployment:
        given = {name: getattr(change, name) for name in ("name", "requirements", "ssh_keys", "wipe_on_release")}
        after = replace(of, **{name: value for name, value in given.items() if value is not None})
        if change.image is not None:
            after = replace(after, image=catalogue.image(db, change.image).id)
        asked = replace(after.requirements, tags=check_tags(after.requirements.tags, "requirements.tags"))
        if change.wipe_method is not None:
            after = replace(after, wipe_method=check_method(change.wipe_method))
        if change.pool is not None:
            after = replace(after, pool=pool_for_roots(db, change.pool))
        if change.root_size is not None:
            after = replace(after, root_size=rounded(change.root_size, "root_size") if change.root_size else None)
        if change.kernel is not None:
            after = replace(after, kernel=kernel_for_roots(db, change.kernel))
        if change.root_size or change.image is not None:
            check_root_size(catalogue.image(db, after.image), after.delivery, after.root_size)
        named = replace(after, name=check_name(after.name), ssh_keys=check_lines(after.ssh_keys), requirements=asked)
        return with_seed(check_kernel_wish(check_volume_wishes(check_disk_wishes(named))), change.seed)

    async def image(self, key: str, name: str | None, description: str | None, by: Asker) -> Image:
        """Change what an image is called and what is said of it; raises Conflict for a name that is taken."""

        def job(db: sqlite3.Connection, tell: Tell) -> Image:
            before = catalogue.image(db, key)
            after = replace(
                before,
                name=before.name if name is None else check_name(name),
                description=before.description
                if description is None
                else check_length(description, LONGEST_DESCRIPTION, "description"),
            )
            if after != before:
                catalogue.change_image(db, after)
                tell(Event("image.changed", self._clock(), f"{by} changed image {before.name}"))
                subject = ("image", after.id, after.name)
                audit.note(db, by, "image.change", subject, before, after, now=self._clock())
            return after

        return await record(self._store, self._bus, job)

    async def kernel(self, key: str, name: str | None, cmdline: str | None, by: Asker) -> Kernel:
        """Change a kernel's name and command line; raises Conflict for one that belongs to the appliance."""

        def job(db: sqlite3.Connection, tell: Tell) -> Kernel:
            before = catalogue.kernel(db, key)
            after = replace(
                before,
                name=before.name if name is None else check_name(name),
                cmdline=before.cmdline if cmdline is None else check_cmdline(cmdline),
            )
            if after != before:
                if before.builtin:
                    hint = "upload a kernel of your own"
                    raise Conflict("kernel-builtin", f"{before.name} belongs to the maintenance stack", hint)
                catalogue.change_kernel(db, after)
                tell(Event("kernel.changed", self._clock(), f"{by} changed kernel {before.name}"))
                subject = ("kernel", after.id, after.name)
                audit.note(db, by, "kernel.change", subject, before, after, now=self._clock())
            return after

        return await record(self._store, self._bus, job)


def _refuse_unsafe(db: sqlite3.Connection, before: Deployment, after: Deployment) -> None:
    if before.machine is not None and attempts.live_of(db, before.machine):
        hint = "wait until it has finished"
        raise Conflict("deployment-busy", f"something is being done with {before.name} just now", hint)
    if after.name != before.name:
        _refuse_name(db, before, after)


def _refuse_name(db: sqlite3.Connection, before: Deployment, after: Deployment) -> None:
    if before.machine is not None:
        message = f"the system of {before.name} is called so; it would answer to a name that DNS does not know"
        raise Conflict("deployment-used", message, "release it first", "name")
    if any(each.name == after.name for each in deployments.every(db)):
        raise Conflict("name-taken", f"another deployment is called {after.name}", "choose another name", "name")


def _changes(before: Deployment, after: Deployment) -> list[str]:
    words = {
        "name": "name",
        "image": "image",
        "requirements": "requirements",
        "ssh_keys": "SSH keys",
        "wipe_on_release": "wipe on release",
        "wipe_method": "way to wipe",
        "pool": "pool of its root volume",
        "root_size": "size of its root volume",
        "kernel": "kernel",
        "seed": "what cloud-init gets",
    }
    return [word for name, word in words.items() if getattr(before, name) != getattr(after, name)]

"""LIO through rtslib, which is imported when it is needed: only a flashed appliance has it.

What it does is done in configfs (/sys/kernel/config/target), a few calls of the kernel at a time. It never loads a
module, since the helper may not: PID 1 does that (``iscsi_exports``).
"""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from appliance.errors import ApplianceError, Conflict
from appliance.privileged.targets import PORT, Admitted, Store, Target

P = ParamSpec("P")
R = TypeVar("R")
HOME = Path("/sys/kernel/config/target")
GUARD = {
    "authentication": 1,
    "generate_node_acls": 0,  # nobody is let in who was not admitted ("demo mode")
    "cache_dynamic_acls": 0,
    "demo_mode_write_protect": 1,
    "demo_mode_discovery": 0,  # who may not log in is not told that there is anything
}
"""Attributes of a group of portals, and what each has to be."""
GROUP, UNIT = 1, 0
_DISCARD = "emulate_tpu"
_IN_USE = "already in use"


def _told(call: Callable[P, R]) -> Callable[P, R]:
    """What rtslib and the kernel complain of, as an error of ours. Neither repeats what it was given as a secret."""

    @wraps(call)
    def calling(*args: P.args, **kwargs: P.kwargs) -> R:
        from rtslib_fb import RTSLibError

        try:
            return call(*args, **kwargs)
        except (RTSLibError, OSError) as error:
            words = f"{call.__name__.replace('_', ' ')}: {error}"
            if _IN_USE in words:
                from appliance.export import ONE_ONLY  # the daemon at rest, which loads this room, does without it

                raise Conflict("volume-in-use", words, ONE_ONLY, "volume") from error
            raise ApplianceError("iscsi-failed", words, "look at the kernel's log: journalctl --dmesg") from error

    return calling


class Lio:
    """Implements ``Targets``. Nothing is kept between two calls: others may change what there is."""

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Directories only, as the kernel lists them: there may be many."""
        targets = [each.name for each in HOME.glob("iscsi/*.*") if each.is_dir()]
        stores = [each.name for each in HOME.glob("core/*_*/*") if each.is_dir()]
        return tuple(sorted(targets)), tuple(sorted(stores))

    @_told
    def target(self, name: str) -> Target | None:
        """See the seam."""
        if not (HOME / "iscsi" / name).is_dir():
            return None
        if not (HOME / "iscsi" / name / f"tpgt_{GROUP}").is_dir():
            return Target(name, False, False, (), (), ())
        group = self._group(name)
        portals = tuple(f"{each.ip_address}:{each.port}" for each in group.network_portals)
        stores = tuple(filter(None, map(_given, group.luns)))
        guarded = all(str(group.get_attribute(key)) == str(wanted) for key, wanted in GUARD.items())
        admitted = tuple(_admitted(each) for each in group.node_acls)
        return Target(name, bool(group.enable), guarded, portals, stores, admitted)

    @_told
    def store(self, name: str) -> Store | None:
        """See the seam."""
        found = self._store(name)
        if found is None:
            return None
        if not (found.is_configured() and found.wwn):  # the serial number is what it gets last
            return Store(name, "", False, False)
        return Store(name, str(found.udev_path), bool(found.readonly), True)

    @_told
    def make_store(self, name: str, device: str, serial: str, read_only: bool) -> None:
        """See the seam. rtslib takes back what it began where the device is refused."""
        import rtslib_fb

        rtslib_fb.RTSRoot().invalidate_caches()
        rtslib_fb.BlockStorageObject(name, dev=device, wwn=serial, readonly=read_only)

    @_told
    def offer_discards(self, name: str) -> None:
        """The kernel refuses where the device cannot."""
        from rtslib_fb import RTSLibError

        found = self._store(name)
        if found is None or found.get_attribute(_DISCARD) == "1":
            return
        try:
            found.set_attribute(_DISCARD, 1)
        except RTSLibError:
            return

    @_told
    def make_target(self, name: str) -> None:
        """See the seam."""
        self._group(name, "any")

    @_told
    def guard(self, name: str) -> None:
        """See the seam."""
        group = self._group(name)
        for key, wanted in GUARD.items():
            group.set_attribute(key, wanted)

    @_told
    def give(self, name: str, store: str) -> None:
        """A unit without its store is what was left of an attempt."""
        import rtslib_fb

        group = self._group(name)
        for initiator in group.node_acls:
            for each in initiator.mapped_luns:
                each.delete()
        for each in group.luns:
            each.delete()
        rtslib_fb.LUN(group, UNIT, self._store(store))

    @_told
    def admit(self, name: str, initiator: str) -> None:
        """See the seam."""
        self._initiator(name, initiator, "any")

    @_told
    def set_secret(self, name: str, initiator: str, user: str, secret: str) -> None:
        """See the seam."""
        found = self._initiator(name, initiator)
        found.chap_userid, found.chap_password = user, secret

    @_told
    def show(self, name: str, initiator: str, read_only: bool) -> None:
        """See the seam."""
        import rtslib_fb

        found = self._initiator(name, initiator)
        for each in found.mapped_luns:
            each.delete()
        rtslib_fb.MappedLUN(found, UNIT, UNIT, write_protect=read_only)

    @_told
    def listen(self, name: str, address: str) -> None:
        """See the seam."""
        import rtslib_fb

        rtslib_fb.NetworkPortal(self._group(name), address, PORT)

    @_told
    def open(self, name: str) -> None:
        """See the seam."""
        self._group(name).enable = True

    @_told
    def shut(self, name: str) -> None:
        """See the seam."""
        if (HOME / "iscsi" / name / f"tpgt_{GROUP}").is_dir():
            self._group(name).enable = False

    @_told
    def remove_target(self, name: str) -> None:
        """See the seam."""
        if (HOME / "iscsi" / name).is_dir():
            self._target(name).delete()

    @_told
    def remove_store(self, name: str) -> None:
        """See the seam."""
        if found := self._store(name):
            found.delete()

    def _target(self, name: str, mode: str = "lookup") -> Any:
        import rtslib_fb

        return rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), name, mode)

    def _group(self, name: str, mode: str = "lookup") -> Any:
        import rtslib_fb

        return rtslib_fb.TPG(self._target(name, mode), GROUP, mode)

    def _initiator(self, name: str, initiator: str, mode: str = "lookup") -> Any:
        import rtslib_fb

        return rtslib_fb.NodeACL(self._group(name), initiator, mode)

    def _store(self, name: str) -> Any:
        """rtslib keeps in mind where each is, whoever has changed that since."""
        import rtslib_fb

        rtslib_fb.RTSRoot().invalidate_caches()
        found = next((each for each in HOME.glob(f"core/iblock_*/{name}") if each.is_dir()), None)
        if found is None:
            return None
        return rtslib_fb.BlockStorageObject(name, index=found.parent.name.partition("_")[2])


def _given(unit: Any) -> str:
    """Name of the store of a unit; empty where who made it was killed in between."""
    links = [each for each in Path(unit.path).iterdir() if each.is_symlink()]
    return os.path.basename(os.path.realpath(links[0])) if links else ""


def _admitted(of: Any) -> Admitted:
    units = [each for each in of.mapped_luns if any(link.is_symlink() for link in Path(each.path).iterdir())]
    read_only = any(each.write_protect for each in units)
    return Admitted(str(of.node_wwn), bool(units), read_only, of.session is not None)

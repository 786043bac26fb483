"""Carries out the verbs of ``verbs/lvm_volumes.py``, which make, change and remove volumes, through lvm(8).

What takes several steps is noted in tags before: each step is one change of LVM's notes, which is whole after a power
cut or not there, and what the report says tells how far it came.
"""

from appliance.errors import ApplianceError, Conflict
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.lvm import change, check_unused, pool, volume
from appliance.privileged.verb import Done
from appliance.privileged.verbs.lvm import THIN_POOL_NAME, Group, Logical, aside, place, stand_in
from appliance.privileged.verbs.lvm_seen import pool_of
from appliance.privileged.verbs.lvm_tags import (
    CREATED,
    FILE_SYSTEM,
    GROWN_FROM,
    ID,
    MAKING,
    NAME,
    ORIGIN,
    REPLACED,
    STANDS_IN,
    STATE,
    tag,
)
from appliance.privileged.verbs.lvm_volumes import (
    Clear,
    Copy,
    Create,
    Delete,
    Grow,
    Made,
    Rename,
    Replace,
    StandIn,
    Wake,
)
from appliance.volume import NewVolume, VolumeId, check_id, check_name, checked, is_to_be_copied

AT_ONCE = 200
"""Logical volumes that one program is asked to activate."""


async def create(verb: Create, on: Computer, tell: Tell) -> Made:
    """Thin ones read as zeros at once; a thick one holds what was on the disk before until it is filled."""
    new = checked(NewVolume(VolumeId(verb.id), verb.volume_name, verb.size, verb.read_only))
    group = await pool(on, verb.group)
    if group.whole(new.id):
        return Made(unfilled=False)
    await _to_be_made(on, group, new)
    tags = _tags(new, verb.created)
    if not group.thin_pool:
        await _thick(on, group, place(new.id), new.size, [*tags, tag(STATE, MAKING)])
        return Made(unfilled=True)
    state = [tag(STATE, MAKING)] if new.read_only or verb.to_fill else []
    words = ["--type", "thin", "--thinpool", THIN_POOL_NAME, "--virtualsize", f"{new.size}b"]
    await change(on, "lvcreate", "--yes", *words, *_called(place(new.id), [*tags, *state]), group.name)
    if new.read_only and not verb.to_fill:
        await made_whole(on, group, place(new.id), read_only=True)
    return Made(unfilled=verb.to_fill)


async def copy(verb: Copy, on: Computer, tell: Tell) -> Made:
    """At once in a thin pool, as of one instant; else the volume is made here, and filled afterwards."""
    new = checked(NewVolume(VolumeId(verb.id), verb.volume_name, verb.size, verb.read_only))
    group = await _without_half_of(on, verb.group, new.id)
    if not is_to_be_copied(pool_of(group), VolumeId(verb.origin), new):
        return Made(unfilled=False)
    origin = volume(group, verb.origin)
    if not group.thin_pool and not origin.read_only:
        await check_unused(on, group, origin)
    await _to_be_made(on, group, new)
    tags = [*_tags(new, verb.created), tag(ORIGIN, origin.id), *_of_content(origin)]
    size = max(new.size, origin.grown_from)
    if not group.thin_pool:
        await _thick(on, group, place(new.id), size, [*tags, tag(STATE, MAKING)])
        return Made(unfilled=True)
    if size == origin.size:
        await _snapshot(on, group, origin, place(new.id), tags, new.read_only)
        return Made(unfilled=False)
    await _snapshot(on, group, origin, place(new.id), [*tags, tag(STATE, MAKING)])
    await _extend(on, group, place(new.id), size)
    await made_whole(on, group, place(new.id), new.read_only)
    return Made(unfilled=False)


async def grow(verb: Grow, on: Computer, tell: Tell) -> Made:
    """Also while it is in use. What a thick one gets is filled with zeros afterwards."""
    size = checked(NewVolume(VolumeId(verb.id), "any", verb.size)).size
    group = await pool(on, verb.group)
    found = volume(group, verb.id)
    if not group.thin_pool and size > found.grown_from and not found.growing:
        await _note(on, group, found, add=tag(GROWN_FROM, found.size))
    if size > found.size:
        await _extend(on, group, found.name, size)
    return Made(unfilled=not group.thin_pool and (found.growing or size > found.size))


async def rename(verb: Rename, on: Computer, tell: Tell) -> Done:
    """In one change of LVM's notes; the logical volume keeps its own name."""
    check_name(verb.volume_name)
    group = await pool(on, verb.group)
    found = volume(group, verb.id)
    wanted = tag(NAME, verb.volume_name)
    if wanted not in found.tags:
        _name_is_free(group, verb.volume_name, verb.id)
        old = next((each for each in found.tags if each.startswith(f"{NAME}=")), "")
        await _note(on, group, found, add=wanted, drop=old)
    return Done()


async def delete(verb: Delete, on: Computer, tell: Tell) -> Done:
    """With what stood in for it, or was to."""
    group = await pool(on, verb.group)
    await _remove(on, group, group.of(check_id(verb.id)))
    return Done()


async def stand_in_for(verb: StandIn, on: Computer, tell: Tell) -> Made:
    """A copy of the snapshot beside the volume, not smaller than that; nothing has changed by then."""
    group = await pool(on, verb.group, live=True)
    found, kept = volume(group, verb.id), volume(group, verb.snapshot)
    if tag(ORIGIN, found.id) not in kept.tags or not kept.read_only:
        text = f"{kept.name} is no snapshot of {found.name}"
        raise Conflict("volume-not-its-snapshot", text, "choose one of its snapshots")
    await check_unused(on, group, found)
    await _remove(on, group, [each for each in group.of(found.id) if each.state])
    tags = [each for each in found.tags if each.split("=")[0] in (ID, NAME, CREATED, ORIGIN)] + _of_content(kept)
    size, name = max(found.grown_from, kept.grown_from), stand_in(found.id)
    if not group.thin_pool:
        await _thick(on, group, name, size, [*tags, tag(STATE, MAKING)])
        return Made(unfilled=True)
    ready = size == kept.size
    await _snapshot(on, group, kept, name, [*tags, tag(STATE, STANDS_IN if ready else MAKING)])
    if not ready:
        await _extend(on, group, name, size)
        await made_whole(on, group, name)
    return Made(unfilled=False)


async def replace(verb: Replace, on: Computer, tell: Tell) -> Done:
    """First the old one is noted as replaced: from then on it goes forward only. It is removed at last."""
    group = await pool(on, verb.group)
    key = check_id(verb.id)
    old, new = group.whole(key), _in_state(group, key, STANDS_IN)
    if old and new:
        await _note(on, group, old, add=tag(STATE, REPLACED))
    old = old if old and new else _in_state(group, key, REPLACED)
    if old and new:
        await _rename(on, group, old, aside(key))
    if new:
        await _rename(on, group, new, place(key))
        await change(on, "lvchange", "--yes", "--deltag", tag(STATE, STANDS_IN), f"{group.name}/{place(key)}")
    if old and (new or group.whole(key)):
        await change(on, "lvremove", "--yes", f"{group.name}/{aside(key)}")
    elif old:  # what stood in for it was taken away by somebody else: then it is the volume again
        await _rename(on, group, old, place(key))
        await change(on, "lvchange", "--yes", "--deltag", tag(STATE, REPLACED), f"{group.name}/{place(key)}")
    return Done()


async def clear(verb: Clear, on: Computer, tell: Tell) -> Done:
    """Of what is under way; where the volume itself was replaced, ``replace`` goes on instead."""
    group = await pool(on, verb.group)
    key = check_id(verb.id)
    whole = group.whole(key)
    gone = [each for each in group.of(key) if each.state == MAKING or (each.state and whole)]
    await _remove(on, group, gone)
    return Done()


async def wake(verb: Wake, on: Computer, tell: Tell) -> Done:
    """Ours only; others in the group are left as they are."""
    group = await pool(on, verb.group, live=True)
    ours = [each for each in group.volumes if each.id and each.health not in ("partial", "failed")]
    if group.thin_pool:
        ours.insert(0, group.thin_pool)
    for how, words in (("suspended", ["--refresh"]), ("asleep", ["--activate", "y"])):
        some = [each for each in ours if (each.suspended if how == "suspended" else not each.active)]
        for start in range(0, len(some), AT_ONCE):
            tell(start / len(some), f"waking {len(some)} volumes of {group.name}")
            names = [f"{group.name}/{each.name}" for each in some[start : start + AT_ONCE]]
            await change(on, "lvchange", "--yes", *words, *names)
    return Done()


# -- one step each


async def _without_half_of(on: Computer, uuid: str, key: VolumeId) -> Group:
    """The group as it is once what was cut off of a volume is gone, so that its room is free, or finished."""
    group = await pool(on, uuid, live=True)
    ours = group.of(key)
    if all(each.state == MAKING for each in ours):
        await _remove(on, group, ours)
    elif any(each.state for each in ours) and not group.whole(key):
        await replace(Replace(uuid, key), on, lambda *_: None)
    return await pool(on, uuid, live=True) if ours and not group.whole(key) else group


async def _to_be_made(on: Computer, group: Group, new: NewVolume) -> None:
    """What was cut off when it was made before goes first; what was cut off when it was rolled back is a volume."""
    _name_is_free(group, new.name, new.id)
    if taken := [each for each in group.volumes if each.name == place(new.id) and not each.id]:
        text = f"{group.name}/{taken[0].name} is there and carries no mark of ours"
        raise Conflict("volume-id-taken", text, "ask for it under another id")
    if any(each.state != MAKING for each in group.of(new.id)):
        text = f"{group.name} has a volume {new.id}, which is being rolled back"
        raise Conflict("volume-id-taken", text, "have the pool mended, or ask for it under another id")
    await _remove(on, group, group.of(new.id))


def _name_is_free(group: Group, name: str, owner: str) -> None:
    if any(tag(NAME, name) in each.tags and each.id not in ("", owner) for each in group.volumes):
        text = f"another volume of {group.name} is called {name}"
        raise Conflict("name-taken", text, "choose another name", "name")


def _of_content(of: Logical) -> list[str]:
    """Tags that say what is in it, which a copy has, too."""
    return [each for each in of.tags if each.startswith(f"{FILE_SYSTEM}=")]


def _tags(new: NewVolume, created: int) -> list[str]:
    return [tag(ID, new.id), tag(NAME, new.name), tag(CREATED, created)]


def _called(name: str, tags: list[str]) -> list[str]:
    return ["--name", name, *(word for each in tags for word in ("--addtag", each))]


async def _thick(on: Computer, group: Group, name: str, size: int, tags: list[str]) -> None:
    """Nothing is read from it: what looks like a file system in there was left by others."""
    words = ["--type", "linear", "--size", f"{size}b", "--wipesignatures", "n", "--zero", "n"]
    await change(on, "lvcreate", "--yes", *words, *_called(name, tags), group.name)


async def _snapshot(
    on: Computer, group: Group, origin: Logical, name: str, tags: list[str], read_only: bool = False
) -> None:
    """Thin. Without the mark that keeps snapshots from being activated (lvmthin(7)).

    Not ``--snapshot``: for that LVM wants the kernel's module for those that are not thin, which nobody has loaded and
    the helper may not load.
    """
    words = ["--type", "thin", "--setactivationskip", "n", "--permission", "r" if read_only else "rw"]
    await change(on, "lvcreate", "--yes", *words, *_called(name, tags), f"{group.name}/{origin.name}")


async def _extend(on: Computer, group: Group, name: str, size: int) -> None:
    await change(on, "lvextend", "--yes", "--size", f"{size}b", f"{group.name}/{name}")


async def _rename(on: Computer, group: Group, of: Logical, name: str) -> None:
    if of.name != name:
        await change(on, "lvrename", "--yes", group.name, of.name, name)


async def _note(on: Computer, group: Group, of: Logical, add: str = "", drop: str = "") -> None:
    words = [*(["--addtag", add] if add else []), *(["--deltag", drop] if drop else [])]
    await change(on, "lvchange", "--yes", *words, f"{group.name}/{of.name}")


async def made_whole(on: Computer, group: Group, name: str, read_only: bool = False) -> None:
    """Its content is there: it is a volume now, or stands in for one."""
    path = f"{group.name}/{name}"
    if read_only:
        await change(on, "lvchange", "--yes", "--permission", "r", path)
    then = ["--addtag", tag(STATE, STANDS_IN)] if name.startswith(stand_in("")) else []
    await change(on, "lvchange", "--yes", "--deltag", tag(STATE, MAKING), *then, path)


async def _remove(on: Computer, group: Group, gone: list[Logical]) -> None:
    """What is whole goes last: until then it is known whose the others are."""
    for each in sorted(gone, key=lambda one: not one.state):
        await change(on, "lvremove", "--yes", f"{group.name}/{each.name}")


def _in_state(group: Group, key: str, state: str) -> Logical | None:
    found = [each for each in group.of(key) if each.state == state]
    if len(found) > 1:
        text = f"{group.name} has {len(found)} volumes of the id {key} that are {state}"
        raise ApplianceError("storage-failed", text, "remove the one that is not wanted: lvremove")
    return found[0] if found else None

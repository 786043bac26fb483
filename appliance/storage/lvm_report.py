"""What has to be mended of a pool, from LVM's report of its group.  Pure."""

from collections.abc import Collection, Iterator

from appliance.privileged.verb import Done, Verb
from appliance.privileged.verbs.lvm import Group, Logical
from appliance.privileged.verbs.lvm_fill import Fill
from appliance.privileged.verbs.lvm_seen import by_id
from appliance.privileged.verbs.lvm_tags import MAKING, NAME, value
from appliance.privileged.verbs.lvm_volumes import Clear, Replace, Wake
from appliance.volume import VolumeId

_NOT_HERE = ("partial", "failed")
"""What cannot be helped by asking LVM to activate it again."""
Operation = tuple[Verb[Done], str]
"""What is to be asked of the helper, and why, in words."""


def to_be_mended(group: Group, but: Collection[VolumeId] = ()) -> tuple[Operation, ...]:
    """What was cut off is taken back where its content is not there yet, and finished where it is.

    ``but`` are volumes that somebody is at. To be done in this order; after it there is nothing to be mended any more,
    but for what a missing disk keeps from being used.
    """
    ours = by_id(group)
    thin = group.thin_pool
    used = [each for each in ours.pop("", []) if each is thin]
    found: list[Operation] = []
    for key, each in ours.items():
        found += _mending(group, each) if key not in but else ()
        used += [one for one in each if not one.state]
    asleep = [each for each in used if not each.active and each.health not in _NOT_HERE]
    if asleep:
        found.append((Wake(group.uuid), f"{len(asleep)} of its volumes were not active, and are again"))
    return tuple(found)


def _mending(group: Group, ours: list[Logical]) -> Iterator[Operation]:
    """Of one volume."""
    whole = next((each for each in ours if not each.state), None)
    if whole and len(ours) == 1 and not whole.growing:
        return
    states = {each.state for each in ours} - {""}
    key, name = ours[0].id, _name(ours[0])
    if whole and states:
        yield Clear(group.uuid, key), f"{name} was cut off when it was rolled back: what was left beside it was removed"
    elif states == {MAKING}:
        yield Clear(group.uuid, key), f"{name} was cut off when it was made: it was removed"
    elif states:
        yield Replace(group.uuid, key), f"{name} was cut off when it was rolled back: that was finished"
    if whole and whole.growing:
        yield Fill(group.uuid, key), f"{name} was cut off when it grew: that was finished"


def _name(of: Logical) -> str:
    return value(of.tags, NAME) or of.id

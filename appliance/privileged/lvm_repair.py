"""Carries out ``lvm.examine`` and ``lvm.repair``: the metadata of a thin pool that the kernel does not take any more.

lvmthin(7): thin_check(8) reads metadata, thin_repair(8) writes what can be read of them into the spare, which takes
their place; what was there before stays in a logical volume. Nothing of the pool may be in use meanwhile.
"""

from appliance.errors import ApplianceError, Conflict
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.lvm import FOREVER, change, check_called, pool, settle
from appliance.privileged.lvm_volumes import wake
from appliance.privileged.verb import Done
from appliance.privileged.verbs.lvm import Group, Logical
from appliance.privileged.verbs.lvm_repair import Examine, Examined, Repair
from appliance.privileged.verbs.lvm_tags import OLD_METADATA
from appliance.privileged.verbs.lvm_volumes import Wake


async def examine(verb: Examine, on: Computer, tell: Tell) -> Examined:
    """The metadata are read only."""
    group, thin = await _at_rest(on, verb.group, tell)
    metadata = f"{group.name}/{thin.name}_tmeta"
    tell(None, "checking which block is whose")
    await change(on, "lvchange", "--yes", "--activate", "y", metadata)
    try:
        words = await _checked(on, str(on.roots.dev / group.name / f"{thin.name}_tmeta"))
    finally:
        await change(on, "lvchange", "--yes", "--activate", "n", metadata)
    if not words:
        await wake(Wake(verb.group), on, tell)
    return Examined(not words, words, _steps(group, thin))


async def repair(verb: Repair, on: Computer, tell: Tell) -> Done:
    """What is left of the metadata of before is marked, and stays until somebody removes it by hand."""
    check_called(await pool(on, verb.group), verb.group_name)
    group, thin = await _at_rest(on, verb.group, tell)
    there = {each.name for each in group.volumes}
    tell(None, "writing the metadata anew")
    await change(on, "lvconvert", "--yes", "--repair", f"{group.name}/{thin.name}")
    for each in (await pool(on, verb.group)).volumes:
        if each.name not in there and each.name.startswith(f"{thin.name}_meta"):
            await change(on, "lvchange", "--yes", "--addtag", OLD_METADATA, f"{group.name}/{each.name}")
    await wake(Wake(verb.group), on, tell)
    return Done()


def _steps(group: Group, thin: Logical) -> tuple[str, ...]:
    count = sum(each.pool == thin.name for each in group.volumes)
    return (
        f"take {count} volumes of {group.name} away from whoever might use them (lvchange --activate n)",
        f"write what can be read of the metadata into their spare, and use that (lvconvert --repair {group.name}/pool)",
        f"keep the metadata of before as {group.name}/pool_meta0, of {thin.metadata_size} bytes",
        "make the volumes usable again; what belonged to blocks that could not be read is lost",
    )


async def _at_rest(on: Computer, uuid: str, tell: Tell) -> tuple[Group, Logical]:
    """The pool with nothing in it active. What is not ours is not deactivated."""
    await settle(on)
    group = await pool(on, uuid, live=True)
    if (thin := group.thin_pool) is None:
        raise Conflict("pool-thick", f"{group.name} has no thin pool", "there are no metadata to be repaired")
    within = [each for each in group.volumes if each.pool == thin.name]
    if used := [each.name for each in within if each.open or (each.active and not each.id)]:
        text = f"{', '.join(used[:5])}{' and more' if len(used) > 5 else ''} of {group.name} are in use"
        raise Conflict("volume-in-use", text, "stop the machines that run from them, and end their exports")
    tell(None, f"taking {len(within)} volumes of {group.name} away")
    names = [f"{group.name}/{each.name}" for each in (*within, thin) if each.active or each.suspended]
    if names:
        await change(on, "lvchange", "--yes", "--activate", "n", *names)
    return group, thin


async def _checked(on: Computer, device: str) -> str:
    """What thin_check(8) complains of."""
    try:
        await on.run(["thin_check", device], FOREVER)
    except ApplianceError as error:
        if error.code != "program-failed":
            raise
        return error.message
    return ""

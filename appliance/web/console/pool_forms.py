"""A pool that is made, extended, adopted: what is on the disks is shown, and named, before it goes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.pool import LVM, PoolPart, check_pool_name
from appliance.reconcile.consequences import Consequences
from appliance.reconcile.pool_offer import OfferedDisk, OfferedPartition
from appliance.reconcile.pool_wishes import PoolWish
from appliance.volume import PoolKind
from appliance.web.console import pool_words
from appliance.web.console.page import render, see_other, who
from appliance.web.console.pools import pool_of, shown
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

KINDS = (PoolKind.LVM_THIN, PoolKind.LVM_THICK, PoolKind.DIRECTORY)
FIELDS = ("name", "kind", "place", "disks", "confirm", "group")
Typed = dict[str, str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A disk or a partition that was chosen, as it is at this moment."""

    part: PoolPart
    disk: OfferedDisk
    partition: OfferedPartition | None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.partition.size if self.partition else self.disk.size

    @property
    def word(self) -> str:
        """As a button calls it."""
        return self.partition.name if self.partition else self.disk.identifier


@dataclass(frozen=True, slots=True)
class Taking:
    """What is agreed to: disks, and what they lose."""

    chosen: tuple[Chosen, ...]
    foreseen: Consequences
    seen: str
    """Fingerprint of what is on them: it comes back with the agreement."""


def value_of(disk: OfferedDisk, partition: OfferedPartition | None = None) -> str:
    """How a form names a disk, or one of its partitions."""
    return f"{disk.identifier}/{partition.uuid}" if partition else disk.identifier


def chosen_of(disks: Iterable[OfferedDisk], wanted: Sequence[str]) -> tuple[Chosen, ...]:
    """Those of the values that a form has sent.

    Raises Conflict ``disk-refused`` with why, Invalid ``disk-unknown`` for what is not there, or not any more.
    """
    offered = {}
    for disk in disks:
        offered[value_of(disk)] = Chosen(disk.part(), disk, None)
        for each in disk.partitions:
            offered[value_of(disk, each)] = Chosen(disk.part(each.uuid), disk, each)
    found = []
    for value in dict.fromkeys(wanted):
        if value not in offered or not value:
            raise Invalid("disk-unknown", f"there is no disk {value[:80]!r} any more", "choose again", "disks")
        one = offered[value]
        if why := one.partition.refused if one.partition else one.disk.refused:
            raise Conflict("disk-refused", f"{one.word} cannot be chosen: {why}", "choose another one", "disks")
        found.append(one)
    _check_apart(found)
    return tuple(found)


def _check_apart(found: Sequence[Chosen]) -> None:
    whole = {each.disk.identifier for each in found if each.partition is None}
    for each in found:
        if each.partition and each.disk.identifier in whole:
            text = f"{each.partition.name} is a part of {each.disk.identifier}, which is chosen as a whole"
            raise Conflict("disk-twice", text, "choose the disk, or its partitions", "disks")


def seen_on(chosen: Iterable[Chosen]) -> str:
    """Another one once something else is on one of them."""
    return sha256(
        repr([(each.part.disk, each.part.partition, each.part.holds) for each in chosen]).encode()
    ).hexdigest()


async def new(request: web.Request) -> web.Response:
    """GET /storage/new"""
    return await _new_page(request, {}, ())


async def make(request: web.Request) -> web.Response:
    """POST /storage/new with ``name``, ``kind``, ``place`` or ``disks``; ``agreed`` once what is lost was read."""
    typed, wanted, sent = await _typed(request)
    taking = None
    try:
        kind = _kind(typed["kind"])
        if kind in LVM:
            check_pool_name(typed["name"])
            taking = await _taking(request, wanted)
            if "agreed" not in sent:
                return await _new_page(request, typed, wanted, taking)
            _check_same(taking, text(sent, "seen"))
        parts = tuple(each.part for each in taking.chosen) if taking else ()
        wish = PoolWish(typed["name"], kind, "" if kind in LVM else typed["place"], parts)
        pools = request.app[SERVICES].storage().pools
        task = await pools.make(wish, " ".join(typed["confirm"].split()) or None, who(request))
    except (Invalid, NotFound, Conflict) as error:
        return await _new_page(request, _typed_again(typed, error), wanted, _once_more(taking, error), error)
    return see_other(f"/tasks/{task.id}")


async def _typed(request: web.Request) -> tuple[Typed, tuple[str, ...], Mapping[str, Any]]:
    sent = await fields(request)
    wanted = tuple(each for name, each in list(sent.items()) if name == "disks" and isinstance(each, str))
    return {name: text(sent, name).strip() for name in FIELDS}, wanted, sent


def _kind(word: str) -> PoolKind:
    if word not in KINDS:
        raise Invalid("pool-kind", "Choose one of these", field="kind")
    return PoolKind(word)


async def _taking(request: web.Request, wanted: Sequence[str]) -> Taking:
    if not wanted:
        raise Invalid("disks-missing", "a pool is made of one disk at least", "choose disks", "disks")
    storage = request.app[SERVICES].storage()
    chosen = chosen_of(await storage.offer.disks(), wanted)
    foreseen = storage.pools.parts_consequences(tuple(each.part for each in chosen))
    return Taking(chosen, foreseen, seen_on(chosen))


def _once_more(taking: Taking | None, error: ApplianceError) -> Taking | None:
    """What is to be agreed to is asked once more; any other mistake is mended in the form itself."""
    return taking if error.code in ("confirmation-needed", "content-changed") else None


def _typed_again(typed: Typed, error: ApplianceError) -> Typed:
    """Nobody agrees to what they have not seen: what was typed before it changed is typed anew."""
    return typed | {"confirm": ""} if error.code == "content-changed" else typed


def _check_same(taking: Taking, seen: str) -> None:
    if seen != taking.seen:
        text = "What is on the disks has changed since it was shown"
        raise Conflict("content-changed", text, "look at it again, then go on", "form")


async def _offered(request: web.Request) -> dict[str, Any]:
    """The disks to choose from, or why there are none."""
    try:
        return {"disks": await request.app[SERVICES].storage().offer.disks(), "disks_trouble": ""}
    except ApplianceError as error:
        return {"disks": [], "disks_trouble": f"{error.message}; {error.hint}"}


async def _new_page(
    request: web.Request,
    typed: Typed,
    wanted: Sequence[str],
    taking: Taking | None = None,
    error: ApplianceError | None = None,
) -> web.Response:
    offered = await _offered(request)
    usual = PoolKind.LVM_THIN if offered["disks"] else PoolKind.DIRECTORY
    return render(
        request,
        "pool_new.html",
        status=status_of(error) if error else 200,
        kinds=[(kind, pool_words.KINDS[kind], pool_words.MEANINGS[kind], kind in LVM) for kind in KINDS],
        typed=dict.fromkeys(FIELDS, "") | {"kind": usual.value} | typed,
        wanted=wanted,
        taking=taking,
        errors=_errors(error, taking),
        value_of=value_of,
        **offered,
    )


def _errors(error: ApplianceError | None, taking: Taking | None) -> dict[str, ApplianceError]:
    if error is None:
        return {}
    if error.code == "confirmation-needed" and taking:
        error = Conflict(error.code, f"This is not it. Type exactly: {taking.foreseen.confirm}", field="confirm")
    return {error.field if error.field in FIELDS else "form": error}


async def ask_extend(request: web.Request) -> web.Response:
    """GET /storage/{pool}/extend"""
    return await _extend_page(request, {}, ())


async def extend(request: web.Request) -> web.Response:
    """POST /storage/{pool}/extend with one of ``disks``; ``agreed`` once what is lost was read."""
    typed, wanted, sent = await _typed(request)
    taking = None
    try:
        taking = await _taking(request, wanted[:1])
        if "agreed" not in sent:
            return await _extend_page(request, typed, wanted, taking)
        _check_same(taking, text(sent, "seen"))
        pools, (one,) = request.app[SERVICES].storage().pools, taking.chosen
        confirm = typed["confirm"] or None
        task = await pools.extend(str((await pool_of(request)).known.id), one.part, confirm, who(request))
    except (Invalid, NotFound, Conflict) as error:
        return await _extend_page(request, _typed_again(typed, error), wanted, _once_more(taking, error), error)
    return see_other(f"/tasks/{task.id}")


async def _extend_page(
    request: web.Request,
    typed: Typed,
    wanted: Sequence[str],
    taking: Taking | None = None,
    error: ApplianceError | None = None,
) -> web.Response:
    view = await pool_of(request)
    if view.known.kind not in LVM:
        text = f"{view.known.name} is not made of disks"
        raise Conflict("pool-not-of-disks", text, "give its file system more room; the pool has it at once")
    return render(
        request,
        "pool_extend.html",
        status=status_of(error) if error else 200,
        pool=shown(view),
        typed=dict.fromkeys(FIELDS, "") | typed,
        wanted=wanted,
        taking=taking,
        errors=_errors(error, taking),
        value_of=value_of,
        **await _offered(request),
    )

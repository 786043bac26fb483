"""A pool that is made or extended: what is on the disks is shown, and named, before it goes."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.pool import LVM, check_pool_name
from appliance.reconcile.pool_wishes import PoolWish
from appliance.volume import PoolKind
from appliance.web.console import pool_words
from appliance.web.console.chosen_disks import Taking, check_same, chosen_of, seen_on, value_of
from appliance.web.console.page import render, see_other, who
from appliance.web.console.pools import pool_of, shown
from appliance.web.forms import fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

KINDS = (PoolKind.LVM_THIN, PoolKind.LVM_THICK, PoolKind.DIRECTORY)
FIELDS = ("name", "kind", "place", "disks", "confirm", "group")
Typed = dict[str, str]


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
            check_same(taking, text(sent, "seen"))
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
        check_same(taking, text(sent, "seen"))
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

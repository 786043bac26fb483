"""Set-up in the browser, five steps; the first one, the account, is in ``entry``."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.setup.draft import STEPS, WORDS, Draft, Step, accepted, open_step, reachable, whole
from appliance.setup.first_start import FirstStart
from appliance.setup.hardware import Found, lost, to_type
from appliance.setup.value import Account
from appliance.web.api.first_start import local_address
from appliance.web.arrival import ARRIVAL, first_start
from appliance.web.auth import client_address, give_cookie, program_of
from appliance.web.console import first_values as values
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.here import here
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

WAIT = "/setup/wait"


def stepper(draft: Draft | None, here: Step) -> list[dict[str, Any]]:
    """What the line of steps shows; without a draft nobody is logged in, and no step can be gone to."""
    behind = accepted(draft) if draft is not None else ()
    return [
        {
            "word": WORDS[step],
            "link": f"/setup/{step}" if draft is not None and reachable(draft, step) and step != here else "",
            "state": "here" if step == here else "done" if step in behind else "ahead",
        }
        for step in STEPS
    ]


def _page(
    request: web.Request, template: str, step: Step, draft: Draft, error: ApplianceError | None = None, **shown: Any
) -> web.Response:
    errors = {values.FIELD_OF.get(error.field, error.field.rpartition(".")[2] or "form"): error} if error else {}
    return render(
        request,
        template,
        status=status_of(error) if error else 200,
        steps=stepper(draft, step),
        errors=errors,
        fingerprint=request.app[SERVICES].fingerprint,
        **shown,
    )


async def _opened(request: web.Request, step: Step) -> tuple[FirstStart, Draft]:
    """The set-up with its answers; sends the browser elsewhere where it is not yet, or no more, time for the step."""
    first = first_start(request)
    draft, progress = await first.steps.draft(), await first.steps.progress()
    if progress.phase != "asking":
        raise web.HTTPSeeOther(WAIT)
    if not reachable(draft, step):
        raise web.HTTPSeeOther(f"/setup/{open_step(draft)}")
    return first, draft


Typed = dict[str, str]
Answer = Callable[[FirstStart, Typed], Awaitable[None]]
"""Takes what was typed; raises Invalid and Conflict."""
Page = Callable[[web.Request, FirstStart, Draft, ApplianceError | None], Awaitable[web.Response]]


async def _save(request: web.Request, step: Step, answer: Answer, page: Page) -> web.Response:
    """On to the step after this one; its page again, with all that was typed, where the answer is not accepted."""
    first, _ = await _opened(request, step)
    typed = await _typed(request, step)
    try:
        await answer(first, typed)
    except (Invalid, Conflict) as error:
        await first.steps.keep_typed(step, typed)
        return await page(request, first, await first.steps.draft(), error)
    return see_other(f"/setup/{STEPS[STEPS.index(step) + 1]}")


async def next_step(request: web.Request) -> web.Response:
    """Where set-up goes on; the overview where there is none, or where it is done."""
    first = request.app[SERVICES].first_start
    if first is None:
        return see_other("/")
    phase = (await first.steps.progress()).phase
    return see_other({"asking": f"/setup/{open_step(await first.steps.draft())}", "done": "/"}.get(phase, WAIT))


async def account(request: web.Request) -> web.Response:
    """GET /setup/account: that it is made."""
    _, draft = await _opened(request, "account")
    return _page(request, "setup_account.html", "account", draft, name=who(request).name)


async def site(request: web.Request) -> web.Response:
    """GET /setup/site"""
    first, draft = await _opened(request, "site")
    return await _site_page(request, first, draft)


async def _site_page(
    request: web.Request, first: FirstStart, draft: Draft, error: ApplianceError | None = None
) -> web.Response:
    zones = sorted((await first.steps.found()).zones)
    typed = values.shown("site", draft, values.Proposal())
    return _page(request, "setup_site.html", "site", draft, error, typed=typed, zones=zones)


async def save_site(request: web.Request) -> web.Response:
    """POST /setup/site"""

    async def answer(first: FirstStart, typed: Typed) -> None:
        await first.steps.answer_site(values.site_of(typed), who(request))

    return await _save(request, "site", answer, _site_page)


async def networks(request: web.Request) -> web.Response:
    """GET /setup/networks"""
    first, draft = await _opened(request, "networks")
    return await _networks_page(request, first, draft)


async def _networks_page(
    request: web.Request, first: FirstStart, draft: Draft, error: ApplianceError | None = None
) -> web.Response:
    found = await first.steps.found()
    nics = found.nics
    typed = values.shown("networks", draft, values.propose(found, local_address(request)))
    return _page(
        request,
        "setup_networks.html",
        "networks",
        draft,
        error,
        typed=typed,
        nics=nics,
        heard={each.name: first.steps.heard(each.name) for each in nics},
        foreign=error is not None and error.code == "dhcp-foreign",
        modes=values.DHCP,
        unknown=values.UNKNOWN,
        here=local_address(request),
    )


async def save_networks(request: web.Request) -> web.Response:
    """POST /setup/networks"""

    async def answer(first: FirstStart, typed: Typed) -> None:
        nics = (await first.steps.found()).nics
        management, provisioning = values.management_of(typed), values.provisioning_of(typed, nics)
        despite = bool(typed["despite_dhcp"])
        await first.steps.answer_networks(management, provisioning, who(request), despite_dhcp=despite)

    return await _save(request, "networks", answer, _networks_page)


async def look(request: web.Request) -> web.Response:
    """POST /setup/look with ``nic``: a line about the DHCP servers there."""
    first, sent = first_start(request), await fields(request)
    nic = text(sent, "nic")
    if nic not in {each.name for each in (await first.steps.found()).nics}:
        raise Invalid("nic-unknown", f"{nic[:80]} is not in this computer", "load the page again", "nic")
    heard = await first.steps.look(nic)
    return render(request, "setup_heard.html", heard=heard)


async def storage(request: web.Request) -> web.Response:
    """GET /setup/storage"""
    first, draft = await _opened(request, "storage")
    return await _storage_page(request, first, draft)


async def _storage_page(
    request: web.Request, first: FirstStart, draft: Draft, error: ApplianceError | None = None
) -> web.Response:
    disks = (await first.steps.found()).disks
    typed = values.shown("storage", draft, values.Proposal())
    chosen = values.storage_of(typed)
    asking = error is not None and error.code == "confirmation-needed"
    return _page(
        request,
        "setup_storage.html",
        "storage",
        draft,
        error,
        typed=typed,
        disks=disks,
        chosen=chosen.data_disks,
        asking=asking,
        going=[each for each in disks if each.identifier in chosen.data_disks and each.content],
        confirm=to_type(chosen, disks),
    )


async def save_storage(request: web.Request) -> web.Response:
    """POST /setup/storage; what is on the disks that are chosen wants their identifiers typed."""
    asked = "confirm" in await fields(request)

    async def answer(first: FirstStart, typed: Typed) -> None:
        try:
            await first.steps.answer_storage(values.storage_of(typed), typed["confirm"], who(request))
        except Conflict as error:
            if error.code == "confirmation-needed" and not asked:
                raise Conflict(error.code, error.message, field="storage.asked") from error
            raise

    return await _save(request, "storage", answer, _storage_page)


async def ready(request: web.Request) -> web.Response:
    """GET /setup/ready"""
    first, draft = await _opened(request, "ready")
    return await _ready_page(request, first, draft)


async def _ready_page(
    request: web.Request, first: FirstStart, draft: Draft, error: ApplianceError | None = None
) -> web.Response:
    found, progress = await first.steps.found(), await first.steps.progress()
    set_up = whole(draft, Account(who(request).name))
    return _page(
        request,
        "setup_ready.html",
        "ready",
        draft,
        error,
        set_up=set_up,
        modes=values.DHCP,
        unknown=values.UNKNOWN,
        progress=progress,
        losing=lost(set_up.storage, found.disks),
        cut=_cut(found, set_up.management.nic, local_address(request)),
    )


def _cut(found: Found, nic: str, here: str) -> str:
    """The interface that the browser came over, where it is another one than people are to come over from now on."""
    over = next((n.name for n in found.nics if any(a.partition("/")[0] == here for a in n.addresses)), "")
    return over if over not in ("", nic) else ""


async def begin(request: web.Request) -> web.Response:
    """POST /setup/ready"""
    first, draft = await _opened(request, "ready")
    try:
        await first.conduct.begin(who(request), local_address(request))
    except ApplianceError as error:
        return await _ready_page(request, first, draft, error)
    return see_other(WAIT)


async def wait(request: web.Request) -> web.Response:
    """GET /setup/wait: what goes on, and the way to where the console is then; the overview once all is done."""
    first = request.app[SERVICES].first_start
    if first is None:
        return see_other("/")
    progress = await first.steps.progress()
    if progress.phase in ("asking", "done"):
        return await next_step(request)
    token = await request.app[ARRIVAL].token() if progress.phase == "trying" else ""
    shown: Mapping[str, Any] = {"progress": progress, "token": token}
    return _page(request, "setup_wait.html", "ready", await first.steps.draft(), **shown)


async def confirm(request: web.Request) -> web.Response:
    """POST /setup/confirm: the browser is still here, over the new network."""
    first = first_start(request)
    await request.app[SERVICES].own_networks.check_over(here(request))
    await first.conduct.confirm()
    return see_other(WAIT)


async def show_arrival(request: web.Request) -> web.Response:
    """GET /setup/arrive with ``token``: the page that confirms, at the new address."""
    first_start(request)
    token = request.query.get("token", "")
    await request.app[ARRIVAL].check(token)
    return render(request, "setup_arrive.html", token=token, fingerprint=request.app[SERVICES].fingerprint)


async def arrive(request: web.Request) -> web.Response:
    """POST /setup/arrive with ``token``"""
    first_start(request)
    sent = await fields(request)
    await request.app[ARRIVAL].check(text(sent, "token"))
    await request.app[SERVICES].own_networks.check_over(here(request))
    made = await request.app[ARRIVAL].arrive(text(sent, "token"), client_address(request), program_of(request))
    response = see_other(WAIT)
    give_cookie(response, made.token)
    return response


async def _typed(request: web.Request, step: str) -> Typed:
    """The fields of a step's form, without blanks around: of ticked boxes a line for each, of others the last value,
    which is that of the button where a button has one.
    """
    sent = await fields(request)
    several = {name: [each for key, each in sent.items() if key == name] for name in values.FIELDS[step]}
    kept = {name: found if name == "data_disks" else found[-1:] for name, found in several.items()}
    return {name: "\n".join(each.strip() for each in found if isinstance(each, str)) for name, found in kept.items()}

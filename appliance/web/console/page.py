"""Templates and what every page needs: navigation, who is logged in, words for values."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web
from jinja2.runtime import Context

from appliance import __version__
from appliance.accounts import Asker, Role
from appliance.deployment import content_in_words
from appliance.errors import ApplianceError
from appliance.machine import State
from appliance.reconcile.views import OFFLINE_AFTER
from appliance.web.console import words
from appliance.web.console.power_words import chip
from appliance.web.console.static import Static
from appliance.web.console.zone import zone_of
from appliance.web.keys import SERVICES, USER

TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of the navigation."""

    path: str
    word: str
    icon: str
    first: bool = True
    """Stands in a phone's bottom bar itself, not under "More"."""


NAVIGATION = (
    Entry("/", "Overview", "layout-dashboard"),
    Entry("/machines", "Machines", "server"),
    Entry("/deployments", "Deployments", "layers"),
    Entry("/images", "Images", "disc-3", first=False),
    Entry("/kernels", "Kernels", "cpu", first=False),
    Entry("/network", "Network", "network", first=False),
    Entry("/events", "Events", "scroll-text"),
    Entry("/settings", "Settings", "settings", first=False),
)


class Pages:
    """Renders templates. Every value is escaped: what machines say is hostile."""

    def __init__(self, static: Static) -> None:
        loader = jinja2.FileSystemLoader(TEMPLATES)
        self._jinja = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.globals |= {
            "asset": static.url,
            "navigation": NAVIGATION,
            "version": __version__,
            "offline_after": words.span(OFFLINE_AFTER),
            "mark": words.mark,
            "mark_named": lambda name: words.mark(State(name)),
            "OFFLINE": words.OFFLINE,
            "power_chip": chip,
        }
        for function in (
            content_in_words,
            words.memory,
            words.disk_size,
            words.percent,
            words.span,
            words.running_time,
            words.step_label,
            words.overall,
            words.weights,
            words.hardware,
            words.sentence,
            words.key_fingerprint,
            words.pairs_of_hex,
        ):
            self._jinja.filters[function.__name__] = function
        for told in (words.moment, words.clock, words.iso):
            self._jinja.filters[told.__name__] = _in_zone(told)

    def text(self, template: str, **values: Any) -> str:
        """The template as text; one that is missing a value is a bug and raises."""
        return self._jinja.get_template(template).render(**values)


def _in_zone(told: Callable[[float, tzinfo | None], str]) -> Callable[[Context, float], str]:
    """A filter that tells a time in the zone of whoever looks."""

    @jinja2.pass_context
    def shown(context: Context, at: float) -> str:
        return told(at, context["zone"])

    return shown


PAGES = web.AppKey("pages", Pages)


def render(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page for whoever is logged in; ``values`` are what the template shows."""
    now = request.app[SERVICES].clock()
    text = request.app[PAGES].text(
        template,
        now=now,
        ago=lambda at: words.ago(at, now),
        path=request.path,
        user=request.get(USER),
        may=_may(request),
        zone=zone_of(request),
        domain=request.app[SERVICES].domain,
        trial=_trial(request),
        **values,
    )
    return web.Response(text=text, content_type="text/html", status=status)


def _trial(request: web.Request) -> float | None:
    """Until when a change of the appliance's own network is tried; every page says so."""
    trial = request.app[SERVICES].own_networks.trial
    return trial.until if trial and request.get(USER) and trial.until > request.app[SERVICES].clock() else None


def _may(request: web.Request) -> Callable[[str], bool]:
    """Tells a template whether whoever looks has a role, so that it shows nothing that they cannot do."""
    asker = request.get(USER)
    return lambda role: asker is not None and asker.role.covers(Role(role))


def see_other(location: str) -> web.Response:
    """After a form was accepted: look there (RFC 9110 section 15.4.4), so that reload repeats nothing."""
    return web.Response(status=303, headers={"Location": location})


def who(request: web.Request) -> Asker:
    """Who asks, for wishes and the logs that they leave."""
    return request[USER]


def problem_page(request: web.Request, error: ApplianceError, status: int) -> web.Response:
    """What went wrong and what to do next, as a page."""
    return render(request, "problem.html", status=status, error=error)

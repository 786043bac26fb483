"""Templates and what every page needs: navigation, who is logged in, words for values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aiohttp import web

from appliance.accounts import Asker, Role
from appliance.errors import ApplianceError
from appliance.reconcile.views import OFFLINE_AFTER
from appliance.web.console import words
from appliance.web.console.static import Static
from appliance.web.console.zone import zone_of
from appliance.web.keys import SERVICES, USER


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of the navigation."""

    path: str
    word: str
    icon: str
    first: bool = True
    """Stands in a phone's bottom bar itself, not under "More"."""
    also: tuple[str, ...] = ()
    """Beginnings of other addresses that belong to it."""

    def leads_to(self, path: str) -> bool:
        """Whether a page is under this word."""
        if self.path == "/":
            return path == "/"
        return any(path == each or path.startswith(f"{each}/") for each in (self.path, *self.also))


NAVIGATION = (
    Entry("/", "Overview", "layout-dashboard"),
    Entry("/machines", "Machines", "server"),
    Entry("/deployments", "Deployments", "layers"),
    Entry("/images", "Images", "disc-3", first=False, also=("/kernels", "/recipes", "/isos")),
    Entry("/storage", "Storage", "hard-drive", first=False),
    Entry("/vms", "VMs", "monitor", first=False),
    Entry("/network", "Network", "network", first=False),
    Entry("/events", "Events", "scroll-text"),
    Entry("/settings", "Settings", "settings", first=False),
)


class Pages:
    """Renders templates. Every value is escaped: what machines say is hostile."""

    def __init__(self, static: Static) -> None:
        self._static = static

    @cached_property
    def _rendered(self) -> Callable[[str, Mapping[str, Any]], str]:
        # Imported when somebody looks: a daemon at rest has no use for it.
        from appliance.web.console.templating import renderer

        offline_after = words.span(OFFLINE_AFTER)
        return renderer({"asset": self._static.url, "navigation": NAVIGATION, "offline_after": offline_after})

    def text(self, template: str, **values: Any) -> str:
        """The template as text; one that is missing a value is a bug and raises."""
        return self._rendered(template, values)


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

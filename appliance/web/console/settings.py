"""What the configuration file says, read-only, and what identifies this appliance."""

from collections.abc import Iterator

from aiohttp import web

from appliance.web.console.page import render
from appliance.web.keys import SERVICES


async def show(request: web.Request) -> web.Response:
    """GET /settings"""
    services = request.app[SERVICES]
    sections = {name: list(_lines(value)) for name, value in services.config.items()}
    return render(
        request, "settings.html", sections=sections, fingerprint=services.fingerprint,
        flashed=services.privileged.here, tab="about",
    )  # fmt: skip


def _lines(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of one section as the file spells them; a repeated section numbers its own."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _lines(inner, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _lines(inner, f"{prefix}[{number}]" if len(value) > 1 else prefix)
    else:
        yield prefix, _shown(value)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(inner) for inner in value) or "none"
    return "not set" if value is None or value == "" else str(value)

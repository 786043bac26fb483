"""Log-in to the appliance itself by SSH: who is let in, another key, and one less."""

from aiohttp import web

from appliance.errors import ApplianceError
from appliance.web.console.confirm import confirm_page
from appliance.web.console.page import render, see_other, who
from appliance.web.forms import fields, text
from appliance.web.here import here
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

PAGE = "/settings/ssh"
LARGEST_FILE = 1 << 16


async def show(request: web.Request) -> web.Response:
    """GET /settings/ssh"""
    return await _page(request)


async def _page(request: web.Request, typed: str = "", error: ApplianceError | None = None) -> web.Response:
    from appliance.web.ssh_access import standing  # the daemon at rest does without it

    return render(
        request,
        "ssh.html",
        status=status_of(error) if error else 200,
        standing=await standing(request.app[SERVICES]),
        address=here(request),
        typed=typed,
        error=error,
        tab="ssh",
    )


async def add(request: web.Request) -> web.Response:
    """POST /settings/ssh with ``keys``, one in each line, or the file ``keys_file``."""
    from appliance.web import ssh_access

    sent = await fields(request)
    typed, chosen = text(sent, "keys"), sent.get("keys_file")
    if not typed.strip() and isinstance(chosen, web.FileField):
        typed = chosen.file.read(LARGEST_FILE).decode(errors="replace")
    lines = [line for line in typed.splitlines() if line.strip()]
    try:
        await ssh_access.add(request.app[SERVICES], lines or [""], who(request))
    except ApplianceError as error:
        return await _page(request, typed, error)
    return see_other(PAGE)


async def ask_remove(request: web.Request) -> web.Response:
    """GET /settings/ssh/remove?fingerprint=SHA256:..."""
    from appliance.web import ssh_access

    standing, fingerprint = await ssh_access.standing(request.app[SERVICES]), request.query.get("fingerprint", "")
    key, status = standing.named(fingerprint), standing.status
    if key is None or status is None:
        refused = "this key is not let in; it may be gone already." if status else standing.trouble or NOT_FLASHED
        return confirm_page(request, title="Remove an SSH key", texts=(), button="", back=PAGE, refused=refused)
    name = key.comment or key.fingerprint
    goes_on = "Who has logged in with it already stays logged in until they leave, or until the appliance restarts."
    last = "It is the last one: SSH is switched off with it, and nobody can log in by SSH until a key is added."
    return confirm_page(
        request,
        title=f"Remove the SSH key {name}",
        texts=(
            f"{key.fingerprint} is let in no more.",
            *([last] if len(status.keys) == 1 else []),
            goes_on,
        ),
        button=f"Remove {name}" if len(status.keys) > 1 else f"Remove {name} and switch SSH off",
        back=PAGE,
        hidden={"fingerprint": fingerprint},
    )


NOT_FLASHED = "this computer is not a flashed appliance."


async def remove(request: web.Request) -> web.Response:
    """POST /settings/ssh/remove with ``fingerprint``."""
    from appliance.web import ssh_access

    await ssh_access.remove(request.app[SERVICES], text(await fields(request), "fingerprint"), who(request))
    return see_other(PAGE)

"""Whether a request that changes something comes from a page of ours (cross-site request forgery). Pure."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from appliance.chains import covers
from appliance.errors import ApplianceError, Denied, Invalid

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL = ("localhost", "127.0.0.1", "::1")
"""What a tunnel or the appliance itself calls the console."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(:\d{1,5})?")


def check_host(headers: Mapping[str, str]) -> None:
    """Raise Invalid for a Host header that names no host (RFC 9110 section 7.2)."""
    if not _HOST.fullmatch(headers.get("Host", "")):
        raise Invalid("host-invalid", "the request names no valid host")


def check_known(headers: Mapping[str, str], local: str, names: Iterable[str]) -> None:
    """Raise ApplianceError ``host-unknown`` for a Host that is not ours.

    Another site's name may lead to our address (DNS rebinding), and a browser takes its page for one of ours then.
    ``local`` is the address that the request arrived at; ``names`` are those in our certificates and configuration.
    """
    host = re.sub(r":\d{1,5}$", "", headers.get("Host", "")).strip("[]")
    if not covers((*LOCAL, local.removeprefix("::ffff:").partition("%")[0], *names), host):
        hint = f'if it is, add it to the configuration, under [web]: hosts = ["{host[:100]}"]'
        raise ApplianceError("host-unknown", f"{host[:100]!r} is no name of this appliance", hint, "Host")


def check_origin(headers: Mapping[str, str], *, by_cookie: bool, secure: bool) -> None:
    """Raise Denied for a request that another site made a browser send.

    ``by_cookie``: a browser vouches for the request by itself, so that it has to prove where it comes from.
    ``secure``: it came over TLS, so that a page of ours did too. Programs send neither header; a browser sends
    Origin with everything that changes state (Fetch standard, section 3.2), and Sec-Fetch-Site over TLS.
    """
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise _foreign()
    if origin is not None and not _same(origin, headers.get("Host", ""), secure):
        raise _foreign()
    if by_cookie and origin is None and site is None:
        raise _foreign()


def _same(origin: str, host: str, secure: bool) -> bool:
    try:
        parts = urlsplit(origin)
        return (parts.scheme == "https" or not secure) and _bare(parts.netloc) == _bare(host) != ""
    except ValueError:
        return False


def _bare(host: str) -> str:
    return host.lower().removesuffix(":443")


def _foreign() -> Denied:
    hint = "open the console itself and do it there; programs send a bearer token instead of the cookie"
    return Denied("origin-foreign", "this request comes from another site's page", hint)


def relative_target(target: str | None) -> str:
    """Where to go after the log-in: a path of this site, or the overview (RFC 3986 section 4.2)."""
    if not target or not target.startswith("/") or target.startswith("//") or len(target) > 2000:
        return "/"
    # Browsers read a backslash as a slash, and drop tabs and line ends.
    return "/" if re.search(r"[\\\x00-\x20\x7f]", target) else target

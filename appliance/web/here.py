"""By which way a request came: the address of ours that it came to, and that of who asks."""

from aiohttp import web


def here(request: web.Request) -> str:
    """Without its zone, and as IPv4 where it is one; empty where nothing is known of it."""
    return _address(request, "sockname")


def over(request: web.Request) -> tuple[str, str]:
    """``here``, and the address of the other end in the same form."""
    return here(request), _address(request, "peername")


def _address(request: web.Request, end: str) -> str:
    found = request.transport.get_extra_info(end) if request.transport is not None else None
    return str(found[0]).removeprefix("::ffff:").partition("%")[0] if isinstance(found, tuple) else ""

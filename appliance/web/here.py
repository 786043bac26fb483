"""The address of ours that a request came to."""

from aiohttp import web


def here(request: web.Request) -> str:
    """Without its zone, and as IPv4 where it is one; empty where nothing is known of it."""
    local = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return str(local[0]).removeprefix("::ffff:").partition("%")[0] if isinstance(local, tuple) else ""

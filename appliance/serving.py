"""Begins the daemon with nothing else in memory: what reads command lines is not read, nor what nobody asks for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def serve(file: Path) -> int:
    """Run the daemon with this configuration until it is told to stop; the exit code."""
    with _without_authorities():
        from appliance.daemon import serve as run

    return run(file)


@contextmanager
def _without_authorities() -> Iterator[None]:
    """aiohttp reads every certificate authority that the system trusts while it is imported: 2.5 MB of memory.

    The daemon asks one of them only when it fetches an update, and has them read then.
    """
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # as OpenSSL knows them
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value

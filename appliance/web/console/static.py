"""Style, scripts and icons under an address that names their content, so that browsers may keep them for ever."""

import asyncio
import hashlib
import logging
from pathlib import Path

from aiohttp import web

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"
LATER = ("vendor/novnc/", "vendor/xterm")
"""Beginnings of the names of what most people never load, and is large: it is read when somebody does."""
REQUIRED = ("vendor/htmx.js", "vendor/idiomorph.js", "vendor/icons.svg")

log = logging.getLogger(__name__)


class Static:
    """The files of one directory, read once: they are small, but for ``LATER``, and change with the version only."""

    def __init__(self, directory: Path) -> None:
        self._files: dict[str, bytes | Path] = {}
        digest = hashlib.sha256()
        for path in sorted(each for each in directory.rglob("*") if each.suffix in TYPES):
            name, content = path.relative_to(directory).as_posix(), path.read_bytes()
            digest.update(f"{name} {len(content)} ".encode() + content)
            self._files[name] = path if name.startswith(LATER) else content
        self._version = digest.hexdigest()[:12]
        for name in (name for name in REQUIRED if name not in self._files):
            # Pages work without, only less well: no reason to keep machines from booting.
            log.warning("the console's file %s is missing; run: make setup", name)

    def url(self, name: str) -> str:
        """Where browsers find a file."""
        return f"/static/{self._version}/{name}"

    async def answer(self, request: web.Request) -> web.Response:
        """Serve one file; another version's address answers too, but is not kept."""
        name = request.match_info["name"]
        content = self._files.get(name)
        if content is None:
            raise web.HTTPNotFound
        if isinstance(content, Path):
            content = await asyncio.to_thread(content.read_bytes)
        current = request.match_info["version"] == self._version
        return web.Response(
            body=content,
            content_type=TYPES[Path(name).suffix],
            charset="utf-8",
            headers={"Cache-Control": FOR_EVER if current else "no-cache"},
        )

"""Puts the screen together: where it looks, which terminal it is on, what it may do."""

import asyncio
import os
import re
import sys
import termios
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from appliance.errors import ApplianceError
from appliance.screen.act import Acting
from appliance.screen.gather import Gatherer, Places
from appliance.screen.live import Live
from appliance.screen.pages import Front
from appliance.screen.terminal import Terminal
from appliance.screen.text import Size
from appliance.screen.view import view

_SIZE = re.compile(r"(\d{2,3})x(\d{1,3})")


def start(once: bool, size: str | None, ascii_only: bool, config: Path | None) -> int:
    """Run the screen, or print its first page; the exit code. Raises ApplianceError ``terminal-needed``."""
    gatherer = Gatherer(_places(config, os.environ))
    fixed = _size(size, ascii_only)
    if once:
        return _print_once(gatherer, fixed or Size(ascii_only=ascii_only))
    return _live(gatherer, fixed, ascii_only)


def _places(config: Path | None, environment: Mapping[str, str]) -> Places:
    """systemd says where files are that live as long as the computer runs (systemd.exec(5), RuntimeDirectory=)."""
    places = Places()
    if config is not None:
        places = replace(places, configs=(config,))
    if directory := environment.get("RUNTIME_DIRECTORY"):
        places = replace(places, attempts=Path(directory) / "attempts.json")
    return places


def _size(text: str | None, ascii_only: bool) -> Size | None:
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if not found:
        raise click.UsageError("--size is COLUMNSxROWS, such as 80x24")
    return Size(int(found[1]), int(found[2]), ascii_only)


def _print_once(gatherer: Gatherer, size: Size) -> int:
    facts = asyncio.run(gatherer.look())
    for line in view(Front(), facts, size):
        click.echo(line.text.rstrip())
    return 0


def _live(gatherer: Gatherer, size: Size | None, ascii_only: bool) -> int:
    try:
        terminal = Terminal(sys.stdin.fileno())
    except (OSError, ValueError, termios.error) as error:
        hint = "run it on a terminal, or print its first page: qrm screen --once"
        raise ApplianceError("terminal-needed", "the screen needs a terminal", hint) from error
    live = Live(terminal, gatherer.look, lambda order, facts, say: acting.carry(order, facts, say), size, ascii_only)
    acting = Acting(gatherer, live.lent)
    asyncio.run(live.run())
    return 0

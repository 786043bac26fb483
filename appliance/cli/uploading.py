"""A bar for uploads, on standard error: what a command says on its standard output is for programs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from appliance.cli.client import Progress
from appliance.cli.output import clean


@contextmanager
def uploading(name: str, size: int) -> Iterator[Callable[[], Progress]]:
    """Gives what begins the bar, from the start again where the upload is sent a second time.

    Without a terminal one line is said at the beginning.
    """
    with click.progressbar(length=size, label=f"uploading {clean(name)}", file=sys.stderr) as bar:
        begun = False

        def begin() -> Progress:
            nonlocal begun
            if begun:
                click.echo("\nthe connection was lost before the answer; sending it once more", err=True)
                bar.finished = False
                bar.update(-bar.pos)
            begun = True
            return bar.update

        yield begin

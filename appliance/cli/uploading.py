"""A bar for uploads, on standard error: what a command says on its standard output is for programs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from appliance.cli.client import Progress
from appliance.cli.output import clean


@contextmanager
def uploading(name: str, size: int) -> Iterator[Progress]:
    """Called with the number of bytes just sent; without a terminal one line is said at the beginning."""
    with click.progressbar(length=size, label=f"uploading {clean(name)}", file=sys.stderr) as bar:
        yield bar.update

"""Command line: what to build, where to keep it."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import appliance_cli, cache, demo, guest, output, programs, stack
from .errors import BuildError
from .progress import say
from .run import explained

BUILDERS: dict[str, Callable[[Path], Path]] = {
    "programs": programs.build,
    "stack": stack.build,
    "demo": demo.build,
}
OTHERS: dict[str, Callable[[Path], Path]] = {"guest": guest.build}
"""Built only when they are asked for by name: no machine of a user boots them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what was asked for; 0 and the paths as JSON on stdout, or 1 and the reason on stderr."""
    given = parser().parse_args(arguments)
    wanted = BUILDERS if given.what == "all" else [given.what]
    try:
        result = {kind: str(_made(kind, given)) for kind in wanted}
    except BuildError as error:
        say(f"error: {error}")
        return 1
    except OSError as error:
        say(f"error: {explained(error)}")
        return 1
    json.dump(result, sys.stdout)
    print()
    return 0


def _made(kind: str, given: argparse.Namespace) -> Path:
    if kind in appliance_cli.COMMANDS:
        return appliance_cli.COMMANDS[kind](given)
    built = {**BUILDERS, **OTHERS}[kind](given.cache.absolute())
    return output.put(built, given.output.absolute(), kind) if given.output else built


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    line = argparse.ArgumentParser(prog="build", description="Builds what machines boot.")
    line.add_argument("what", choices=[*BUILDERS, *OTHERS, *appliance_cli.COMMANDS, "all"])
    line.add_argument("--cache", type=Path, default=cache.default_directory(), metavar="DIR")
    line.add_argument("--output", type=Path, metavar="DIR", help="copy what was built to DIR/<what>")
    appliance_cli.add_options(line)
    return line

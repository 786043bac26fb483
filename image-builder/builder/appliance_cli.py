"""The part of the command line about the appliance: its image, updates to it, the packages it is made of."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import appliance, bundle, cache, lock, output, twice
from .errors import BuildError
from .progress import say


def add_options(line: argparse.ArgumentParser) -> None:
    """Options of the COMMANDS."""
    group = line.add_argument_group("appliance, bundle")
    group.add_argument("--keyring", type=Path, metavar="FILE", help="certificates that updates are signed with (PEM)")
    group.add_argument("--twice", action="store_true", help="build it twice, and say what differs")
    group.add_argument("--key", type=Path, metavar="FILE", help="private key that signs a bundle (PEM)")
    group.add_argument("--cert", type=Path, metavar="FILE", help="the key's certificate (PEM)")


def image(given: argparse.Namespace) -> Path:
    """The image's directory. Raises BuildError."""
    wanted = appliance.Wanted(given.keyring)
    if given.keyring and not given.keyring.is_file():
        raise BuildError(f"{given.keyring} is not there: --keyring names a file of certificates.")
    if not given.keyring:
        say("appliance: without --keyring FILE nobody can ever update what is flashed with it")
    kept = given.cache.absolute()
    if given.twice:
        twice.compare(kept, wanted)
    made = appliance.build(kept, wanted)
    return output.put(made, given.output.absolute(), "appliance") if given.output else made


def update(given: argparse.Namespace) -> Path:
    """A signed bundle of the image, beside it or in --output. Raises BuildError."""
    if not (given.key and given.cert):
        raise BuildError("A bundle is signed: --key FILE --cert FILE name the private key and its certificate.")
    kept = given.cache.absolute()
    made = appliance.build(kept, appliance.Wanted(given.keyring))
    into = given.output.absolute() if given.output else made
    into.mkdir(parents=True, exist_ok=True)
    with cache.lock(kept / ".bundle.lock"), _scratch() as scratch:
        return bundle.build(made, bundle.Signer(given.key, given.cert), into, kept, Path(scratch))


def pins(given: argparse.Namespace) -> Path:
    """The lock file of the Python packages, written anew. Raises BuildError."""
    with _scratch() as scratch:
        return lock.make(Path(scratch))


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="qrm-build-", dir=cache.scratch_base())


COMMANDS: dict[str, Callable[[argparse.Namespace], Path]] = {"appliance": image, "bundle": update, "lock": pins}

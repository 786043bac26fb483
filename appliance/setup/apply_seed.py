"""Applies a seed, once: before the daemon starts, with nobody there. A wrong one changes nothing."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.setup import left, seed, seed_partition
from appliance.setup.appliance import Appliance
from appliance.setup.hardware import check_disks, check_nics, check_zone, resolved
from appliance.setup.summary import summary
from appliance.state import write_whole

WAITS = (
    "this runs from the installer's stick, so nothing is set up and no disk is cleared: the seed is copied with the "
    "rest, and applied at the first start of the disk that it is installed onto"
)
"""What is said of a good seed on a stick."""
APPLIED = "seed-applied.json"
"""Digests of the seeds that were applied, in the directory of what set-up keeps."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are; tests have others."""

    kept: Path = Path("/etc/qrm")
    """What set-up keeps, on the state partition."""
    state_dir: Path = Path("/var/lib/appliance")
    """The daemon's."""
    owner: tuple[int, int] = (0, 0)
    """The daemon's user and group."""
    is_installer: bool = False
    """Whether the seed is not for what runs now, but for the disk that it is going to be installed onto."""


async def apply(path: Path, places: Places, appliance: Appliance) -> str:
    """What was done, in words; raises SeedError for a seed that is wrong, and what the appliance raises.

    ``path`` is the seed partition, or a file.
    """
    text = seed_partition.read(path)
    if text is None:
        return f"there is no {seed.FILE} on {path}"
    name = path.name if path.suffix == ".toml" else seed.FILE
    if seed_partition.digest(text) in _applied(places):
        _finish_taking_away(path, text, name)
        return "this seed was applied already"
    set_up, complain = seed.read(text, name)
    if places.is_installer:
        return WAITS
    found = await appliance.found()
    check_nics(set_up, found.nics, complain)
    check_zone(set_up.site.time_zone, found.zones, complain)
    check_disks(set_up.storage, found.disks, complain)
    set_up = resolved(set_up, found.nics)
    if await appliance.try_network(set_up) is not None:
        await appliance.keep_network()  # nobody is there who could come over it
    await appliance.write(set_up)
    left.leave(set_up, places.state_dir, places.owner)
    await appliance.let_in(set_up)  # last: who is let in by SSH stands in what was left, from which it is told
    secret = set_up.account.password_hash
    _remember(places, seed_partition.digest(text), seed_partition.digest(seed_partition.without(text, secret)))
    seed_partition.take_away(path, secret)
    return f"the seed was applied: {summary(set_up)}"


def _finish_taking_away(path: Path, text: str, name: str) -> None:
    """The secret of a seed that was applied, where the power went before it was gone."""
    with suppress(seed.SeedError):  # what stands in its place is no hash
        seed_partition.take_away(path, seed.parse(text, name).account.password_hash)


def _applied(places: Places) -> list[str]:
    try:
        found = json.loads((places.kept / APPLIED).read_text())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        hint = f"remove {places.kept / APPLIED}, and the seed is applied again"
        raise ApplianceError("seed-unknown", f"which seeds were applied cannot be read: {error}", hint) from error
    return [str(each) for each in found] if isinstance(found, list) else []


def _remember(places: Places, *digests: str) -> None:
    known = list(dict.fromkeys([*_applied(places), *digests]))
    places.kept.mkdir(parents=True, exist_ok=True)
    write_whole(places.kept / APPLIED, json.dumps(known, indent=1).encode())

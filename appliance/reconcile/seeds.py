"""NoCloud seeds of deployments: sealed as they come in, opened for the agent that writes them and for who may edit."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from appliance.cloud_init import NETWORK_CONFIG, USER_DATA, Part, network_config, user_data
from appliance.deployment import Deployment
from appliance.errors import ApplianceError, Conflict
from appliance.store import deployments, seeds
from appliance.store.sealing import Sealer
from appliance.store.store import Store

_CHECKS: Mapping[str, Callable[[str], tuple[str, str]]] = {USER_DATA: user_data, NETWORK_CONFIG: network_config}


@dataclass(frozen=True, slots=True)
class SealedPart:
    """A part of a seed that is to be kept; ``about`` is None where it is to be taken away."""

    about: Part | None
    content: bytes


SealedSeed = Mapping[str, SealedPart]
"""By part; those that are not in it stay as they are."""


class Seeds:
    """Seals and opens them with one key."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store, self._sealer = store, sealer

    def sealed(self, given: Mapping[str, str | None]) -> SealedSeed:
        """The texts that were given by part, checked and sealed; None leaves one as it is, blank takes it away.

        Raises Invalid with the part as its field.
        """
        return {part: self._sealed(part, text) for part, text in given.items() if text is not None}

    def _sealed(self, part: str, text: str) -> SealedPart:
        if not text.strip():
            return SealedPart(None, b"")
        kept, kind = _CHECKS[part](text)
        mark = self._sealer.mark(kept)
        return SealedPart(Part(kind, len(kept.encode()), mark), self._sealer.seal(kept, _belongs(part, mark)))

    def opened(self, db: sqlite3.Connection, deployment: Deployment) -> dict[str, str]:
        """The texts that it has; raises Conflict ``seed-unreadable``."""
        return {part: self._opened(db, deployment, part, about) for part, about in deployment.seed.items()}

    def _opened(self, db: sqlite3.Connection, deployment: Deployment, part: str, about: Part) -> str:
        try:
            text = self._sealer.open(seeds.sealed(db, deployment.id, part), _belongs(part, about.mark))
        except ApplianceError:
            text = ""
        if not text:
            name = part.replace("_", " ")
            said = f"the {name} of {deployment.name} cannot be read: it came back from a backup without its key"
            raise Conflict("seed-unreadable", said, "write it once more, or take it away", part)
        return text

    def lacking(self, db: sqlite3.Connection, deployment: Deployment) -> Conflict | None:
        """Why its seed cannot be written; None where it can, or there is none."""
        try:
            self.opened(db, deployment)
        except Conflict as error:
            return error
        return None

    async def of(self, key: str) -> dict[str, str]:
        """The texts of the deployment with this name or number; raises NotFound, Conflict ``seed-unreadable``."""
        return await self._store.read(lambda db: self.opened(db, deployments.get(db, key)))


def with_seed(deployment: Deployment, given: SealedSeed) -> Deployment:
    """The deployment with those parts in place of the ones that it has."""
    after = {**deployment.seed, **{part: each.about for part, each in given.items()}}
    return replace(deployment, seed={part: about for part, about in after.items() if about is not None})


def keep(db: sqlite3.Connection, deployment: Deployment, given: SealedSeed) -> None:
    """Store the texts of those parts, in the transaction that stores the deployment."""
    for part, each in given.items():
        seeds.put(db, deployment.id, part, each.content)


def _belongs(part: str, mark: str) -> str:
    return f"{part} with mark {mark}"

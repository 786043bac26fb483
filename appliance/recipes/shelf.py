"""The recipes that are here: those that come with the product, and those that users brought."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ApplianceError, Conflict, Invalid, NotFound
from appliance.machine import check_name
from appliance.on_disk import put, sync
from appliance.recipes.recipe import Recipe, parsed

OURS = Path(__file__).parent / "ours"
MOST = 200
"""Recipes that users may bring."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A recipe, by its name."""

    name: str
    text: str
    """As it was written."""
    builtin: bool
    """It came with the product: it cannot be changed nor removed."""
    recipe: Recipe | None
    """None where this version cannot read it."""
    trouble: str = ""
    """Why it cannot be read."""


class Shelf:
    """All methods block, for as long as small files take. Nothing is kept in memory."""

    def __init__(self, own: Path, ours: Path = OURS) -> None:
        """``own``: the directory of what users bring, made with the first."""
        self._own, self._ours = own, ours

    def all(self) -> list[Kept]:
        """By name."""
        found = {path.stem: _kept(path, builtin=False) for path in self._own.glob("*.toml")}
        found |= {path.stem: _kept(path, builtin=True) for path in self._ours.glob("*.toml")}
        return [found[name] for name in sorted(found)]

    def one(self, name: str) -> Kept:
        """Raises NotFound ``recipe-unknown``."""
        known = next((each for each in self.all() if each.name == name), None)
        if known is None:
            raise NotFound("recipe-unknown", f"there is no recipe {name[:80]!r}", "see: qrm recipes", "recipe")
        return known

    def usable(self, name: str) -> Recipe:
        """As ``one``, its recipe; raises Invalid ``recipe-invalid`` for one that cannot be read."""
        known = self.one(name)
        return known.recipe if known.recipe is not None else parsed(known.text)

    def put(self, name: str, text: str) -> Kept:
        """Keep a recipe of a user's under its name, in place of an older one.

        Raises Invalid ``name-invalid``, ``recipe-invalid``; Conflict ``recipe-builtin``, ``recipes-many``;
        ApplianceError ``state-unwritable``.
        """
        check_name(name)
        recipe = parsed(text)
        self._check_own(name)
        if len(list(self._own.glob("*.toml"))) >= MOST and not self._path(name).exists():
            raise Conflict("recipes-many", f"{MOST} recipes are kept already", "remove one that nobody needs")
        try:
            self._own.mkdir(mode=0o700, exist_ok=True)
            put(self._path(name), text.encode())
        except OSError as error:
            text = f"{self._path(name)}: {error.strerror or error}"
            raise ApplianceError("state-unwritable", text, "free some space on the disk of the state") from error
        return Kept(name, text, False, recipe)

    def remove(self, name: str) -> None:
        """Raises NotFound ``recipe-unknown``, Conflict ``recipe-builtin``."""
        self._check_own(self.one(name).name)
        self._path(name).unlink(missing_ok=True)
        sync(self._own)

    def _path(self, name: str) -> Path:
        return self._own / f"{name}.toml"

    def _check_own(self, name: str) -> None:
        if (self._ours / f"{name}.toml").exists():
            text = f"recipe {name} came with the appliance, and stays as it is"
            raise Conflict("recipe-builtin", text, "keep a recipe of your own under another name", "name")


def _kept(path: Path, *, builtin: bool) -> Kept:
    text = path.read_text(errors="replace")
    try:
        return Kept(path.stem, text, builtin, parsed(text))
    except (Invalid, tomllib.TOMLDecodeError) as error:
        return Kept(path.stem, text, builtin, None, str(error))

"""What is lost with an image that is deleted, and what stays; worked out once, for whoever shows it."""

import sqlite3

from appliance.catalogue import Image
from appliance.pool import GoldenVolume
from appliance.reconcile.consequences import Consequences
from appliance.store import catalogue, goldens, pools

MOST_NAMED = 5


def deletion(db: sqlite3.Connection, key: str) -> Consequences:
    """Raises NotFound ``image-unknown``."""
    image = catalogue.image(db, key)
    names = {each.id: each.name for each in pools.every(db)}
    golden = [(each, names.get(each.pool, str(each.pool))) for each in goldens.of_image(db, image.id)]
    kernels = [each.name for each in catalogue.kernels(db) if each.image == image.id]
    texts = (_file(image), *(_golden(*each) for each in golden), *_kernels(kernels))
    return Consequences(texts, confirm=image.name, refused=_refused(catalogue.users_of_images(db).get(image.id, [])))


def _file(image: Image) -> str:
    size = f"{image.stored_size / 1e9:.1f} GB" if image.stored_size >= 10**8 else f"{image.stored_size / 1e6:.1f} MB"
    return (
        f"The stored file of {image.name}, {size}, is deleted: nothing brings it back but the same file uploaded again."
    )


def _golden(volume: GoldenVolume, pool: str) -> str:
    return (
        f"Volume {volume.name} in pool {pool}, {volume.size / 1e9:.1f} GB, was made of it and stays, with all its"
        " clones. It is golden no longer: no root is cloned from it any more, and it may be deleted."
    )


def _kernels(names: list[str]) -> tuple[str, ...]:
    return (f"Kernels that were taken out of it stay: {_listed(names)}.",) if names else ()


def _refused(users: list[str]) -> str:
    return f"it is used by {_listed(users)}; delete the deployment first" if users else ""


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more

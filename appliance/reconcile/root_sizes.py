"""How large a root volume will be, said before it is made, and why a size that was asked for does not do."""

import sqlite3
from contextlib import suppress
from dataclasses import replace

from appliance.catalogue import Image
from appliance.delivery import check_root_size, on_volume, root_size
from appliance.deployment import Deployment
from appliance.errors import Conflict, Invalid
from appliance.reconcile.consequences import Consequences
from appliance.root_volume import choose_pool
from appliance.store import goldens, pools
from appliance.volume import rounded


def with_root_size(
    db: sqlite3.Connection, deployment: Deployment, image: Image, foreseen: Consequences
) -> Consequences:
    """What is foreseen of making a root anew, with the size of that; refused where the named one is too small.

    A golden volume that is there already says what the files take; before, that is an estimate.
    """
    if foreseen.refused or not on_volume(deployment.delivery):
        return foreseen
    with suppress(Conflict):  # without such a pool nothing is made, which whoever makes it says
        pool = choose_pool(pools.every(db), deployment.pool)
        golden = goldens.find(db, image.id, image.stored_sha256, pool.id)
        taken, least = rounded(root_size(image, deployment.root_size)), golden.size if golden else 0
        try:
            check_root_size(image, deployment.delivery, deployment.root_size, least)
        except Invalid as error:
            return replace(foreseen, refused=f"{error.message}; {error.hint}")
        text = f"It gets a root volume of {max(taken, least) / (1 << 30):.1f} GiB in {pool.name}"
        return replace(foreseen, texts=(*foreseen.texts, f"{text}{_why(deployment, taken, least)}."))
    return foreseen


def _why(deployment: Deployment, taken: int, least: int) -> str:
    if least > taken:
        return ", as large as the golden volume that it is cloned from"
    if least:
        return ""
    if deployment.root_size is not None:
        return "; where the files of the image turn out to take more, it is not made"
    return ", or a larger one where the files of the image turn out to take more"

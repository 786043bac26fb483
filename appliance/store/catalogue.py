"""Images and kernels."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from appliance.catalogue import Image, ImageId, Kernel, KernelId
from appliance.errors import Conflict, NotFound
from appliance.store.documents import dump, load, one, rows


def images(db: sqlite3.Connection) -> list[Image]:
    """All images by name."""
    return [load(row[0], Image) for row in rows(db, "SELECT doc FROM images ORDER BY name")]


def users_of_images(db: sqlite3.Connection) -> dict[int, list[str]]:
    """Names of the deployments of each image that has any, by the image's id."""
    found: dict[int, list[str]] = {}
    for image, name in rows(db, "SELECT image, name FROM deployments ORDER BY name"):
        found.setdefault(image, []).append(name)
    return found


def image(db: sqlite3.Connection, key: ImageId | str) -> Image:
    """The image with this id or name; raises NotFound."""
    row = one(db, "SELECT doc FROM images WHERE name = ? OR id = ?", str(key), key)
    if row is None:
        raise NotFound("image-unknown", f"there is no image {str(key)[:80]!r}", "list them with: qrm images", "image")
    return load(row[0], Image)


def add_image(db: sqlite3.Connection, new: Image) -> Image:
    """Store a new image and return it with its id; raises Conflict when its name is taken."""
    if one(db, "SELECT id FROM images WHERE name = ?", new.name):
        raise Conflict("name-taken", f"another image is called {new.name}", "choose another name", "name")
    cursor = db.execute("INSERT INTO images(name, doc) VALUES(?,?)", (new.name, b""))
    stored = replace(new, id=ImageId(int(cursor.lastrowid or 0)))
    db.execute("UPDATE images SET doc=? WHERE id=?", (dump(stored), stored.id))
    return stored


def change_image(db: sqlite3.Connection, changed: Image) -> None:
    """Store a changed image; raises Conflict when its name is taken."""
    if one(db, "SELECT id FROM images WHERE name = ? AND id <> ?", changed.name, changed.id):
        raise Conflict("name-taken", f"another image is called {changed.name}", "choose another name", "name")
    db.execute("UPDATE images SET name=?, doc=? WHERE id=?", (changed.name, dump(changed), changed.id))


def change_kernel(db: sqlite3.Connection, changed: Kernel) -> None:
    """Store a changed kernel; raises Conflict when its name is taken."""
    if one(db, "SELECT id FROM kernels WHERE name = ? AND id <> ?", changed.name, changed.id):
        raise Conflict("name-taken", f"another kernel is called {changed.name}", "choose another name", "name")
    db.execute("UPDATE kernels SET name=?, doc=? WHERE id=?", (changed.name, dump(changed), changed.id))


def delete_image(db: sqlite3.Connection, image_id: ImageId) -> None:
    """Forget an image; raises Conflict while a deployment names it, or a system is started from it."""
    started = "json_extract(nullif(CAST(doc AS TEXT), ''), '$.installed.image')"
    sql = f"SELECT name FROM deployments WHERE image = ? OR {started} = ?"  # noqa: S608 - ours
    user = one(db, sql, image_id, image_id)
    if user:
        raise Conflict("image-used", f"deployment {user[0]} uses this image", "delete the deployment first")
    db.execute("DELETE FROM images WHERE id = ?", (image_id,))


def kernels(db: sqlite3.Connection) -> list[Kernel]:
    """All kernels by name."""
    return [load(row[0], Kernel) for row in rows(db, "SELECT doc FROM kernels ORDER BY name")]


def kernel(db: sqlite3.Connection, key: KernelId | str) -> Kernel:
    """The kernel with this id or name; raises NotFound."""
    row = one(db, "SELECT doc FROM kernels WHERE name = ? OR id = ?", str(key), key)
    if row is None:
        raise NotFound("kernel-unknown", f"there is no kernel {str(key)[:80]!r}", "list them with: qrm kernels")
    return load(row[0], Kernel)


def put_kernel(db: sqlite3.Connection, new: Kernel) -> Kernel:
    """Store a new kernel and return it with its id; one that is built in replaces its older version."""
    old = one(db, "SELECT doc FROM kernels WHERE name = ?", new.name)
    if old:
        if not (new.builtin and load(old[0], Kernel).builtin):
            raise Conflict("name-taken", f"another kernel is called {new.name}", "choose another name", "name")
        stored = replace(new, id=load(old[0], Kernel).id)
    else:
        cursor = db.execute("INSERT INTO kernels(name, doc) VALUES(?,?)", (new.name, b""))
        stored = replace(new, id=KernelId(int(cursor.lastrowid or 0)))
    db.execute("UPDATE kernels SET doc=? WHERE id=?", (dump(stored), stored.id))
    return stored


def users_of_kernel(db: sqlite3.Connection, kernel_id: KernelId) -> list[str]:
    """Names of the deployments that start with it."""
    named = "json_extract(nullif(CAST(doc AS TEXT), ''), '$.kernel')"
    return [row[0] for row in rows(db, f"SELECT name FROM deployments WHERE {named} = ? ORDER BY name", kernel_id)]  # noqa: S608 - ours


def delete_kernel(db: sqlite3.Connection, kernel_id: KernelId) -> None:
    """Forget a kernel; raises Conflict for one that is built in, or that a deployment starts with."""
    if kernel(db, kernel_id).builtin:
        raise Conflict("kernel-builtin", "the maintenance stack's kernel comes with the appliance")
    if users := users_of_kernel(db, kernel_id):
        text = f"deployment {users[0]} starts with this kernel"
        raise Conflict("kernel-used", text, "choose another kernel for it first")
    db.execute("DELETE FROM kernels WHERE id = ?", (kernel_id,))


def doom(db: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Remember that these files go, before they do: a crash between the two must not leave them for ever."""
    db.executemany("INSERT OR REPLACE INTO doomed_files VALUES(?)", [(path,) for path in paths])


def doomed(db: sqlite3.Connection) -> frozenset[str]:
    """The files that were to go, relative to the state directory; most are gone."""
    return frozenset(row[0] for row in rows(db, "SELECT path FROM doomed_files"))


def forget_doomed(db: sqlite3.Connection, paths: Iterable[str]) -> None:
    """These files are gone."""
    db.executemany("DELETE FROM doomed_files WHERE path = ?", [(path,) for path in paths])
